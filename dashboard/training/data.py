"""What the Training page reads: its runs, where each stands, and its history, which is read on and never again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, list_runs, runs_root
from core.jobs.state import State
from core.system.text import count
from core.training.history import History
from dashboard.shell.resources import settings
from dashboard.training.labels import FIGURES, KINDS, named, upscaler_name, weights_name
from dashboard.ui.markdown import duration


@dataclass(frozen=True)
class Seen:
    """A run as the page shows it: where it stands, what was asked for, what it told so far."""

    run: Run
    state: State
    config: dict[str, Any]
    history: History

    @property
    def kind(self) -> str:
        return KINDS.get(self.run.kind, self.run.kind)

    @property
    def preset(self) -> str:
        return str(self.config.get("preset") or "")

    @property
    def title(self) -> str:
        """ "Fine-tuning on lfw-closed"."""
        return f"{self.kind} on {named(self.config)}"

    @property
    def label(self) -> str:
        """Short, and different for every run: "finetune, lfw-closed, notes, 25 Nov 09:12"."""
        told = [self.run.kind, named(self.config), self.preset]
        return f"{', '.join(filter(None, told))}, {self.run.created.astimezone():%-d %b %H:%M:%S}"

    @property
    def asked(self) -> str:
        """What was asked for, on one line."""
        config = self.config
        told = [
            f"preset {self.preset}" if self.preset else "",
            f"from {weights_name(config['edgeface'])}" if config.get("edgeface") else "",
            f"upscaled by {upscaler_name(config['upscaler'])}" if config.get("upscaler") else "",
            f"batch {config['batch_size']}" if config.get("batch_size") else "",
            str(config.get("device") or ""),
        ]
        return ", ".join(filter(None, told))

    @property
    def stopping(self) -> bool:
        """Asked to stop, and still at work."""
        return self.state.live and self.run.stop_path.exists()

    @property
    def epochs_planned(self) -> int | None:
        plan = self.history.plan
        if plan is not None and plan.epochs:
            return plan.epochs
        progress = self.history.progress
        return progress.epochs if progress else None


def look(run: Run) -> Seen:
    """The run as it is now. Raises RunNotFound, StorageFailed."""
    state = run.state()  # before its events: what it wrote before its end is read
    history = _history(str(run.events_path))
    history.update()
    return Seen(run, state, run.config, history)


def training_runs() -> list[Run]:
    """Every run that trains something, newest first."""
    root = runs_root(settings())
    return sorted((run for kind in KINDS for run in list_runs(root, kind)), key=lambda run: run.name, reverse=True)


def seen_runs(runs: list[Run]) -> list[Seen]:
    """Those of `runs` that are still there and can be read."""
    found: list[Seen] = []
    for run in runs:
        with suppress(CoreError):  # removed or damaged: the others are shown
            found.append(look(run))
    return found


def run_of(run_id: str) -> Run:
    """The training run that an address names in full. Raises RunNotFound."""
    for run in training_runs():
        if run.id == run_id:
            return run
    raise RunNotFound("That run isn't here.", "It may have been removed. The list below shows those that are.")


def epochs_done(seen: Seen) -> str:
    """ "7 of 25 epochs in 12 min", with the time that all attempts spent in epochs; "" before the first has ended."""
    epochs, planned = seen.history.epochs(), seen.epochs_planned
    done = int(epochs["step"].max()) if len(epochs) else 0
    if not done:
        return ""
    told = f"{done} of {count(planned, 'epoch')}" if planned else count(done, "epoch")
    spent = float(epochs["seconds"].sum())
    return f"{told} in {duration(spent)}" if spent else told


def best_row(epochs: pd.DataFrame) -> pd.Series | None:
    """The epoch whose weights are kept as best; the last one where none was called best; None before the first."""
    if not len(epochs):
        return None
    best = epochs[epochs["best"]]
    return (best if len(best) else epochs).iloc[-1]


def best_figures(epochs: pd.DataFrame, columns: tuple[str, ...] = tuple(FIGURES)) -> dict[str, float]:
    """The figures of the best epoch, by column, as far as they were measured."""
    row = best_row(epochs)
    if row is None:
        return {}
    return {column: float(row[column]) for column in columns if column in row.index and pd.notna(row[column])}


@st.cache_resource(max_entries=128, show_spinner=False)
def _history(path: str) -> History:
    return History(Path(path))
