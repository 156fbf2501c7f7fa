"""Training: launch a run, watch it, compare runs, use what came of it. `?run=` names the run that is shown."""

from __future__ import annotations

import streamlit as st

from dashboard.runs.list import RunList, failure_line
from dashboard.shell.error_display import feedback
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.training.compare import compare_panel
from dashboard.training.data import Seen, best_figures, epochs_done, run_of, seen_runs, training_runs
from dashboard.training.labels import FIGURES, figure_text
from dashboard.training.launch import launch_panel
from dashboard.training.run_view import progress_words, run_view
from dashboard.ui.components import head


def view() -> None:
    """The page."""
    asked = st.query_params.get("run", "")
    head(
        "Training",
        "Make EdgeFace better at small faces, and watch it learn. Runs go on when this page is closed.",
        wide=True,
    )
    if asked:
        _back()
        with feedback() as attempt:
            run_view(run_of(asked))
        if attempt.ok:
            return
    runs = training_runs()
    live = [run for run in runs if run.state().live]
    if live:
        st.subheader("At work", anchor=False)
        RUNS.show(live, key="live")
    if allowed(Permission.RUN):
        st.subheader("Start a training", anchor=False)
        with feedback():
            launch_panel()
    else:
        not_yours("Starting, stopping and removing runs")
    earlier = [run for run in runs if run not in live]
    if earlier:
        st.subheader("Earlier runs", anchor=False)
        RUNS.show(earlier, key="earlier")
    if len(runs) > 1:
        st.subheader("Compare", anchor=False)
        compare_panel(runs)


def _back() -> None:
    if st.button("All runs", icon=":material/arrow_back:", type="tertiary", key="training_back"):
        st.query_params.pop("run", None)
        st.rerun()


_FIGURES = ("val.eer", "val.psnr_db", "val.similarity", "val.accuracy")


def _came_of_it(seen: Seen) -> list[str]:
    return [figures_line(seen), failure_line(seen.state)]


def figures_line(seen: Seen) -> str:
    """ "7 of 25 epochs in 12 min. Best: EER 2.31 %, similarity 0.9121": how far it came, and its best epoch. "" before
    its first epoch has ended."""
    epochs = seen.history.epochs()
    told = epochs_done(seen)
    if not told:
        return ""
    figures = best_figures(epochs, _FIGURES)
    if figures:
        best = "Best" if epochs["best"].any() else "Last"
        told += f". {best}: " + ", ".join(f"{FIGURES[c][0]} {figure_text(c, v)}" for c, v in list(figures.items())[:3])
    return told + "."


RUNS = RunList("training", seen_runs, _came_of_it, progress_words, shown=6)
