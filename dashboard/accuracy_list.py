"""The runs of the Accuracy page: each with what was asked for and what came of it, and the way into one."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.jobs.run_dir import Run
from dashboard.accuracy_queries import Seen, seen_runs
from dashboard.accuracy_words import progress_words
from dashboard.run_status import STATES, reader_of
from dashboard.text import plain

SHOWN = 8
TICK_S = 3.0


def runs_list(runs: list[Run], *, key: str) -> None:
    """The newest runs as rows that are drawn anew while one of them is at work. `key` names the list on the page."""
    folded = f"accuracy_all_{key}"
    everything = st.session_state.get(folded, False)
    shown = runs if everything else runs[:SHOWN]
    live = any(seen.state.live for seen in seen_runs(shown))
    st.fragment(_rows, run_every=TICK_S if live else None)(shown, live)
    if len(runs) > SHOWN:
        label = "Fewer" if everything else f"All {len(runs)} runs"
        if st.button(label, key=f"accuracy_more_{key}", icon=":material/unfold_more:", type="tertiary"):
            st.session_state[folded] = not everything
            st.rerun()


def open_run(run: Run) -> None:
    """Show one run; its address names it, so that it can be kept, reloaded and sent."""
    st.query_params["run"] = run.id
    st.rerun()


def _rows(runs: list[Run], was_live: bool) -> None:
    seen = seen_runs(runs)
    if was_live and not any(each.state.live for each in seen):
        st.rerun()
    for each in seen:
        _row(each)


def _row(seen: Seen) -> None:
    word, icon, colour = STATES[seen.state.status]
    word = "Stopping" if seen.stopping else word
    asked = plain(f"{seen.run.created.astimezone():%-d %b %Y, %H:%M}: {seen.asked}")
    lines = [f"**{plain(seen.title)}** :{colour}-badge[{icon} {word}]", f":small[:gray[{asked}]]", _came_of_it(seen)]
    with st.container(border=True, gap="small", key=f"accuracy_row_{seen.run.id.replace('/', '_')}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("  \n".join(filter(None, lines)), width="stretch")
            if st.button("Open", key=f"accuracy_open_{seen.run.id}", icon=":material/arrow_forward:"):
                open_run(seen.run)
        if seen.state.status == "running":
            told = progress_words(reader_of(seen.run).look().progress)
            if told is not None:
                st.progress(told[0], text=f":small[{plain(told[1])}]")


def _came_of_it(seen: Seen) -> str:
    """Its error, or the sentence of its report; "" before there is one."""
    if seen.state.status == "failed" and seen.state.error:
        return f":small[:red[{plain(seen.state.error)}]]"
    try:
        report = seen.run.report
    except CoreError:
        return ":small[:red[Its report is damaged.]]"
    return f":small[{plain(report['text'])}]" if report and report.get("text") else ""
