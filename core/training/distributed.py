"""Distributed training: the run's own process is the first; the others are started here and end with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import CoreError
from core.jobs.processes import die_with_parent
from core.jobs.run_dir import Run
from core.settings import PROJECT_ROOT, Settings, load_settings
from core.training.accelerator import ProcessGroup, free_port
from core.training.config import TrainingConfig, config_from_dict
from core.training.engine import train
from core.training.errors import TrainingError

OTHER = (sys.executable, "-m", "core.training.distributed")


def train_in_processes(
    config: TrainingConfig,
    settings: Settings,
    run: Run,
    *,
    on_event: Callable[..., None],
    should_stop: Callable[[], bool],
    command: Sequence[str] = OTHER,
) -> dict[str, Any]:
    """Run `train` in this process and in `config.processes` - 1 others, each started by `command`."""
    if config.processes == 1:
        return train(config, settings, run.checkpoints, on_event=on_event, should_stop=should_stop)
    port = free_port()
    with _others(run, config.processes, port, command) as others:
        group = ProcessGroup(0, config.processes, port)
        try:
            return train(config, settings, run.checkpoints, on_event=on_event, should_stop=should_stop, group=group)
        except RuntimeError as error:
            ended = [process.returncode for process in others if process.poll() not in (None, 0)]
            if not ended:
                raise
            raise TrainingError(
                f"{len(ended)} of {config.processes} processes ended before the training did.",
                "Their output is in the run's output.log. Resume the run, or use fewer processes.",
            ) from error


@contextmanager
def _others(run: Run, count: int, port: int, command: Sequence[str]) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    words = [*command, str(run.path), str(count), str(port)]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(1, count):
            process = subprocess.Popen([*words, str(rank)], stdin=subprocess.DEVNULL, cwd=PROJECT_ROOT)
            started.append(process)  # one by one: started processes are ended even if the next can't be started
        yield started
    finally:
        for process in started:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main(arguments: Sequence[str]) -> int:
    """Entry point of the other processes: RUN_FOLDER COUNT PORT RANK. They report and write nothing."""
    die_with_parent()
    run = Run(Path(arguments[0]))
    count, port, rank = (int(text) for text in arguments[1:])
    os.environ["PYTHONUNBUFFERED"] = "1"
    try:
        train(config_from_dict(run.config), load_settings(), run.checkpoints, group=ProcessGroup(rank, count, port))
    except CoreError:  # the first process reports it
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
