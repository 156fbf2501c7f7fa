"""A page about one kind of run: the list of its runs, the run that the address names, and the choice of several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from core.errors import CoreError
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run
from core.jobs.state import State
from dashboard.runs.card import STATES
from dashboard.shell.error_display import feedback
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.markdown import plain

REFRESH_S = 3.0
MOST_COMPARED = 6


@dataclass(frozen=True)
class RunEntry(ABC):
    """A run as a page lists it: its state and configuration when it was read."""

    run: Run
    state: State
    config: dict[str, Any]

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, on what: "Fine-tuning on lfw-closed"."""

    @property
    @abstractmethod
    def label(self) -> str:
        """A short name, different for every run, for a list of choices."""

    @property
    @abstractmethod
    def settings_line(self) -> str:
        """Its most important settings on one line."""

    @property
    def stopping(self) -> bool:
        """Asked to stop, and still running."""
        return self.state.live and self.run.stop_path.exists()


Entry = TypeVar("Entry", bound=RunEntry)


def readable_entries(runs: Iterable[Run], read: Callable[[Run], Entry]) -> list[Entry]:
    """The entries of `runs`, without those that were removed meanwhile or can't be read."""
    found: list[Entry] = []
    for run in runs:
        with suppress(CoreError):
            found.append(read(run))
    return found


@dataclass(frozen=True)
class RunPage(Generic[Entry]):
    """A page about one kind of run.

    `name` is the prefix of its widgets' keys. `runs` lists its runs, newest first; `read` makes an entry of one; `view`
    draws the whole view of one. `results` returns the lines below an entry's settings (Markdown, "" for none),
    `progress` the share and the text of a running one's bar. `rows` are shown before "All runs" is pressed.
    """

    name: str
    runs: Callable[[], list[Run]]
    read: Callable[[Run], Entry]
    view: Callable[[Run], None]
    results: Callable[[Entry], Sequence[str]]
    progress: Callable[[Entry], tuple[float, str] | None]
    rows: int

    def show_selected(self) -> bool:
        """Show the run that the address names (?run=...); False where it names none, or one that isn't there."""
        run_id = st.query_params.get("run", "")
        if not run_id:
            return False
        if st.button("All runs", icon=":material/arrow_back:", type="tertiary", key=f"{self.name}_back"):
            st.query_params.pop("run", None)
            st.rerun()
        with feedback() as attempt:
            self.view(self._find(run_id))
        return attempt.ok

    def show_lists(self, runs: list[Run], heading: str, form: Callable[[], None], locked: str) -> None:
        """Running runs, then the form that starts one below its `heading`, then earlier runs. `locked` names what a
        visitor without the permission can't do."""
        live = [run for run in runs if run.state().live]
        if live:
            st.subheader("Running", anchor=False)
            self._list(live, "live")
        if allowed(Permission.RUN):
            st.subheader(heading, anchor=False)
            with feedback():
                form()
        else:
            not_yours(locked)
        earlier = [run for run in runs if run not in live]
        if earlier:
            st.subheader("Earlier runs", anchor=False)
            self._list(earlier, "earlier")

    def _find(self, run_id: str) -> Run:
        for run in self.runs():
            if run.id == run_id:
                return run
        raise RunNotFound("This run doesn't exist.", "It may have been removed. Choose one from the list below.")

    def _list(self, runs: list[Run], key: str) -> None:
        """The newest runs, refreshed while one of them is live."""
        unfolded = f"{self.name}_all_{key}"
        everything = st.session_state.get(unfolded, False)
        shown = runs if everything else runs[: self.rows]
        live = any(entry.state.live for entry in readable_entries(shown, self.read))
        asked = st.query_params.get("run", "")
        st.fragment(self._rows, run_every=REFRESH_S if live else None)(shown, live, asked)
        if len(runs) > self.rows:
            label = "Fewer runs" if everything else f"All {len(runs)} runs"
            if st.button(label, key=f"{self.name}_more_{key}", icon=":material/unfold_more:", type="tertiary"):
                st.session_state[unfolded] = not everything
                st.rerun()

    def _rows(self, runs: list[Run], was_live: bool, asked: str) -> None:
        entries = readable_entries(runs, self.read)
        ended = was_live and not any(entry.state.live for entry in entries)
        if ended or st.query_params.get("run", "") != asked:
            st.rerun()
        for entry in entries:
            self._row(entry)

    def _row(self, entry: Entry) -> None:
        word, icon, colour = STATES[entry.state.status]
        word = "Stopping" if entry.stopping else word
        created = f"{entry.run.created.astimezone():%-d %b %Y, %H:%M}"
        lines = [
            f"**{plain(entry.title)}** :{colour}-badge[{icon} {word}]",
            f":small[:gray[{plain(f'{created}: {entry.settings_line}')}]]",
            *self.results(entry),
        ]
        if entry.state.status == "failed" and entry.state.error:
            lines.append(f":small[:red[{plain(entry.state.error)}]]")
        with st.container(border=True, gap="small", key=f"{self.name}_row_{entry.run.id.replace('/', '_')}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown("  \n".join(filter(None, lines)), width="stretch")
                # Set in a callback: a click sent while the list refreshes would be lost to `if st.button(...)`.
                st.button(
                    "Open",
                    key=f"{self.name}_open_{entry.run.id}",
                    icon=":material/arrow_forward:",
                    on_click=_name_in_address,
                    args=(entry.run,),
                )
            bar = self.progress(entry) if entry.state.status == "running" else None
            if bar is not None:
                st.progress(bar[0], text=f":small[{plain(bar[1])}]")


def choose_runs(page: str, labels: Mapping[str, str], hint: str) -> list[str]:
    """The ids of two or more runs out of `labels`, in the order they were chosen; [] and the `hint` before that.

    The choice is kept in the address (?compare=...), so that it survives a reload.
    """
    key = f"{page}_compare"
    named = [run_id for run_id in st.query_params.get_all("compare") if run_id in labels][:MOST_COMPARED]
    st.session_state.setdefault(key, named)
    st.session_state[key] = [run_id for run_id in st.session_state[key] if run_id in labels]
    chosen = st.multiselect(
        "Runs",
        list(labels),
        format_func=labels.__getitem__,
        max_selections=MOST_COMPARED,
        key=key,
        placeholder="Choose two or more",
        select_all=False,
    )
    if chosen != st.query_params.get_all("compare"):
        st.query_params["compare"] = chosen
    if len(chosen) < 2:
        st.caption(hint)
        return []
    return chosen


def show_run(run: Run) -> None:
    """Show one run: the address names it, so that the page can be bookmarked, reloaded and shared."""
    _name_in_address(run)
    st.rerun()


def _name_in_address(run: Run) -> None:
    st.query_params["run"] = run.id


def show_list(_: Run) -> None:
    """Show the list again, once the run that the address names was removed."""
    st.query_params.pop("run", None)
