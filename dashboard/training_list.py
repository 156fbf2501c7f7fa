"""The Training page's list of runs: how far each came, and its best epoch."""

from __future__ import annotations

from dashboard.runs.list import RunList, failure_line
from dashboard.training_live import progress_words
from dashboard.training_queries import Seen, best_figures, epochs_done, seen_runs
from dashboard.training_words import FIGURES, figure_text

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
