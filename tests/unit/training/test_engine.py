"""The engine end to end on tiny networks: every kind of run, its files and its events."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_training import NAME, NOTES, tiny_config, tiny_dataset

from core.encoder.encode import load_encoder
from core.encoder.weights import file_sha256
from core.errors import SettingsInvalid
from core.jobs.run_dir import Run
from core.models.active import active_models
from core.models.encoders import describe
from core.models.files import file_facts
from core.models.header import ENCODER_FORMAT, read_card
from core.settings import load_settings
from core.training.activate import use_run_weights
from core.training.checkpoint import load_state
from core.training.errors import UnfitData
from core.training.networks import load_networks
from tests.made_weights import save_dsr
from tests.unit.training.told import after_last, differences, of_kind

pytestmark = pytest.mark.usefixtures("tiny")


def test_notes_two_stages_leave_weights_log_and_report(closed, weights, run_training):
    report, events, folder = run_training(tiny_config("finetune", "notes", closed, weights, NOTES))
    (plan,) = of_kind(events, "plan")
    assert [s["trains"] for s in plan["stages"]] == [["head"], ["head", "encoder"]]
    assert (plan["train_images"], plan["val_images"], plan["identities"], plan["shared_identities"]) == (16, 8, 4, 4)
    assert plan["chance"] == 0.25 and plan["estimate_s"] > 0
    epochs = of_kind(events, "epoch")
    assert [(e["stage"], e["epoch"], e["step"]) for e in epochs] == [
        ("stage1", 1, 1),
        ("stage1", 2, 2),
        ("stage2", 1, 3),
        ("stage2", 2, 4),
    ]
    assert set(epochs[0]["val"]["by_size"]) == {"16", "32"}
    assert all(0 <= e["val"]["accuracy"] <= 1 and e["val"]["eer"] is not None for e in epochs)
    assert epochs[0]["lr"] == {"head": 1e-3} and epochs[2]["lr"] == {"head": 5e-5, "encoder": 1e-3}
    assert epochs[0]["train"]["alignment"] is None and epochs[2]["train"]["alignment"] > 0
    assert epochs[2]["line"].startswith("Epoch 01/2 | Train Loss: ")
    texts = [data["text"] for data in of_kind(events, "log")]
    assert "STAGE 1: Training ArcFace head (backbone frozen)" in texts
    assert any(text.startswith("  ✓ New best validation similarity: ") for text in texts)
    assert report["criterion"]["name"] == "similarity" and report["weights"] == {
        "encoder": "checkpoints/best/encoder.safetensors"
    }
    with safe_open(folder / "best/encoder.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "edgeface-studio-encoder-1" and metadata["variant"] == NAME
    assert metadata["trained_with_upscaler"] == "bicubic" and len(metadata["parent_sha256"]) == 64
    assert json.loads(metadata["config"])["name"] == "notes"
    assert load_encoder(folder / "best/encoder.safetensors", device="cpu").name == NAME


def test_stage_one_leaves_the_encoder_as_it_was_to_the_bit(closed, weights, run_training):
    """Also without cached views, where images go through it in every step."""
    for views in (0, 2):
        changes = {"stage1_epochs": 1, "stage2_epochs": 0, "stage1.cached_views": views}
        config = tiny_config("finetune", "notes", closed, weights, changes)
        _, _, folder = run_training(config, None)
        before, after = load_file(weights), load_state(folder / "last")["networks"]["encoder"]
        assert differences(before, after) == []
        assert differences(before, load_file(folder / "last/encoder.safetensors")) == []
        for path in (folder / "last").iterdir():
            path.unlink()
        (folder / "last").rmdir()


def test_a_batch_in_pieces_trains_as_the_whole_one_also_where_they_are_not_alike(weights, run_training, tmp_path):
    """Fifteen images in four pieces: none is left out, and each weighs as much as in one piece."""
    data = tiny_dataset(tmp_path / "set", people=3, train=5).root
    changes = {**NOTES, "batch_size": 16, "head.kind": "adaface", "stage1.cached_views": 0}
    folders = [tmp_path / "whole", tmp_path / "pieces"]
    for folder, pieces in zip(folders, (1, 4), strict=True):
        _, events, _ = run_training(tiny_config("finetune", "notes", data, weights, changes, accumulate=pieces), folder)
        assert len(of_kind(events, "epoch")) == 4
    whole, pieces = (load_state(folder / "last") for folder in folders)
    assert whole["standing"]["last"]["train"] == pytest.approx(pieces["standing"]["last"]["train"], abs=1e-4)
    for part in ("encoder", "head"):
        for name, tensor in whole["networks"][part].items():
            torch.testing.assert_close(pieces["networks"][part][name], tensor, atol=2e-5, rtol=1e-5)
    config = tiny_config("finetune", "notes", data, weights, {**changes, "batch_size": 64}, accumulate=16)
    with pytest.raises(UnfitData, match="15 train images can't be split into 16 parts"):
        run_training(config, tmp_path / "too many")


def test_events_name_every_epoch_that_a_checkpoint_has_taken_in(closed, weights, run_training):
    _, events, _ = run_training(tiny_config("finetune", "notes", closed, weights, NOTES), killed=after_last(2))
    assert [e["step"] for e in of_kind(events, "epoch")] == [1, 2]


def test_the_best_epoch_is_the_same_in_events_report_and_file(closed, weights, run_training):
    """Also where later epochs were worse, and where the file is written again at the end, for its sizes."""
    config = tiny_config("dsr", None, closed, weights, {"epochs": 4, "dsr.rates.upscaler": 0.3, "sizes_px": "16,32"})
    report, events, folder = run_training(config)
    best = [e for e in of_kind(events, "epoch") if e["best"]][-1]
    assert best["step"] < 4
    with safe_open(folder / "best/upscaler.safetensors", "pt") as file:
        metadata = file.metadata()
    assert int(metadata["epoch"]) == best["step"] == report["best"]["step"]
    assert [e["step"] for e in of_kind(events, "checkpoint") if e["which"] == "best"][-1] == best["step"]
    assert f"best in epoch {best['step']}" in report["text"]
    assert report["seconds"] == pytest.approx(sum(e["seconds"] for e in of_kind(events, "epoch")))


@pytest.mark.parametrize("best", ["adapt", "together"])
def test_a_file_names_what_enlarged_its_faces(best, closed, weights, run_training, own_data_dir, tmp_path):
    """An encoder that is trained beside an upscaler names the one that is kept with it; one of a stage that went
    through bicubic names that. Their figures say which they were measured with, and are read back."""
    rate = {"adapt": {"together.rates.encoder": 0.5}, "together": {"stage1_epochs": 0}}
    changes = {"stage1_epochs": 1, "stage2_epochs": 1, "ema": 0.0, **rate[best]}
    dsr = save_dsr(tmp_path / "start.safetensors")
    config = tiny_config("finetune", "recommended", closed, weights, changes, upscaler=str(dsr))
    report, _, folder = run_training(config, tmp_path / "run" / "checkpoints")
    assert report["best"]["stage"] == best
    encoder = describe(folder / "best/encoder.safetensors").metadata
    measured = read_card(encoder).measured
    assert measured is not None and measured.source == "validation" and set(measured.eer_vlr_hr) == {"16", "32"}
    assert "val, 8 images" in measured.protocol and measured.further["16"].keys() >= {"rank1", "similarity"}
    if best == "adapt":
        assert (
            encoder["trained_with_upscaler"] == measured.upscaler == "bicubic"
            and "upscaler bicubic" in measured.protocol
        )
    else:
        beside = file_sha256(folder / "best/upscaler.safetensors")
        assert encoder["trained_with_upscaler"] == measured.upscaler == beside != file_sha256(dsr)
    assert describe(folder / "last/encoder.safetensors").metadata["trained_with_upscaler"] == file_sha256(
        folder / "last/upscaler.safetensors"
    )
    taken = use_run_weights(load_settings(), Run(tmp_path / "run"), "last")
    assert active_models(load_settings()).mismatch == "" and taken.upscaler is not None


def test_files_name_everything_that_they_came_from(closed, weights, run_training, own_data_dir, tmp_path):
    """Two generations, the second of which starts from the first's encoder and goes on with its upscaler."""
    grandparent, dsr = file_sha256(weights), save_dsr(tmp_path / "start.safetensors", data_sha256="f" * 64)
    changes = {"stage1_epochs": 0, "stage2_epochs": 1}
    first = tiny_config("finetune", "recommended", closed, weights, changes, upscaler=str(dsr))
    run_training(first, tmp_path / "one")
    best = tmp_path / "one" / "best"
    second = tiny_config(
        "finetune",
        "recommended",
        closed,
        best / "encoder.safetensors",
        changes,
        upscaler=str(best / "upscaler.safetensors"),
    )
    run_training(second, tmp_path / "two")
    for part in ("encoder", "upscaler"):
        told = json.loads(file_facts(tmp_path / "two" / "best" / f"{part}.safetensors").metadata["ancestors"])
        files = {grandparent, file_sha256(dsr), *(file_sha256(path) for path in best.glob("[eu]*.safetensors"))}
        assert set(told["weights"]) == files
        assert (
            "f" * 64 in told["data"]
            and file_facts(best / "encoder.safetensors").metadata["data_sha256"] in told["data"]
        )


