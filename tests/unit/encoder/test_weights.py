"""Weights are complete or refused, and the variant is found from what the file holds."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.encoder.network import LowRankLinear, build_network, expected_shapes, factorise
from core.encoder.weights import compare_with_variants, encoder_tensors, file_sha256, load_state
from core.models.errors import WeightsMismatch
from core.models.variants import VARIANTS

PUBLISHED_PARAMETERS = {
    "edgeface_xxs": 1_244_744,
    "edgeface_xs_gamma_06": 1_770_492,
    "edgeface_s_gamma_05": 3_652_520,
    "edgeface_base": 18_225_812,
}
"""George et al. 2024, table 1: 1.24, 1.77, 3.65 and 18.23 M."""


@pytest.mark.parametrize("name", PUBLISHED_PARAMETERS)
def test_each_network_has_the_published_size(name: str) -> None:
    with torch.device("meta"):
        network = build_network(VARIANTS[name])
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED_PARAMETERS[name]


def test_a_low_rank_layer_is_two_with_the_bias_on_the_second() -> None:
    parent = nn.Sequential(nn.Linear(10, 6))
    factorise(parent, 0.5)
    layer = parent[0]
    assert isinstance(layer, LowRankLinear)
    assert layer.linear1.weight.shape == (3, 10) and layer.linear1.bias is None
    assert layer.linear2.weight.shape == (6, 3) and layer.linear2.bias is not None
    x = torch.randn(4, 10)
    by_hand = x @ layer.linear1.weight.T @ layer.linear2.weight.T + layer.linear2.bias
    assert torch.allclose(layer(x), by_hand, atol=1e-6)


def test_the_rank_is_never_below_two() -> None:
    parent = nn.Sequential(nn.Linear(3, 3))
    factorise(parent, 0.1)
    assert parent[0].linear1.weight.shape == (2, 3)


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "backbone.", "module.model.", "_orig_mod.backbone."])
def test_prefixes_come_off(saved, xxs_state, prefix: str) -> None:
    state = load_state(saved({prefix + key: tensor for key, tensor in xxs_state.items()}))
    assert state.variant.name == "edgeface_xxs"
    assert all(torch.equal(state.tensors[key], tensor) for key, tensor in xxs_state.items())


@pytest.mark.parametrize("container", ["state_dict", "model", "model_state_dict", "backbone_state_dict", "encoder"])
def test_containers_are_opened(saved, xxs_state, container: str) -> None:
    state = load_state(saved({container: xxs_state, "epoch": 3}))
    assert torch.equal(state.tensors["stem.0.weight"], xxs_state["stem.0.weight"])


def test_the_users_fine_tuned_checkpoint(saved, xxs_state) -> None:
    checkpoint = {
        "backbone_state_dict": {f"model.{key}": tensor for key, tensor in xxs_state.items()},
        "arcface_state_dict": {"weight": torch.randn(518, 512)},
        "subject_to_id": {"007": 0, "012": 1},
    }
    state = load_state(saved(checkpoint, "edgeface_finetuned.pth"))
    assert state.identities == 518
    assert state.companions == 1
    assert len(state.tensors) == len(xxs_state)


def test_an_optimizer_beside_the_weights_is_left_out(saved, xxs_state) -> None:
    optimizer = {"state": {"0": {"exp_avg": torch.ones(3)}}}
    state = load_state(saved({"state_dict": xxs_state, "optimizer": optimizer}))
    assert state.companions == 1


def test_safetensors_of_this_project_keep_their_variant(tmp_path, xxs_state) -> None:
    path = tmp_path / "mine.safetensors"
    save_file({key: tensor.half() for key, tensor in xxs_state.items()}, str(path), {"variant": "edgeface_xxs_q"})
    state = load_state(path)
    assert state.variant.name == "edgeface_xxs_q"
    assert state.tensors["head.fc.weight"].dtype == torch.float32


def test_torchscript_of_an_encoder(tmp_path) -> None:
    torch.manual_seed(2)
    network = build_network(VARIANTS["edgeface_xxs"]).eval()
    path = tmp_path / "traced.pt"
    with torch.no_grad():
        traced = torch.jit.trace(network, torch.zeros(1, 3, 112, 112), check_trace=False)
    torch.jit.save(traced, str(path))
    state = load_state(path)
    assert state.kind == "TorchScript"
    assert all(torch.equal(state.tensors[key], tensor) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize("name", ["edgeface_xs_gamma_06", "edgeface_s_gamma_05", "edgeface_base"])
def test_the_variant_is_found_by_keys_whatever_the_file_is_called(saved, name: str) -> None:
    shapes = expected_shapes(VARIANTS[name].architecture)
    state = load_state(saved({key: torch.zeros(shape) for key, shape in shapes.items()}, "edgeface_xxs.pt"))
    assert state.variant.name == name


def test_missing_keys_are_counted_named_and_refused(saved, xxs_state) -> None:
    lacking = {key: tensor for key, tensor in xxs_state.items() if "pos_embd" not in key}
    with pytest.raises(WeightsMismatch) as refused:
        load_state(saved(lacking))
    assert "2 keys missing, first 'stages.1.blocks.1.pos_embd.token_projection.weight'" in refused.value.what
    assert "closest variant is edgeface_xxs" in refused.value.next_step


def test_an_unexpected_key_is_refused(saved, xxs_state) -> None:
    with pytest.raises(WeightsMismatch, match=r"1 key unexpected, first 'stages\.9\.weight'"):
        load_state(saved({**xxs_state, "stages.9.weight": torch.ones(1)}))


def test_a_misshapen_key_is_refused(saved, xxs_state) -> None:
    with pytest.raises(WeightsMismatch, match=r"of another shape, first 'head\.fc\.weight'"):
        load_state(saved({**xxs_state, "head.fc.weight": torch.ones(128, 168)}))


def test_asking_for_another_variant_says_which_would_fit(saved, xxs_state) -> None:
    with pytest.raises(WeightsMismatch) as refused:
        load_state(saved(xxs_state), "edgeface_s_gamma_05")
    assert "doesn't fit edgeface_s_gamma_05" in refused.value.what
    assert "fits edgeface_xxs completely" in refused.value.next_step


def test_another_networks_weights_are_no_edgeface(saved) -> None:
    with pytest.raises(WeightsMismatch) as refused:
        load_state(saved({"layer1.0.conv1.weight": torch.ones(64, 64, 3, 3), "fc.weight": torch.ones(1000, 512)}))
    assert "fits no EdgeFace variant" in refused.value.next_step


def test_reports_come_best_fit_first(xxs_state) -> None:
    reports = compare_with_variants(encoder_tensors(xxs_state)[0])
    assert [r.faults for r in reports] == sorted(r.faults for r in reports)
    assert reports[0].faults == 0 and all(report.faults for report in reports[1:]), "no two fit"
    [alone] = compare_with_variants(encoder_tensors(xxs_state)[0], until_one_fits=True)
    assert alone == reports[0]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "sha256", "keys"),
    [
        ("edgeface_xxs_q", "46be7cc7e8d6e23501c0627fe5fbef101922ee9b85ccbef476987ab1a320b053", 160),
        ("edgeface_xs_q", "a31314377876ab9fa2a75e5638bc528efe79fd17d5c9c0a228fb7f846d7581a6", 214),
    ],
)
def test_the_official_int8_files_are_complete(shared_dir, name: str, sha256: str, keys: int) -> None:
    path = shared_dir / "weights" / f"{name}.pt"
    assert file_sha256(path) == sha256
    state = load_state(path)
    assert state.variant.name == name
    assert state.kind == "int8 state dict"
    assert len(state.tensors) == keys
    assert compare_with_variants(state.tensors)[0].faults == 0
