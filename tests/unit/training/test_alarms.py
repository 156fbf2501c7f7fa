"""Alarms by planted faults: a collapse, the same files as VLR and HR, a loss that explodes, and what goes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_training import NAME, tiny_config, tiny_dataset

from core.dataset.manifest import write_dataset
from core.models.header import ENCODER_FORMAT
from core.training import alarms
from core.training.batch_split import accumulation, halve_batch
from core.training.errors import LossNotFinite, OutOfMemory, UnfitData
from core.training.validation_figures import eer, rank1

pytestmark = pytest.mark.usefixtures("tiny")


def given(events):
    return {data["code"]: data for kind, data in events if kind == "alarm"}


def test_the_same_files_as_vlr_and_hr_are_cause_b(weights, run_training, tmp_path):
    data = tiny_dataset(tmp_path / "same", sizes=(32,), vlr_is_hr=True).root
    changes = {"stage1_epochs": 1, "stage2_epochs": 0}
    _, events, _ = run_training(tiny_config("finetune", "notes", data, weights, changes))
    found = given(events)
    assert found["too_similar"]["severity"] == "error" and found["too_similar"]["cause"].startswith("B: ")
    assert found["vlr_not_small"]["what"].startswith("VLR images of 112 px")
    assert all(text for alarm in found.values() for text in (alarm["what"], alarm["cause"], alarm["next_step"]))


def test_a_run_that_sees_drawn_faces_alone_says_so(weights, run_training, tmp_path):
    data = tiny_dataset(tmp_path / "set", people=2, sizes=(32,))
    config = tiny_config("finetune", "notes", data.root, weights, {"stage1_epochs": 1, "stage2_epochs": 0})
    _, events, _ = run_training(config)
    assert "drawn_faces" not in given(events)
    write_dataset(data.root, data.frame, replace(data.info, synthetic=True))
    _, events, _ = run_training(config, tmp_path / "again")
    assert given(events)["drawn_faces"]["severity"] == "warning"


def test_people_of_val_who_took_part_in_the_starting_weights_are_told(weights, run_training, own_data_dir, tmp_path):
    """Those who validate alone: in a closed set everybody is trained on anyway."""
    earlier = tiny_dataset(own_data_dir / "datasets" / "earlier", people=2, sizes=(32,))  # p00 and p01
    start = tmp_path / "tuned.safetensors"
    save_file(load_file(weights), start, {"variant": NAME, "format": ENCODER_FORMAT, "data_sha256": earlier.key})
    data = tiny_dataset(tmp_path / "now", people=2, sizes=(32,), disjoint=True).root  # p02 and p03 validate
    changes = {"stage1_epochs": 1, "stage2_epochs": 0}
    _, events, _ = run_training(tiny_config("finetune", "notes", data, start, changes))
    assert "val_took_part" not in given(events)
    other = tiny_dataset(own_data_dir / "datasets" / "other", people=3, sizes=(32,))  # p00 to p02
    save_file(load_file(weights), start, {"variant": NAME, "format": ENCODER_FORMAT, "data_sha256": other.key})
    _, events, _ = run_training(tiny_config("finetune", "notes", data, start, changes), tmp_path / "again")
    assert given(events)["val_took_part"]["what"].startswith("1 of 2 people of val were used")


def test_a_collapse_is_told_is_never_best_and_is_cause_c(closed, weights, run_training, monkeypatch):
    """Planted: from the second stage on the classifier's weights are gone and its bias answers for everybody."""
    from core.training import engine

    make_stage = engine.make_stage

    def planted(stage, context):
        if stage.name == "stage2":
            context.networks.encoder.head.fc.weight.data.mul_(1e-6)
            context.networks.encoder.head.fc.bias.data.normal_()
        return make_stage(stage, context)

    monkeypatch.setattr(engine, "make_stage", planted)
    monkeypatch.setattr(alarms, "WORSE_BY", 0.001)  # random weights are near the limit from the start
    report, events, _ = run_training(
        tiny_config("finetune", "notes", closed, weights, {"stage1_epochs": 1, "stage2_epochs": 1})
    )
    found = given(events)
    assert found["collapsed"]["severity"] == "error" and "mean absolute cosine 1.00" in found["collapsed"]["what"]
    assert found["too_similar"]["cause"].startswith("C: ")
    assert report["best"]["stage"] == "stage1" and report["last"]["similarity"] > report["best"]["similarity"]


def test_a_really_good_upscaler_is_cause_a():
    assert alarms.too_similar(0.9993, False, 27.0).cause.startswith("A: ")
    assert alarms.too_similar(0.9993, False, 27.0).severity == "notice"


