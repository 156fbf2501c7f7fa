from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from core.settings import load_settings


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    from tiny_training import tiny_weights

    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def closed(tmp_path_factory):
    """A closed-set data set of 4 people, 4 train and 2 val images each."""
    from tiny_training import tiny_dataset

    return tiny_dataset(tmp_path_factory.mktemp("sets") / "closed").root


@pytest.fixture
def tiny(monkeypatch):
    """The tiny variant is known and its random weights are taken, for one test: others judge weights for themselves.
    A run's speed is estimated from one step: with more it would take as long as the run itself."""
    import tiny_training

    import core.encoder.encode
    import core.training.timing

    monkeypatch.setitem(tiny_training.VARIANTS, tiny_training.NAME, tiny_training.TINY)
    monkeypatch.setattr(core.encoder.encode, "require_healthy", tiny_training.never_ill)
    monkeypatch.setattr(core.training.timing, "_STEPS", 1)


@pytest.fixture
def run_training(own_data_dir, tmp_path):
    """Train in this process; gives (report, events, folder). `stop_at` stops after so many looks; `killed` is asked at
    every event, by its kind and data, whether the process dies there."""
    from core.jobs.errors import JobStopped
    from core.training.engine import train

    class Killed(BaseException):
        """Nothing that training could catch."""

    def go(config, folder=None, *, stop_at=None, killed=lambda kind, data: False):
        folder = folder or tmp_path / "checkpoints"
        events, looks = [], [0]

        def should_stop():
            looks[0] += 1
            return stop_at is not None and looks[0] > stop_at

        def on_event(kind, /, **data):
            events.append((kind, data))
            if killed(kind, data):
                raise Killed

        report = None
        try:
            report = train(config, load_settings(), folder, on_event=on_event, should_stop=should_stop)
        except JobStopped:
            events.append(("stopped", {}))
        except Killed:
            events.append(("killed", {}))
        return report, events, folder

    return go
