"""The runs of the Training page: each with what was asked for and what came of it, and the way into one."""

from __future__ import annotations

import streamlit as st

from core.jobs.run_dir import Run
from dashboard.run_status import STATES
from dashboard.text import count, duration, plain
from dashboard.training_live import progress_words
from dashboard.training_queries import Seen, best_figures, seen_runs
from dashboard.training_words import FIGURES, figure_text

SHOWN = 6
TICK_S = 3.0
_FIGURES = ("val.eer", "val.psnr_db", "val.similarity", "val.accuracy")


def runs_list(runs: list[Run], *, key: str) -> None:
    """The newest runs as rows that are drawn anew while one of them is at work. `key` names the list on the page."""
    folded = f"training_all_{key}"
    everything = st.session_state.get(folded, False)
    shown = runs if everything else runs[:SHOWN]
    live = any(seen.state.live for seen in seen_runs(shown))
    st.fragment(_rows, run_every=TICK_S if live else None)(shown, live)
    if len(runs) > SHOWN:
        label = "Fewer" if everything else f"All {len(runs)} runs"
        if st.button(label, key=f"training_more_{key}", icon=":material/unfold_more:", type="tertiary"):
            st.session_state[folded] = not everything
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
    lines = [f"**{plain(seen.title)}** :{colour}-badge[{icon} {word}]", f":small[:gray[{asked}]]", figures_line(seen)]
    if seen.state.status == "failed" and seen.state.error:
        lines.append(f":small[:red[{plain(seen.state.error)}]]")
    with st.container(border=True, gap="small", key=f"training_row_{seen.run.id.replace('/', '_')}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("  \n".join(filter(None, lines)), width="stretch")
            if st.button("Open", key=f"training_open_{seen.run.id}", icon=":material/arrow_forward:"):
                open_run(seen.run)
        told = progress_words(seen) if seen.state.status == "running" else None
        if told is not None:
            st.progress(told[0], text=f":small[{plain(told[1])}]")


def figures_line(seen: Seen) -> str:
    """ "7 of 25 epochs, 12 min. Best: EER 2.31 %, similarity 0.9121": how far it came, and its best epoch. "" before
    its first epoch has ended."""
    epochs = seen.history.epochs()
    planned = seen.epochs_planned
    done = int(epochs["step"].max()) if len(epochs) else 0
    if not done:
        return ""
    told = f"{done} of {count(planned, 'epoch')}" if planned else count(done, "epoch")
    spent = float(epochs["seconds"].sum()) if len(epochs) else 0.0
    told += f", {duration(spent)}" if spent else ""
    figures = best_figures(epochs, _FIGURES)
    if figures:
        best = "Best" if epochs["best"].any() else "Last"
        told += f". {best}: " + ", ".join(f"{FIGURES[c][0]} {figure_text(c, v)}" for c, v in list(figures.items())[:3])
    return told + "."


def open_run(run: Run) -> None:
    """Show one run; its address names it, so that it can be kept, reloaded and sent."""
    st.query_params["run"] = run.id
    st.rerun()
