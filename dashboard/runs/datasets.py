"""Runs that make or check data sets: started from any page, one at a time for each data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.dataset.errors import BuildRefused
from core.dataset.run_config import DatasetRunConfig
from core.errors import CoreError
from core.jobs.launch import launch
from core.jobs.run_dir import Run, list_runs, runs_root
from core.jobs.state import State
from dashboard.shell.resources import settings

KINDS = ("ingest", "build", "demo", "fetch", "check")


@dataclass(frozen=True)
class DatasetRun:
    """A run with the folder that it writes, or checks."""

    run: Run
    state: State
    target: Path


def known_runs() -> list[DatasetRun]:
    """Runs that make or check data sets, newest first, without damaged ones and those being removed."""
    found: list[DatasetRun] = []
    for run in list_runs(runs_root(settings())):
        if run.kind in KINDS:
            with suppress(CoreError):
                found.append(DatasetRun(run, run.state(), target_of(run.config)))
    return found


def target_of(config: Mapping[str, Any]) -> Path:
    """The folder that a run of this configuration writes, or checks."""
    return Path(str(config.get("out") or config.get("root") or ""))


def start_dataset_run(config: DatasetRunConfig) -> Run:
    """Launch a run, unless one works on the same data set already. Raises BuildRefused then, JobError,
    StorageFailed."""
    here, kind, place = settings(), config.kind, config.place
    for known in known_runs():
        if known.state.live and known.target == place and (known.run.kind == "check") == (kind == "check"):
            raise BuildRefused(f"A run for {place.name} is active already.", "Wait for it, or stop it first.")
    run = launch(here, kind, config.values(), slug=place.name)
    st.session_state["dataset_started"] = True
    return run


def check_running(root: Path) -> bool:
    """Whether a check of the data set at `root` is queued or running."""
    return any(known.run.kind == "check" and known.target == root and known.state.live for known in known_runs())
