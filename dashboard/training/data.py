"""The trainings that the Training page lists, and the best figures of each; a history is read incrementally."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.jobs.run_dir import Run, list_runs, runs_root
from core.system.text import count
from core.training.history import History
from dashboard.runs.list import RunEntry
from dashboard.shell.resources import settings
from dashboard.training.averages import Averaged, read_averaged
from dashboard.training.labels import FIGURES, KINDS, data_name, upscaler_name, weights_name
from dashboard.ui.markdown import duration


@dataclass(frozen=True)
class TrainingEntry(RunEntry):
    """A training as the page lists it, with its history so far."""

    history: History

    @property
    def kind(self) -> str:
        return KINDS.get(self.run.kind, self.run.kind)

    @property
    def preset(self) -> str:
        return str(self.config.get("preset") or "")

    @property
    def title(self) -> str:
        return f"{self.kind} on {data_name(self.config)}"

    @property
    def label(self) -> str:
        """ "finetune, lfw-closed, notes, 25 Nov 09:12:45"."""
        parts = [self.run.kind, data_name(self.config), self.preset]
        return f"{', '.join(filter(None, parts))}, {self.run.created.astimezone():%-d %b %H:%M:%S}"

    @property
    def settings_line(self) -> str:
        config = self.config
        parts = [
            f"recipe {self.preset}" if self.preset else "",
            f"from {weights_name(config['edgeface'])}" if config.get("edgeface") else "",
            f"upscaler {upscaler_name(config['upscaler'])}" if config.get("upscaler") else "",
            f"batch {config['batch_size']}" if config.get("batch_size") else "",
            f"device {config['device']}" if config.get("device") else "",
        ]
        return ", ".join(filter(None, parts))

    @property
    def epochs_planned(self) -> int | None:
        plan = self.history.plan
        if plan is not None and plan.epochs:
            return plan.epochs
        progress = self.history.progress
        return progress.epochs if progress else None

    @cached_property
    def averaged(self) -> Averaged | None:
        """What averaging with the starting weights gave; None before the end, and where nothing was averaged."""
        if self.state.status != "done":
            return None
        try:
            report = self.run.report
        except CoreError:
            return None
        return read_averaged(report or {}, best_figures(self.history.epochs(), None))

    def best_figures(self, columns: tuple[str, ...] = tuple(FIGURES)) -> dict[str, float]:
        """The measured figures of the weights that the run keeps: of its best epoch, or of an average of that."""
        if self.averaged is None:
            return best_figures(self.history.epochs(), columns)
        return {column: self.averaged.kept[column] for column in columns if column in self.averaged.kept}


def read_entry(run: Run) -> TrainingEntry:
    """The training as it is now. Raises RunNotFound, StorageFailed."""
    state = run.state()  # before its events, so that an ended run's last events are read
    history = _history(str(run.events_path))
    history.update()
    return TrainingEntry(run, state, run.config, history)


def training_runs() -> list[Run]:
    """Every training, newest first."""
    root = runs_root(settings())
    return sorted((run for kind in KINDS for run in list_runs(root, kind)), key=lambda run: run.name, reverse=True)


def epochs_done(entry: TrainingEntry) -> str:
    """ "7 of 25 epochs in 12 min", with the time of all attempts' epochs; "" before the first has ended."""
    epochs, planned = entry.history.epochs(), entry.epochs_planned
    done = int(epochs["step"].max()) if len(epochs) else 0
    if not done:
        return ""
    text = f"{done} of {count(planned, 'epoch')}" if planned else count(done, "epoch")
    spent = float(epochs["seconds"].sum())
    return f"{text} in {duration(spent)}" if spent else text


def best_row(epochs: pd.DataFrame) -> pd.Series | None:
    """The epoch whose weights are kept as best, or the last epoch if none is; None before the first."""
    if not len(epochs):
        return None
    best = epochs[epochs["best"]]
    return (best if len(best) else epochs).iloc[-1]


def best_figures(epochs: pd.DataFrame, columns: tuple[str, ...] | None = tuple(FIGURES)) -> dict[str, float]:
    """The measured figures of the best epoch, by column; None: all of validation."""
    row = best_row(epochs)
    if row is None:
        return {}
    if columns is None:
        columns = tuple(column for column in epochs.columns if column.startswith("val."))
    return {column: float(row[column]) for column in columns if column in row.index and pd.notna(row[column])}


@st.cache_resource(max_entries=128, show_spinner=False)
def _history(path: str) -> History:
    return History(Path(path))
