"""Real processes that work on tiny jobs, and the ways to wait for them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.jobs.launch import launch, resume
from core.jobs.processes import is_alive
from core.jobs.run_dir import Run
from core.settings import Settings

HERE = Path(__file__).parent
CODE = f"import sys; sys.path.append({str(HERE)!r}); import tiny_jobs; from core.jobs.worker import main; "
WORKER = (sys.executable, "-c", CODE + "sys.exit(main(kinds=tiny_jobs.KINDS))")
LONGEST_S = 120.0


def until(what: Callable[[], Any], longest_s: float = LONGEST_S) -> Any:
    """Wait for `what` to be true; the limit is for a test that would otherwise hang, and nothing is measured."""
    end = time.monotonic() + longest_s
    while not (answer := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return answer


class Jobs:
    """Launch and resume tiny jobs in a data folder of the test's own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def launch(self, kind: str, slug: str = "test", **config: Any) -> Run:
        return launch(self.settings, kind, config, slug=slug, worker=WORKER)

    def resume(self, run: Run) -> None:
        resume(run, self.settings, worker=WORKER)

    def ended(self, run: Run) -> str:
        """Wait until no process works on the run; its status then."""
        until(lambda: not run.state().live)
        return run.state().status

    def kill(self, run: Run) -> None:
        """Kill -9 the run's own process, if it still lives."""
        state = run.state()
        if state.live and state.pid not in (None, os.getpid()):
            os.kill(state.pid, 9)
            until(lambda: not is_alive(state.pid, state.process_start))
