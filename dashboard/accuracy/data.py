"""The evaluations that the Accuracy page lists, and their tables, cached by file."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.evaluation.result import Evaluation, read_run
from core.jobs.run_dir import Run, list_runs, runs_root
from dashboard.accuracy.labels import MODES, data_name, goal_text, sizes_text, system_name
from dashboard.runs.list import RunEntry
from dashboard.shell.resources import settings
from dashboard.ui.pictures import changed_ns

KIND = "evaluate"


@dataclass(frozen=True)
class EvaluationEntry(RunEntry):
    """An evaluation or a calibration as the page lists it."""

    @property
    def task(self) -> str:
        return str(self.config.get("task") or "")

    @property
    def title(self) -> str:
        split = f", {self.config['split']}" if self.config.get("split") else ""
        if self.task == "calibrate":
            return f"Thresholds for {goal_text(self.config.get('goal') or {})}, from {data_name(self.config)}{split}"
        return f"Accuracy on {data_name(self.config)}{split}"

    @property
    def systems(self) -> list[str]:
        return [system_name(spec) for spec in self.config.get("systems") or []]

    @property
    def label(self) -> str:
        return f"{self.title}, {self.run.created.astimezone():%-d %b %H:%M:%S}: {', '.join(self.systems)}"

    @property
    def settings_line(self) -> str:
        plan = self.config.get("plan") or {}
        parts = [" and ".join(self.systems)]
        if self.task != "benchmark":
            parts.append(sizes_text(plan.get("sizes") or []))
            parts.append(" and ".join(MODES.get(mode, mode).lower() for mode in plan.get("modes") or ["aligned"]))
            parts.append(" and ".join(plan.get("degradations") or []))
        least = int(self.config.get("min_images") or 1)
        parts.append(f"people with at least {least} images" if least > 1 else "")
        return "; ".join(filter(None, parts))


def read_entry(run: Run) -> EvaluationEntry:
    """The evaluation as it is now. Raises RunNotFound, StorageFailed."""
    return EvaluationEntry(run, run.state(), run.config)


def accuracy_runs() -> list[Run]:
    """Every evaluation, newest first."""
    return list_runs(runs_root(settings()), KIND)


def evaluation_of(run: Run) -> Evaluation:
    """The tables and the protocol of a finished run, shared between visitors: don't change them.

    Raises ReportUnreadable, StorageFailed.
    """
    return _evaluation(str(run.path), changed_ns(run.path / "report.json"), run)


@st.cache_resource(max_entries=8, show_spinner="Reading the figures")
def _evaluation(path: str, changed: int, _run: Run) -> Evaluation:
    return read_run(_run)