def test_collapse_is_judged_from_where_training_began():
    assert not alarms.is_collapsed(0.25, 0.02) and alarms.is_collapsed(0.31, 0.02)
    assert not alarms.is_collapsed(0.50, 0.45) and alarms.is_collapsed(0.95, 0.45)
    assert not alarms.is_collapsed(None, None)
    assert not alarms.is_collapsed(0.4, 0.02, people=5) and alarms.is_collapsed(0.7, 0.02, people=5)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(closed, weights, run_training, tmp_path):
    changes = {"stage1_epochs": 1, "stage2_epochs": 3, "backbone_lr": 9999, "head_lr_stage2": 9999}
    events = []
    config = tiny_config("finetune", "notes", closed, weights, changes)
    from core.settings import load_settings
    from core.training.engine import train

    with pytest.raises(LossNotFinite):
        train(config, load_settings(), tmp_path / "c", on_event=lambda kind, /, **data: events.append((kind, data)))
    assert given(events)["loss_not_finite"]["next_step"].startswith("Training stopped")
    from core.training.checkpoint import load_state

    kept = load_state(tmp_path / "c/last")["networks"]["encoder"]
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())


def test_out_of_memory_names_a_batch_and_half_the_batch_goes_on(closed, weights, run_training, tmp_path, monkeypatch):
    from core.settings import load_settings
    from core.training import stage
    from core.training.engine import train

    config = tiny_config("finetune", "recommended", closed, weights, {"stage1_epochs": 1, "stage2_epochs": 0})
    real, events = stage._step, []

    def full(run, batches, accumulate, runner):
        if accumulate == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(run, batches, accumulate, runner)

    monkeypatch.setattr(stage, "_step", full)
    folder = tmp_path / "c"
    with pytest.raises(OutOfMemory, match="batch of 4 "):
        train(config, load_settings(), folder, on_event=lambda kind, /, **data: events.append((kind, data)))
    assert "Try a batch of 2" in given(events)["out_of_memory"]["next_step"]
    folder.mkdir(exist_ok=True)
    assert halve_batch(folder, batch_size=4, processes=1, configured=1) == 2 and accumulation(folder, 1) == 2
    in_halves, _, _ = run_training(config, folder)
    monkeypatch.setattr(stage, "_step", real)
    at_once, _, _ = run_training(config, tmp_path / "d")
    assert in_halves["last"]["similarity"] == pytest.approx(at_once["last"]["similarity"], abs=2e-3)


def test_nobody_shared_is_a_notice_and_accuracy_is_not_zero(weights, run_training, tmp_path):
    data = tiny_dataset(tmp_path / "others", disjoint=True, people=3).root
    changes = {"stage1_epochs": 1, "stage2_epochs": 0}
    _, events, _ = run_training(tiny_config("finetune", "notes", data, weights, changes))
    assert given(events)["no_shared_identities"]["severity"] == "notice"
    epoch = next(data for kind, data in events if kind == "epoch")
    assert epoch["val"]["accuracy"] is None and epoch["val"]["loss"] is None and epoch["val"]["similarity"] is not None


def test_training_far_ahead_of_validation():
    classifier, distillation = (alarms.Signals(0.1, 0.1, 25.0, classifies) for classifies in (True, False))
    found = alarms.epoch_alarms({"accuracy": 0.9}, {"accuracy": 0.5}, classifier)
    assert [alarm.code for alarm in found] == ["overfitting"]
    assert not alarms.epoch_alarms({"accuracy": 0.6}, {"accuracy": 0.5}, classifier)
    found = alarms.epoch_alarms({"teacher": 0.1}, {"loss": 0.3}, distillation)
    assert [alarm.code for alarm in found] == ["overfitting"]


def test_what_cannot_be_trained_on_is_refused_with_a_next_step(weights, run_training, tmp_path):
    alone = tiny_dataset(tmp_path / "alone", people=1).root
    with pytest.raises(UnfitData, match="fewer than two people") as refused:
        run_training(tiny_config("finetune", "notes", alone, weights))
    assert refused.value.next_step


def test_verification_and_rank_one_by_hand():
    people = np.array([0, 0, 1, 1])
    probe = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=np.float32)
    gallery = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]], dtype=np.float32)
    # its own photograph left out, the first finds the second's, the third the fourth's; the others see nothing alike
    assert rank1(probe, gallery, people) in (0.5, 0.75)
    assert eer(probe, probe[::-1].copy(), np.array([0, 1, 2, 3])) is None, "no genuine pair"
    perfect = np.repeat(np.eye(2, 3, dtype=np.float32), 2, axis=0)
    assert eer(perfect, perfect, people) == 0 and rank1(perfect, perfect, people) == 1
