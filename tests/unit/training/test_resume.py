"""A run that was stopped or killed goes on to the same end, to the bit."""

from __future__ import annotations

import pytest
from tiny_training import NOTES, tiny_config

from core.training.checkpoint import load_state
from tests.unit.training.told import after_last, differences, kept, of_kind, without_times

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.mark.parametrize(
    ("kind", "preset", "changes"),
    [
        ("finetune", "notes", {**NOTES, "stage2.files": 0.5, "stage2.camera": 0.5, "stage2.sizes_px": "16,20"}),
        ("finetune", "recommended", {"epochs": 1, "together.ema": 0.9, "through": "upscaler"}),
        ("starter", "starter", {"epochs": 1}),
    ],
)
def test_a_stopped_run_resumed_is_the_run_that_would_have_been(
    kind, preset, changes, closed, weights, run_training, tmp_path
):
    config = tiny_config(kind, preset, closed, weights, changes)
    whole, _, straight = run_training(config, tmp_path / "straight")
    halting = tmp_path / "halting"
    for stop_at in (2, 3, 1):  # within an epoch, across epochs, at once
        report, events, _ = run_training(config, halting, stop_at=stop_at)
        assert report is None and events[-1][0] == "stopped"
    resumed, events, _ = run_training(config, halting)
    assert of_kind(events, "log")[0]["text"].startswith("Resuming")
    a, b = load_state(straight / "last"), load_state(halting / "last")
    assert differences(without_times(a), without_times(b)) == []
    assert kept(straight / "best") == kept(halting / "best")
    drop = ("seconds", "text")
    assert {k: v for k, v in whole.items() if k not in drop} == {k: v for k, v in resumed.items() if k not in drop}


@pytest.mark.parametrize(
    ("kind", "preset", "changes", "step"),
    [
        ("finetune", "recommended", {"stage1_epochs": 1, "stage2_epochs": 1, "ema": 0.9}, 1),
        ("finetune", "recommended", {"stage1_epochs": 1, "stage2_epochs": 1, "ema": 0.9}, 2),
        ("dsr", None, {"epochs": 3, "sizes_px": "16,32"}, 1),
    ],
)
def test_a_killed_run_resumed_is_the_run_that_would_have_been(
    kind, preset, changes, step, closed, weights, run_training, tmp_path
):
    """Killed once an epoch is kept: also between two stages, whose running means the next one begins from, and at the
    end."""
    config = tiny_config(kind, preset, closed, weights, changes)
    whole, _, straight = run_training(config, tmp_path / "straight")
    halting = tmp_path / "halting"
    report, events, _ = run_training(config, halting, killed=after_last(step))
    assert report is None and events[-1][0] == "killed"
    resumed, _, _ = run_training(config, halting)
    a, b = load_state(straight / "last"), load_state(halting / "last")
    assert differences(without_times(a), without_times(b)) == []
    assert kept(straight / "best") == kept(halting / "best")
    drop = ("seconds", "text")
    assert {k: v for k, v in whole.items() if k not in drop} == {k: v for k, v in resumed.items() if k not in drop}


def test_patience_that_has_run_out_stays_so_after_a_kill(closed, weights, run_training, tmp_path):
    changes = {"stage1_epochs": 1, "stage2_epochs": 6, "stage2.patience": 2, "backbone_lr": 0, "head_lr_stage2": 0}
    config = tiny_config("finetune", "notes", closed, weights, changes)
    run_training(config, killed=after_last(3))
    report, events, _ = run_training(config)
    assert of_kind(events, "epoch") == [] and report["last"]["step"] == 3
