"""Reports on files of weights: complete, incomplete, unreadable, sick, and upscalers."""

from __future__ import annotations

import pytest
import torch

from core.diagnostics.weights_report import report_on
from core.encoder.network import build_network
from core.models.encoders import describe
from core.models.upscalers import BICUBIC_UPSCALER
from core.models.upscalers import describe as describe_upscaler
from core.models.variants import VARIANTS
from core.settings import load_settings
from tests.made_weights import official_tensors, save_dsr, save_encoder


@pytest.fixture(scope="module")
def tensors():
    torch.manual_seed(0)
    return build_network(VARIANTS["edgeface_xxs"]).state_dict()


def test_random_weights_are_complete_and_told_to_be_useless(tensors, tmp_path):
    report = report_on(describe(save_encoder(tmp_path / "random.safetensors", tensors)))
    assert report.keys.complete and report.keys.fit == report.keys.expected == len(tensors)
    assert report.parameters == 1_244_744 and not report.ok and "different people look alike" in report.problem
    assert report.facts()["health"]["reason"]


def test_every_missing_and_strange_key_is_listed(tensors, tmp_path):
    first, second, *_ = tensors
    changed = {name: each for name, each in tensors.items() if name != first}
    changed[second] = torch.zeros(3, 5)
    changed["stray"] = torch.zeros(2)
    report = report_on(describe(save_encoder(tmp_path / "odd.safetensors", changed)))
    assert report.keys.missing == (first,) and report.keys.unexpected == ("stray",)
    assert report.keys.misshapen == (second,) and report.keys.fit == report.keys.expected - 2
    assert not report.ok and "Nearest to edgeface_xxs" in report.problem and report.health is None


def test_a_file_that_is_none_is_reported_in_words(tmp_path):
    path = tmp_path / "text.pt"
    path.write_text("no weights")
    report = report_on(describe(path))
    assert not report.ok and report.keys is None and "can't be read" in report.problem


def test_upscalers_are_tried_on_faces(tmp_path):
    good = report_on(describe_upscaler(save_dsr(tmp_path / "good.safetensors")))
    assert good.ok and good.parameters > 0 and good.kind == "upscaler"
    bad = report_on(describe_upscaler(save_dsr(tmp_path / "bad.safetensors", harm=True)))
    assert not bad.ok and "does harm" in bad.problem
    assert report_on(BICUBIC_UPSCALER).ok


@pytest.mark.shared
def test_a_fine_tuned_file_names_its_parent_where_that_is_here(shared_dir, own_data_dir):
    settings = load_settings()
    whole = official_tensors(shared_dir)
    parent = describe(save_encoder(settings.weights_dir / "parent.safetensors", whole))
    child = save_encoder(settings.weights_dir / "child.safetensors", whole, parent_sha256=parent.sha256)
    report = report_on(describe(child), settings)
    assert report.ok and report.parent == "parent" and report.origin == "fine-tuned"
