"""Runs as rows, each with what was asked for and what came of it, and the way into one: Training's and Accuracy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import streamlit as st

from core.jobs.run_dir import Run
from core.jobs.state import State
from dashboard.runs.card import STATES
from dashboard.ui.markdown import plain

TICK_S = 3.0


class Listed(Protocol):
    """What a row needs to know of a run."""

    @property
    def run(self) -> Run: ...
    @property
    def state(self) -> State: ...
    @property
    def title(self) -> str: ...
    @property
    def asked(self) -> str: ...
    @property
    def stopping(self) -> bool: ...


Seen = TypeVar("Seen", bound=Listed)


@dataclass(frozen=True)
class RunList(Generic[Seen]):
    """A page's list of its runs. `page` begins its widgets' keys; `look` reads runs; `came_of_it` gives the lines below
    what was asked for (Markdown, "" for none), `progress` a running one's share and words; `shown` rows at first."""

    page: str
    look: Callable[[list[Run]], list[Seen]]
    came_of_it: Callable[[Seen], Sequence[str]]
    progress: Callable[[Seen], tuple[float, str] | None]
    shown: int

    def show(self, runs: list[Run], *, key: str) -> None:
        """The newest runs, drawn anew while one of them is at work. `key` names the list on the page."""
        folded = f"{self.page}_all_{key}"
        everything = st.session_state.get(folded, False)
        shown = runs if everything else runs[: self.shown]
        live = any(seen.state.live for seen in self.look(shown))
        st.fragment(self._rows, run_every=TICK_S if live else None)(shown, live)
        if len(runs) > self.shown:
            label = "Fewer" if everything else f"All {len(runs)} runs"
            if st.button(label, key=f"{self.page}_more_{key}", icon=":material/unfold_more:", type="tertiary"):
                st.session_state[folded] = not everything
                st.rerun()

    def _rows(self, runs: list[Run], was_live: bool) -> None:
        seen = self.look(runs)
        if was_live and not any(each.state.live for each in seen):
            st.rerun()
        for each in seen:
            self._row(each)

    def _row(self, seen: Seen) -> None:
        word, icon, colour = STATES[seen.state.status]
        word = "Stopping" if seen.stopping else word
        asked = plain(f"{seen.run.created.astimezone():%-d %b %Y, %H:%M}: {seen.asked}")
        head = f"**{plain(seen.title)}** :{colour}-badge[{icon} {word}]"
        lines = [head, f":small[:gray[{asked}]]", *self.came_of_it(seen)]
        with st.container(border=True, gap="small", key=f"{self.page}_row_{seen.run.id.replace('/', '_')}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown("  \n".join(filter(None, lines)), width="stretch")
                if st.button("Open", key=f"{self.page}_open_{seen.run.id}", icon=":material/arrow_forward:"):
                    open_run(seen.run)
            told = self.progress(seen) if seen.state.status == "running" else None
            if told is not None:
                st.progress(told[0], text=f":small[{plain(told[1])}]")


def failure_line(state: State) -> str:
    """A failed run's error in red; "" for others."""
    return f":small[:red[{plain(state.error)}]]" if state.status == "failed" and state.error else ""


def open_run(run: Run) -> None:
    """Show one run; its address names it, so that it can be kept, reloaded and sent."""
    st.query_params["run"] = run.id
    st.rerun()
