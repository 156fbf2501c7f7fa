"""The runs of the Data sets page: started here, shown while they work, and put away afterwards."""

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
from dashboard.runs.card import Shown, run_status
from dashboard.runs.datasets import known_runs, target_of
from dashboard.shell.resources import settings
from dashboard.ui.markdown import shorten

EARLIER_SHOWN = 8
RECENT = timedelta(minutes=10)

_TITLES = {
    "ingest": "Taking photographs in: {name}",
    "build": "Building a split: {name}",
    "demo": "Drawing people: {name}",
    "fetch": "Fetching photographs: {name}",
    "check": "Checking: {name}",
}


def unfinished() -> list[Run]:
    """Those to show on top: at work or waiting, and those that ended before their data set was there."""
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
    """Each run with its progress; the data set that comes of one is chosen when it is done."""
    for run in runs:
        with suppress(RunNotFound):  # removed since it was listed
            run_status(run, shown_as(run))


def earlier_panel(but: list[Run]) -> None:
    """Runs of before, folded away."""
    runs = [known.run for known in known_runs() if known.run not in but][:EARLIER_SHOWN]
    if not runs:
        return
    box = st.expander("Earlier runs", icon=":material/history:", key="dataset_earlier", on_change="rerun")
    if box.open:
        with box:
            work_panel(runs)


def shown_as(run: Run) -> Shown:
    """How a run of this page is shown. Raises RunNotFound, StorageFailed."""
    place = target_of(run.config)
    return Shown(
        title=_TITLES[run.kind].format(name=shorten(place.name, 50)),
        unit="photographs" if run.kind in ("ingest", "fetch") else "images",
        on_end=_ended,
        on_remove=partial(_removed, place=place),
        removal="What it kept of unfinished work goes too. Finished data sets and photographs stay.",
    )


def choose(root: Path) -> None:
    """Have the page show the data set at `root` at its next run."""
    if name_of(root):
        st.session_state["dataset_next"] = name_of(root)


def name_of(root: Path) -> str:
    """What the page calls the data set at `root`; "" for one that lies elsewhere."""
    here = datasets_root(settings())
    return root.relative_to(here).as_posix() if root.is_relative_to(here) else ""


@dataclass(frozen=True)
class Ended:
    """What came of a run that is done: words for the visitor, and the data set to look at."""

    words: str
    root: Path


def just_ended() -> Ended | None:
    """The last run that is done, when that was moments ago and this visitor wasn't told yet: who reloads the page, or
    comes back to it, as a run ends would else see nothing of it. Asked once, it counts as told."""
    done = [known for known in known_runs() if known.state.status == "done" and known.state.ended is not None]
    last = max(done, key=lambda known: known.state.ended or now(), default=None)
    if last is None or last.state.ended is None or now() - last.state.ended > RECENT or last.run.id in _told():
        return None
    _told().add(last.run.id)
    ended = _outcome(last.run)
    return ended if ended is not None and is_dataset(ended.root) else None


def _told() -> set[str]:
    """The runs whose end this visitor was told of."""
    told: set[str] = st.session_state.setdefault("dataset_told", set())
    return told


def _ended(snapshot: Snapshot) -> None:
    if snapshot.state.status != "done":
        return
    _told().add(snapshot.run.id)
    ended = _outcome(snapshot.run)
    if ended is None:
        return
    choose(ended.root)
    st.session_state["dataset_said"] = ended.words
    if snapshot.run.kind != "check":
        st.session_state["dataset_next_section"] = "counts"


def _outcome(run: Run) -> Ended | None:
    """None where its report is gone or names nothing."""
    report = run.report or {}
    made = [Path(str(each)) for each in report.get("made", ())]
    if not made:
        return None
    name = Path(str(report.get("out", ""))).name
    words = f"{name} was checked." if run.kind == "check" else f"{name} is ready. {report.get('text') or ''}".strip()
    return Ended(words, made[0])


def _removed(run: Run, place: Path) -> None:
    """The hidden folder of an ingest that won't be resumed goes with its run, unless another run works there."""
    if run.kind in ("ingest", "fetch"):
        with suppress(BuildRefused):
            discard_unfinished(settings(), place)
