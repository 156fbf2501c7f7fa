"""Checkpoints of a run: what best and last hold, what a resume restores, and the report."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from tiny_training import tiny_config

from core.models.files import read_metadata
from core.models.header import read_card
from core.settings import load_settings
from core.training.checkpoint import load_state
from core.training.checkpointing import make_report, save_best, save_last
from core.training.progress_state import judge_epoch
from core.training.setup import prepare_run
from core.training.stage import make_stage, run_epoch

pytestmark = pytest.mark.usefixtures("tiny")

BY_SIZE = {"16": {"eer": 0.2, "eer_vlr_vlr": 0.3}, "32": {"eer": 0.1, "eer_vlr_vlr": 0.1}}
FIGURES = {"similarity": 0.5, "eer": 0.15, "eer_vlr_vlr": 0.2, "by_size": BY_SIZE}


@pytest.fixture
def config(closed, weights):
    return tiny_config("finetune", "notes", closed, weights, {"stage2.ema": 0.9, "stage1_epochs": 0})


@pytest.fixture
def trained(config, own_data_dir, tmp_path):
    """(context, stage run) after one epoch of the second stage, recorded and not yet saved."""
    context = prepare_run(config, load_settings(), tmp_path / "checkpoints")
    context.progress.next_stage()
    run = make_stage(config.recipe.stages[1], context)
    assert run_epoch(run, 1, context, lambda: None)
    record = {"stage": "stage2", "epoch": 1, "step": 1, "figures": FIGURES, "train": {"loss": 1.0}}
    context.progress.end_epoch(record, seconds=2.0, is_best=True)
    yield context, run
    context.runner.release()


def tensors(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)


def test_best_holds_the_running_means_with_their_figures(trained):
    context, run = trained
    save_best(context, run)
    path = context.folder / "best" / "encoder.safetensors"
    saved, mean, own = tensors(path), run.mean.parts["encoder"].state_dict(), context.parts.encoder.state_dict()
    assert all(torch.equal(tensor, mean[name]) for name, tensor in saved.items())
    assert any(not torch.equal(tensor, own[name]) for name, tensor in saved.items())
    card = read_card(read_metadata(path))
    assert card.measured is not None and card.measured.source == "validation"
    assert card.measured.eer_vlr_hr["16"].value == 0.2 and card.measured.eer["32"].value == 0.1
    assert card.parent_sha256 == context.networks.parent_sha256 and card.data_sha256 == context.data.dataset.key
    assert read_metadata(path)["epoch"] == "1"
    people = json.loads(read_metadata(context.folder / "best" / "head.safetensors")["subject_to_id"])
    assert people == {name: number for number, name in enumerate(context.data.identities)}
    assert not (context.folder / "best" / "state.pt").exists()


def test_last_restores_progress_networks_optimizer_and_means_to_the_bit(trained, config):
    context, run = trained
    save_last(context, run)
    again = prepare_run(config, load_settings(), context.folder)
    assert again.progress == context.progress
    for name, module in context.parts.named().items():
        restored = again.parts.named()[name].state_dict()
        assert all(torch.equal(tensor, restored[key]) for key, tensor in module.state_dict().items())
    state = load_state(context.folder / "last")
    assert state["mean"]["count"] == run.mean.count == run.maker.steps
    saved, own = state["optimizer"]["state"], run.optimizer.state_dict()["state"]
    assert own.keys() == saved.keys()
    assert all(torch.equal(saved[key]["exp_avg"], own[key]["exp_avg"]) for key in own)


def test_other_processes_save_nothing(trained):
    context, run = trained
    context.runner.rank = 1
    save_last(context, run)
    assert not (context.folder / "last").exists()


def test_the_report_names_the_best_epoch_and_its_weights(trained):
    context, run = trained
    save_best(context, run)
    report = make_report(context)
    assert report["best"]["stage"] == "stage2" and report["best"]["step"] == 1 and report["seconds"] == 2.0
    assert report["criterion"] == {"name": "similarity", "value": 0.5}
    assert report["weights"] == {"encoder": "checkpoints/best/encoder.safetensors"}
    assert "1 epoch in 2 s" in report["text"]


def test_an_epoch_without_validation_is_the_best():
    verdict = judge_epoch("eer", {"loss": 1.0}, None, None, FIGURES)
    assert verdict.is_best and verdict.value is None and not verdict.alarms


def test_a_collapsed_epoch_is_never_the_best():
    from core.training.alarms import Signals

    better = {**FIGURES, "eer": 0.0}
    healthy, collapsed = (Signals(cosine, 0.05, 25.0, True) for cosine in (0.1, 0.9))
    assert judge_epoch("eer", {}, better, healthy, FIGURES).is_best
    assert not judge_epoch("eer", {}, FIGURES, healthy, better).is_best
    verdict = judge_epoch("eer", {}, better, collapsed, FIGURES)
    assert not verdict.is_best and [alarm.code for alarm in verdict.alarms] == ["collapsed"]
