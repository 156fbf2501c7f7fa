"""Recipes are data: the notes' numbers, changes by name, refusals that name the setting, rates; all without torch."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from core.errors import SettingsInvalid
from core.training.config import config_from_dict, config_to_dict, make_config
from core.training.estimate import Amounts, Speeds, estimate_s
from core.training.log_format import banner, duration, epoch_line
from core.training.overrides import change, parse_changes, settings_of
from core.training.presets import NOTES, PRESETS, find_preset
from core.training.progress_state import criterion_value, is_better
from core.training.schedule import factor

ALL = [recipe for recipes in PRESETS.values() for recipe in recipes.values()]


def test_the_notes_numbers():
    one, two = NOTES.stages
    assert (one.epochs, one.trains, one.rates.head) == (5, ("head",), 1e-3)
    assert (two.epochs, two.rates.encoder, two.rates.head, two.patience) == (20, 5e-6, 5e-5, 8)
    assert (two.schedule, two.weight_decay, two.losses.classification, two.losses.alignment) == ("cosine", 5e-5, 1, 0.3)
    assert (NOTES.batch_size, NOTES.head.scale, NOTES.head.margin, NOTES.head.label_smoothing) == (32, 64, 0.5, 0.1)


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_every_preset_is_sound_and_survives_config_json(recipe):
    kind = next(kind for kind, recipes in PRESETS.items() if recipe.name in recipes)
    config = make_config(kind, recipe.name, dataset="/x", val_sizes_px=(16,))
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config
    assert change(recipe, settings_of(recipe)) == recipe
    assert (
        change(
            recipe,
            {k: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in settings_of(recipe).items()},
        )
        == recipe
    )


def test_changes_by_full_name_by_the_notes_name_and_everywhere():
    changed = change(NOTES, {"stage2.patience": "4", "backbone_lr": "1e-5", "contrastive_weight": 0.5, "files": 0.5})
    one, two = changed.stages
    assert (two.patience, two.rates.encoder, two.losses.alignment) == (4, 1e-5, 0.5)
    assert (one.patience, one.files, two.files) == (0, 0.5, 0.5)
    assert change(NOTES, {"arcface_margin": 0.4}).head.margin == 0.4
    assert change(find_preset("dsr"), {"sizes_px": "16, 32"}).stages[0].sizes_px == (16, 32)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stage2.pationce": 4}, "stage2.pationce"),
        ({"stage2.patience": "many"}, "stage2.patience"),
        ({"stage2.patience": 1.5}, "stage2.patience"),
        ({"schedule": "linear"}, "schedule"),
        ({"head.margin": 28}, "head.margin"),
        ({"stage2.rates.encoder": -1}, "stage2.rates.encoder"),
        ({"stage2.sizes_px": "4"}, "stage2.sizes_px"),
        ({"stage2.trains": "brain"}, "stage2"),
        ({"stage2.cached_views": 4}, "stage2"),
        ({"stage1.losses.classification": 0}, "stage1"),
        ({"stage2.augment.mix": 0.5}, "stage2"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes, named):
    with pytest.raises(SettingsInvalid, match=named):
        change(NOTES, changes)


def test_a_run_needs_data_and_a_batch_that_can_be_divided():
    with pytest.raises(SettingsInvalid, match="No data set"):
        make_config("finetune")
    with pytest.raises(SettingsInvalid, match="32 can't be divided among 3"):
        make_config("finetune", "notes", dataset="/x", processes=3)
    with pytest.raises(SettingsInvalid, match="NAME=VALUE"):
        parse_changes(["patience"])


def test_rates_over_a_stage():
    assert [factor("constant", step, 10) for step in (0, 9)] == [1, 1]
    assert factor("cosine", 5, 10) == pytest.approx(0.5)
    assert factor("cosine", 2, 8, floor=0.2) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)
    rising = [factor("one-cycle", step, 100, warmup=0.2) for step in range(21)]
    assert rising[0] == pytest.approx(1 / 25) and rising[20] == 1 and rising == sorted(rising)
    assert rising[10] == pytest.approx((1 / 25 + 1) / 2)
    assert factor("one-cycle", 60, 100, warmup=0.2) == pytest.approx(1e-4 + (1 - 1e-4) / 2)
    assert factor("cosine", 1, 10, warmup=0.4) == pytest.approx(1 / 25 + 24 / 25 / 4)


def test_the_line_that_people_know():
    train = {"loss": 6.23411, "accuracy": 0.1234, "classification": 6.0, "alignment": 0.25}
    val = {"loss": 5.8932, "accuracy": None, "similarity": 0.7234, "eer": 0.0412}
    line = epoch_line(1, 5, train, val, {"head": 1e-3}, images_per_s=1234.5, left_s=65)
    assert line == (
        "Epoch 01/5 | Train Loss: 6.2341 Acc: 0.1234 | Val Loss: 5.8932 Acc: n/a Sim: 0.7234 EER: 0.0412 | "
        "LR: 1.00e-03 | Cls: 6.0000 Align: 0.2500 | 1,234 images/s | 1 min 5 s left"
    )
    assert banner(1, "Training ArcFace head (backbone frozen)")[1:] == [
        "STAGE 1: Training ArcFace head (backbone frozen)",
        "=" * 68,
    ]
    assert [duration(s) for s in (8, 3725)] == ["8 s", "1 h 2 min"]


def test_better_by_the_criterion_and_at_equal_eer_by_similarity():
    a = {"eer": 0.02, "eer_vlr_vlr": 0.04, "similarity": 0.8}
    assert criterion_value("eer", a) == ("eer", pytest.approx(0.03))
    assert is_better("eer", {**a, "eer": 0.01}, a) and not is_better("eer", {**a, "eer": 0.03}, a)
    assert is_better("eer", {**a, "similarity": 0.9}, a) and not is_better("eer", a, a)
    assert is_better("similarity", {**a, "similarity": 0.9, "eer": 0.5}, a)
    assert criterion_value("eer", {"eer": None, "eer_vlr_vlr": None, "similarity": 0.7}) == ("similarity", 0.7)
    assert is_better("eer", {}, None) and not is_better("eer", {}, a)


def test_a_best_epoch_without_the_cameras_rates_is_compared_by_those_that_both_have():
    before = {"eer": 0.02, "eer_vlr_vlr": 0.04, "similarity": 0.8}
    camera = {"eer_camera": 0.1, "eer_camera_vlr_vlr": 0.2}
    assert is_better("eer", {**before, "eer": 0.01, **camera}, before)
    assert not is_better("eer", {**before, "eer": 0.03, **camera}, before)
    assert not is_better("eer", {**before, "eer": 0.01, "eer_camera": 0.3}, {**before, **camera})


def test_time_follows_images_epochs_and_speeds():
    speeds = Speeds(embed=0.01, stages={"stage2": 0.1})
    amounts = Amounts(train=100, val=10, sizes=3)
    start, views = 10 * 4 * 0.01, 4 * 100 * 0.01
    heads, tuned = 5 * 100 * 2e-5, 20 * (100 * 0.1 + 10 * 4 * 0.01)
    assert estimate_s(NOTES, amounts, speeds) == pytest.approx(start + views + heads + tuned)


def test_recipes_settings_and_commands_load_no_torch():
    modules = (
        "recipe presets overrides config schedule log_format estimate alarms progress_state batch_split reporter errors"
    )
    names = ", ".join(f"core.training.{name}" for name in modules.split())
    code = f"import sys, {names}, core.commands.train.app, core.jobs.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
