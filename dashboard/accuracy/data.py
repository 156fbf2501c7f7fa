"""What the Accuracy page reads: its runs, where each stands, and their tables, read once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.errors import CoreError
from core.evaluation.result import Evaluation, read_run
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, list_runs, runs_root
from core.jobs.state import State
from dashboard.accuracy.labels import MODES, data_name, goal_words, size_name, system_name
from dashboard.shell.resources import settings
from dashboard.ui.pictures import changed_ns

KIND = "evaluate"


@dataclass(frozen=True)
class Seen:
    """A run as the page shows it: where it stands, what was asked for."""

    run: Run
    state: State
    config: dict[str, Any]

    @property
    def task(self) -> str:
        return str(self.config.get("task") or "")

    @property
    def title(self) -> str:
        """ "Accuracy on lfw, test"."""
        split = f", {self.config['split']}" if self.config.get("split") else ""
        if self.task == "calibrate":
            return f"Thresholds for {goal_words(self.config.get('goal') or {})}, from {data_name(self.config)}{split}"
        return f"Accuracy on {data_name(self.config)}{split}"

    @property
    def systems(self) -> list[str]:
        return [system_name(spec) for spec in self.config.get("systems") or []]

    @property
    def label(self) -> str:
        """Short, and different for every run."""
        return f"{self.title}, {self.run.created.astimezone():%-d %b %H:%M:%S}: {', '.join(self.systems)}"

    @property
    def asked(self) -> str:
        """What was asked for, on one line."""
        plan = self.config.get("plan") or {}
        told = [*self.systems]
        if self.task != "benchmark":
            told += [" ".join(size_name(size) for size in plan.get("sizes") or [])]
            told += [" and ".join(MODES.get(mode, mode).lower() for mode in plan.get("modes") or ["aligned"])]
            told += [" and ".join(plan.get("degradations") or [])]
        least = int(self.config.get("min_images") or 1)
        told += [f"people with {least} images or more" if least > 1 else ""]
        return ", ".join(filter(None, told))

    @property
    def stopping(self) -> bool:
        """Asked to stop, and still at work."""
        return self.state.live and self.run.stop_path.exists()


def look(run: Run) -> Seen:
    """The run as it is now. Raises RunNotFound, StorageFailed."""
    return Seen(run, run.state(), run.config)


def accuracy_runs() -> list[Run]:
    """Every evaluation, newest first."""
    return list_runs(runs_root(settings()), KIND)


def seen_runs(runs: list[Run]) -> list[Seen]:
    """Those of `runs` that are still there and can be read."""
    found: list[Seen] = []
    for run in runs:
        with suppress(CoreError):  # removed or damaged: the others are shown
            found.append(look(run))
    return found


def run_of(run_id: str) -> Run:
    """The evaluation that an address names in full. Raises RunNotFound."""
    for run in accuracy_runs():
        if run.id == run_id:
            return run
    raise RunNotFound("That run isn't here.", "It may have been removed. The list below shows those that are.")


def evaluation_of(run: Run) -> Evaluation:
    """What a run left. Don't change what is given. Raises ReportUnreadable, StorageFailed."""
    return _evaluation(str(run.path), changed_ns(run.path / "report.json"), run)


@st.cache_resource(max_entries=8, show_spinner="Reading the figures")
def _evaluation(path: str, changed: int, _run: Run) -> Evaluation:
    return read_run(_run)