def test_a_frozen_upscaler_is_used_as_recognition_uses_it(closed, weights, tmp_path):
    """Sizes that its file leaves to bicubic go through bicubic; where it is trained, none does."""
    dsr = str(save_dsr(tmp_path / "d.safetensors", bicubic_px=(16,)))
    through = tiny_config("finetune", "notes", closed, weights, {"through": "upscaler"}, upscaler=dsr)
    networks = load_networks(through, load_settings(), "cpu")
    assert not networks.takes(16) and networks.takes(24)
    trained = load_networks(tiny_config("dsr", None, closed, weights, {}, upscaler=dsr), load_settings(), "cpu")
    assert trained.takes(16) and trained.takes(24)


def test_recommended_trains_both_and_routes_sizes(weights, run_training, tmp_path):
    data = tiny_dataset(tmp_path / "disjoint", disjoint=True, people=3).root
    config = tiny_config("finetune", "recommended", data, weights, {"stage1_epochs": 1, "stage2_epochs": 2})
    report, events, folder = run_training(config)
    epochs = of_kind(events, "epoch")
    assert epochs[0]["train"]["teacher"] > 0 and epochs[0]["train"]["pixel"] is None
    assert epochs[1]["train"]["pixel"] > 0 and epochs[1]["val"]["psnr_db"] > 10 and 0 < epochs[1]["val"]["ssim"] <= 1
    assert epochs[0]["val"]["accuracy"] is None and " Acc: n/a" in epochs[0]["line"]
    assert report["criterion"]["name"] == "eer" and set(report["bicubic"]) >= {"psnr_db", "ssim", "eer"}
    state = load_state(folder / "last")
    assert set(state["networks"]) == {"encoder", "upscaler", "head"}
    with safe_open(folder / "last/upscaler.safetensors", "pt") as file:
        found = json.loads(file.metadata()["config"])
    assert (found["channels"], found["blocks"], found["min_px"], found["max_px"]) == (4, 1, 12, 48)


