"""The networks of a run: seeds, freezing, routes to the upscaler, feature maps and their error."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tiny_training import NAME, TINY, tiny_config

from core.encoder.network import build_network
from core.settings import load_settings
from core.sr.network import DSR, DSRConfig
from core.training.config import NEW
from core.training.networks import (
    Networks,
    dsr_metadata,
    feature_maps,
    freeze,
    load_networks,
    map_error,
    map_variances,
    needs_teacher,
    new_encoder,
    upscaled,
)

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_network(TINY).eval()


def facts(**given: object) -> dict[str, object]:
    return {"channels": 4, "blocks": 1, "min_px": 12, "max_px": 40, "use_bicubic_px": [24], **given}


def networks(upscaler: torch.nn.Module | None, dsr: dict[str, object] | None) -> Networks:
    return Networks(network(), NAME, "", None, "", upscaler, dsr, "", "new DSR")


def test_a_new_encoder_follows_from_the_seed_alone(tmp_path) -> None:
    config = tiny_config("starter", None, tmp_path, tmp_path, seed=3)
    torch.manual_seed(1)
    first, drawn = new_encoder(config).state_dict(), torch.rand(2)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(2)), "it draws from a generator of its own"
    torch.manual_seed(2)
    again = new_encoder(config).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    other = new_encoder(replace(config, seed=4)).state_dict()
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_layer_scales_take_the_recipes_value(tmp_path) -> None:
    config = tiny_config("starter", None, tmp_path, tmp_path)
    scales = [p for name, p in new_encoder(config).named_parameters() if name.endswith(("gamma", "gamma_xca"))]
    assert scales and all(torch.all(scale == config.recipe.layer_scale) for scale in scales)


def test_freezing_stops_gradients_and_statistics() -> None:
    own = network().train()
    freeze(own)
    assert not own.training and not any(parameter.requires_grad for parameter in own.parameters())


@pytest.mark.parametrize(("px", "takes"), [(11, False), (12, True), (24, False), (40, True), (41, False)])
def test_the_upscaler_takes_its_sizes_but_for_those_of_bicubic(px: int, takes: bool) -> None:
    assert networks(DSR(DSRConfig(4, 1)), facts()).takes(px) is takes
    assert not networks(None, None).takes(px)


def test_an_untrained_upscaler_is_bicubic_and_a_trained_one_is_used() -> None:
    small = torch.randint(0, 255, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    dsr = DSR(DSRConfig(4, 1)).eval()
    bicubic = upscaled(networks(None, None), small)
    assert bicubic.shape == (2, 3, 112, 112) and torch.allclose(upscaled(networks(dsr, facts()), small), bicubic)
    torch.nn.init.constant_(dsr.tail.bias, 0.1)
    assert not torch.allclose(upscaled(networks(dsr, facts()), small), bicubic)
    assert torch.equal(upscaled(networks(dsr, facts(use_bicubic_px=[16])), small), bicubic)


def test_feature_maps_end_in_the_networks_own_embedding(images) -> None:
    own = network()
    with torch.no_grad():
        embeddings, maps = feature_maps(own, images)
        torch.testing.assert_close(embeddings, own(images))
    assert len(maps) == 5 and maps[0].shape[1] == 8 and maps[-1].shape[1] == 16


def test_forced_stages_work_on_the_teachers_maps(images) -> None:
    teacher, student = network(1), network(2)
    with torch.no_grad():
        _, given = feature_maps(teacher, images)
        _, forced = feature_maps(student, images, given)
        torch.testing.assert_close(forced[1], student.stages[0](given[0]))
        torch.testing.assert_close(forced[4], student.stages[3](given[3]))


def test_the_error_of_maps_is_in_units_of_their_variance(images) -> None:
    teacher = network(1)
    variances = map_variances(teacher, images)
    with torch.no_grad():
        _, maps = feature_maps(teacher, images)
    assert float(map_error(maps, maps, variances)) == 0
    means = [torch.full_like(each, float(each.mean())) for each in maps]
    assert float(map_error(means, maps, variances)) == pytest.approx(1, abs=0.05)


def test_the_teacher_is_loaded_where_a_loss_or_the_head_needs_it(tmp_path) -> None:
    recommended = tiny_config("finetune", "recommended", tmp_path, tmp_path)
    notes = tiny_config("finetune", "notes", tmp_path, tmp_path)
    assert needs_teacher(recommended) and not needs_teacher(notes)


def test_loaded_networks_are_frozen_and_a_new_upscaler_follows_from_the_seed(weights, own_data_dir, tmp_path) -> None:
    config = tiny_config("finetune", "recommended", tmp_path, weights, upscaler=NEW)
    first, again = (load_networks(config, load_settings(), "cpu") for _ in range(2))
    for module in (first.encoder, first.upscaler, first.teacher):
        assert module is not None and not any(parameter.requires_grad for parameter in module.parameters())
    assert first.upscaler is not None and again.upscaler is not None
    assert all(torch.equal(a, b) for a, b in zip(first.upscaler.parameters(), again.upscaler.parameters(), strict=True))
    assert first.variant == NAME and first.teacher_sha256 == first.parent_sha256 and first.upscaler_sha256 == ""
    assert json.loads(dsr_metadata(first)) == facts(max_px=48, use_bicubic_px=[])
