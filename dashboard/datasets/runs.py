"""The runs of the Data sets page: progress, results and clean-up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import streamlit as st

from core.dataset.errors import BuildRefused
from core.dataset.library import datasets_root, discard_unfinished
from core.dataset.manifest import is_dataset
from core.jobs.errors import RunNotFound
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run
from core.jobs.state import now
from dashboard.runs.card import RunCard, show_run_card
from dashboard.runs.datasets import known_runs, target_of
from dashboard.shell.resources import settings
from dashboard.ui.markdown import shorten

EARLIER_SHOWN = 8
RECENT = timedelta(minutes=10)

_TITLES = {
    "ingest": "Importing photographs: {name}",
    "build": "Building a split: {name}",
    "demo": "Generating people: {name}",
    "fetch": "Downloading photographs: {name}",
    "check": "Checking: {name}",
}


def unfinished() -> list[Run]:
    """The runs to show on top: running, queued, or ended before their data set was complete."""
    found: list[Run] = []
    later: set[tuple[bool, Path]] = set()
    for known in known_runs():
        check = known.run.kind == "check"
        made = not check and any(is_dataset(each) for each in (known.target, known.target / "closed-set"))
        if known.state.live or (known.state.resumable and not made and (check, known.target) not in later):
            found.append(known.run)
        later.add((check, known.target))
    return found


def work_panel(runs: list[Run]) -> None:
    """Show each run with its progress; its data set is selected once the run is done."""
    for run in runs:
        with suppress(RunNotFound):  # removed in the meantime
            show_run_card(run, card_of(run))


def earlier_panel(but: list[Run]) -> None:
    """Show earlier runs in an expander."""
    runs = [known.run for known in known_runs() if known.run not in but][:EARLIER_SHOWN]
    if not runs:
        return
    box = st.expander("Earlier runs", icon=":material/history:", key="dataset_earlier", on_change="rerun")
    if box.open:
        with box:
            work_panel(runs)


def card_of(run: Run) -> RunCard:
    """How a run of this page is shown. Raises RunNotFound, StorageFailed."""
    place = target_of(run.config)
    return RunCard(
        title=_TITLES[run.kind].format(name=shorten(place.name, 50)),
        unit="photographs" if run.kind in ("ingest", "fetch") else "images",
        on_end=_on_end,
        on_remove=partial(_on_remove, place=place),
        removal="Unfinished work is deleted too. Finished data sets and photographs are kept.",
    )


def choose(root: Path) -> None:
    """Select the data set at `root` in the next run of the page."""
    if name_of(root):
        st.session_state["dataset_next"] = name_of(root)


def name_of(root: Path) -> str:
    """The name of the data set at `root` on the page; "" for one stored elsewhere."""
    here = datasets_root(settings())
    return root.relative_to(here).as_posix() if root.is_relative_to(here) else ""


@dataclass(frozen=True)
class Ended:
    """The result of a finished run: a sentence, and the data set it made or checked."""

    words: str
    root: Path


def just_ended() -> Ended | None:
    """The run finished last, within the past minutes and not yet reported to this visitor.

    A visitor who reloads the page, or returns to it, while a run ends would otherwise miss it. Asking
    counts as reporting.
    """
    done = [known for known in known_runs() if known.state.status == "done" and known.state.ended is not None]
    last = max(done, key=lambda known: known.state.ended or now(), default=None)
    if last is None or last.state.ended is None or now() - last.state.ended > RECENT or last.run.id in _reported():
        return None
    _reported().add(last.run.id)
    ended = _outcome(last.run)
    return ended if ended is not None and is_dataset(ended.root) else None


def _reported() -> set[str]:
    """Ids of the runs whose end was reported to this visitor."""
    reported: set[str] = st.session_state.setdefault("dataset_told", set())
    return reported


def _on_end(snapshot: Snapshot) -> None:
    if snapshot.state.status != "done":
        return
    _reported().add(snapshot.run.id)
    ended = _outcome(snapshot.run)
    if ended is None:
        return
    choose(ended.root)
    st.session_state["dataset_said"] = ended.words
    if snapshot.run.kind != "check":
        st.session_state["dataset_next_section"] = "counts"


def _outcome(run: Run) -> Ended | None:
    """None where the run's report is missing or names no data set."""
    report = run.report or {}
    made = [Path(str(each)) for each in report.get("made", ())]
    if not made:
        return None
    name = Path(str(report.get("out", ""))).name
    words = f"{name} was checked." if run.kind == "check" else f"{name} is ready. {report.get('text') or ''}".strip()
    return Ended(words, made[0])


def _on_remove(run: Run, place: Path) -> None:
    """Delete the hidden folder of an import that won't be resumed, unless another run uses it."""
    if run.kind in ("ingest", "fetch"):
        with suppress(BuildRefused):
            discard_unfinished(settings(), place)
