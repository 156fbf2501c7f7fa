"""Validation counts people alike; a run that began over all pairs goes on by them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_training import tiny_config

from core.models.files import read_metadata
from core.models.header import read_card
from core.training.checkpoint import load_state, replace_state
from core.training.progress_state import RunProgress
from core.training.run_events import ALL_PAIRS, PEOPLE_ALIKE, Plan
from core.training.validation_figures import eer


def test_a_person_with_many_images_does_not_decide():
    """Two images each of 20 people, all alike, and 30 of one, none like another."""
    rng = np.random.default_rng(0)
    people = np.r_[np.repeat(np.arange(20), 2), np.full(30, 20)]
    rows = rng.normal(size=(21, 512))[people] + 0.3 * rng.normal(size=(len(people), 512))
    rows[people == 20] = rng.normal(size=(30, 512))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    for gallery in (None, rows):
        alike, plain = eer(rows, gallery, people), eer(rows, gallery, people, alike=False)
        assert alike is not None and plain is not None
        assert alike < 1 / 21 < 0.2 < plain, "1 of 21 people, and 435 of 455 genuine pairs"
    assert eer(rows[:1], None, people[:1]) is None and eer(rows[40:], None, people[40:]) is None, "one person"


def test_progress_of_before_goes_on_over_all_pairs():
    assert RunProgress.from_dict({"step": 3}).pairs == ALL_PAIRS
    assert RunProgress.from_dict(RunProgress().to_dict()).pairs == RunProgress().pairs == PEOPLE_ALIKE
    assert Plan(pairs=PEOPLE_ALIKE).alike and not Plan().alike


@pytest.mark.usefixtures("tiny")
def test_one_run_has_one_measure(closed, weights, run_training, tmp_path):
    config = tiny_config("finetune", "recommended", closed, weights, {"epochs": 2, "average": "0.5"})
    folder = tmp_path / "run"
    saved = lambda kind, data: kind == "checkpoint" and data["which"] == "last"  # noqa: E731
    _, events, _ = run_training(config, folder, killed=saved)
    [plan] = [data for kind, data in events if kind == "plan"]
    assert plan["pairs"] == PEOPLE_ALIKE

    state = load_state(folder / "last")
    del state["standing"]["pairs"]  # as an earlier version left it
    replace_state(folder / "last", state)
    report, events, _ = run_training(config, folder)
    [plan] = [data for kind, data in events if kind == "plan"]
    assert plan["pairs"] == report["pairs"] == ALL_PAIRS
    assert any("over all pairs, as where this run began" in data["text"] for kind, data in events if kind == "log")
    assert load_state(folder / "last")["standing"]["pairs"] == ALL_PAIRS
    measured = read_card(read_metadata(folder / "best" / "encoder.safetensors")).measured
    assert ", val, 8 images, all pairs, aligned" in measured.protocol