def test_dsr_trains_the_upscaler_alone_and_is_told_beside_bicubic(closed, weights, run_training):
    from core.sr.upscale import load_upscaler

    report, events, folder = run_training(
        tiny_config("dsr", None, closed, weights, {"epochs": 3, "dsr.rates.upscaler": 3e-3, "sizes_px": "16,32"})
    )
    epochs = of_kind(events, "epoch")
    assert epochs[-1]["val"]["bicubic"]["psnr_db"] > 10 and epochs[-1]["train"]["identity"] is not None
    before = load_file(weights)
    assert differences(before, load_state(folder / "last")["networks"]["encoder"]) == []
    upscaler = load_upscaler(folder / "best/upscaler.safetensors")
    assert upscaler.upscale([np.zeros((16, 16, 3), np.uint8)]).shape == (1, 112, 112, 3)
    assert report["weights"] == {"upscaler": "checkpoints/best/upscaler.safetensors"}


def test_patience_ends_a_stage_and_the_next_one_begins(closed, weights, run_training):
    changes = {"stage1_epochs": 1, "stage2_epochs": 6, "stage2.patience": 2, "backbone_lr": 0, "head_lr_stage2": 0}
    _, events, _ = run_training(tiny_config("finetune", "notes", closed, weights, changes))
    assert [e["best"] for e in of_kind(events, "epoch")] == [True, False, False]
    assert any(d["text"].startswith("No improvement for 2 epochs") for d in of_kind(events, "log"))


def test_export_in_the_notes_form_is_read_by_the_encoder(closed, weights, run_training, tmp_path):
    from core.training.checkpoint import export_notes

    _, _, folder = run_training(tiny_config("finetune", "notes", closed, weights, NOTES))
    target = tmp_path / "edgeface_finetuned.pth"
    export_notes(folder / "best", target)
    content = torch.load(target, weights_only=True)
    assert set(content) == {"backbone_state_dict", "arcface_state_dict", "subject_to_id"}
    assert content["subject_to_id"] == {"p00": 0, "p01": 1, "p02": 2, "p03": 3}
    a, b = (load_encoder(path, device="cpu") for path in (target, folder / "best/encoder.safetensors"))
    assert differences(a.network.state_dict(), b.network.state_dict()) == [] and a.info.identities == 4


def test_a_starter_does_not_teach_itself(closed, weights, run_training, tmp_path):
    starter = tmp_path / "starter.safetensors"
    about = {"variant": NAME, "format": ENCODER_FORMAT, "parent_sha256": ""}
    save_file(load_file(weights), starter, about)
    with pytest.raises(SettingsInvalid, match=r"starter\.safetensors is itself a starter") as e:
        run_training(tiny_config("starter", "starter", closed, starter, {"epochs": 1}))
    assert "--teacher" in e.value.next_step
