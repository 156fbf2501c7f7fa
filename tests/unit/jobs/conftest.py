"""Tiny jobs in real processes, none of which outlives its test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tiny_runs import Jobs, until

from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings


@pytest.fixture()
def jobs() -> Iterator[Jobs]:
    settings = load_settings()
    jobs = Jobs(settings)
    yield jobs
    for run in list_runs(runs_root(settings)):
        until(lambda run=run: run.state().pid != os.getpid() or not run.state().live)
        jobs.kill(run)
