"""The landmark network: its loss by hand, a head that can be added, and the ONNX file that reads as torch does."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
import torch

from core.faces.landmarks.look import LOOK_PX
from core.faces.landmarks.network import Landmarker
from core.models.files import read_metadata
from core.training.errors import CheckpointUnusable, TrainingError
from core.training.landmarks import export
from core.training.landmarks.checkpoint import load_network, save_last, save_weights
from core.training.landmarks.export import export_landmarks
from core.training.landmarks.network import LandmarkNet, RecognisabilityHead, landmark_loss


@pytest.fixture(scope="module")
def network() -> LandmarkNet:
    """Random weights that have seen a few pictures and say something."""
    torch.manual_seed(0)
    network = LandmarkNet()
    with torch.no_grad():
        network.rest.weight.normal_(std=0.1)
        network.maps.weight.mul_(8)
        for _ in range(5):
            network(torch.rand(8, 3, LOOK_PX, LOOK_PX) * 2 - 1)
    return network.eval()


def test_it_is_small_and_points_start_in_the_middle():
    network = LandmarkNet()
    assert sum(parameter.numel() for parameter in network.parameters()) < 500_000
    with torch.no_grad():
        out = network.eval()(torch.zeros(2, 3, LOOK_PX, LOOK_PX))
    assert out.shape == (2, 16) and out[:, :10].abs().max() < 0.3 and (out[:, 10:] == 0).all()


def test_the_loss_by_hand():
    """One face whose points are all off by (0.3, 0.4), which is 0.5, with an expected error of e^-1; one that is none.

    points: 0.5 e + 2 (-1); distance: 0.5; face: the mean of log(1 + e^-2) and log(1 + e^1).
    """
    out = torch.zeros(2, 16)
    out[0, :10] = torch.tensor([0.3, 0.4] * 5)
    out[:, 10:15] = -1.0
    out[0, 15], out[1, 15] = 2.0, 1.0
    out[1, :10] = 7.0
    losses = landmark_loss(out, torch.zeros(2, 5, 2), torch.tensor([1.0, 0.0]))
    points = 0.5 * math.e - 2
    face = (math.log1p(math.exp(-2)) + math.log1p(math.exp(1))) / 2
    assert float(losses["points"]) == pytest.approx(points, abs=1e-5)
    assert float(losses["distance"]) == pytest.approx(0.5, abs=1e-5)
    assert float(losses["face"]) == pytest.approx(face, abs=1e-5)
    assert float(losses["total"]) == pytest.approx(points + 5 + face, abs=1e-5)


def test_the_loss_of_a_batch_without_faces_is_finite_and_a_seventeenth_value_changes_nothing():
    out = torch.randn(3, 17, generator=torch.Generator().manual_seed(0))
    points, none = torch.zeros(3, 5, 2), torch.zeros(3)
    with_head, without = landmark_loss(out, points, none), landmark_loss(out[:, :16], points, none)
    assert all(math.isfinite(value) and value == without[name] for name, value in with_head.items())
    assert float(with_head["points"]) == 0


def test_a_head_adds_a_value_and_leaves_the_others(network):
    more = LandmarkNet(RecognisabilityHead())
    missing, unexpected = more.load_state_dict(network.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("recognisability.") for name in missing)
    looks = torch.rand(4, 3, LOOK_PX, LOOK_PX) * 2 - 1
    with torch.no_grad():
        plain, longer = network(looks), more.eval()(looks)
    assert longer.shape == (4, 17) and torch.equal(longer[:, :16], plain)


@pytest.mark.parametrize("with_head", [False, True])
def test_the_onnx_file_reads_as_torch_does(network, with_head, tmp_path):
    torch.manual_seed(1)
    tested = LandmarkNet(RecognisabilityHead() if with_head else None)
    tested.load_state_dict(network.state_dict(), strict=False)
    tested.train()
    export_landmarks(tested, tmp_path / "n.onnx", {"format": "edgeface-studio-landmarks-1", "made_at": "now"})
    assert tested.training, "the network itself stays as it is"
    looks = np.random.default_rng(2).integers(0, 256, (5, LOOK_PX, LOOK_PX, 3), dtype=np.uint8)
    found = Landmarker(tmp_path / "n.onnx").read(looks)
    with torch.no_grad():
        images = torch.from_numpy(looks).permute(0, 3, 1, 2).float() / 127.5 - 1
        out = tested.eval()(images).numpy()
    sigmoid = 1 / (1 + np.exp(-out[:, 15:]))
    assert np.abs(found.points - out[:, :10].reshape(-1, 5, 2)).max() < 1e-3
    assert np.abs(found.errors - np.exp(np.clip(out[:, 10:15], -6, 1))).max() < 1e-3
    assert np.abs(found.is_face - sigmoid[:, 0]).max() < 1e-3
    assert np.abs(found.recognisability - sigmoid[:, -1]).max() < 1e-3
    assert (tmp_path / "n.onnx").stat().st_size < 1_000_000
    half = [
        each for each in onnx.load(tmp_path / "n.onnx").graph.initializer if each.data_type == onnx.TensorProto.FLOAT16
    ]
    assert len(half) > 10
    assert read_metadata(tmp_path / "n.onnx") == {"format": "edgeface-studio-landmarks-1", "made_at": "now"}


def test_a_checkpoint_with_a_head_loads_with_it(network, tmp_path):
    whole = LandmarkNet(RecognisabilityHead())
    whole.load_state_dict(network.state_dict(), strict=False)
    assert sum(parameter.numel() for parameter in whole.parameters()) == 437_430
    save_weights(tmp_path / "w.safetensors", whole, {})
    loaded = load_network(tmp_path / "w.safetensors")
    for key, tensor in whole.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor), key


def test_a_file_that_reads_otherwise_is_not_written(network, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "LARGEST_DIFFERENCE", 1e-9)
    (tmp_path / "n.onnx").write_bytes(b"before")
    with pytest.raises(TrainingError, match="differ from PyTorch's"):
        export_landmarks(network, tmp_path / "n.onnx", {})
    assert [path.name for path in tmp_path.iterdir()] == ["n.onnx"]
    assert (tmp_path / "n.onnx").read_bytes() == b"before"


def test_weights_load_from_both_files_and_others_are_refused(network, tmp_path):
    save_weights(tmp_path / "w.safetensors", network, {"format": "edgeface-studio-landmarks-1"})
    save_last(tmp_path, {"network": {}, "mean": network.state_dict(), "optimizer": {}, "step": 1})
    for name in ("w.safetensors", "last.pt"):
        loaded = load_network(tmp_path / name)
        assert not loaded.training
        for key, tensor in loaded.state_dict().items():
            assert torch.equal(tensor, network.state_dict()[key]), key
    (tmp_path / "other.pt").write_bytes(b"no archive")
    torch.save({"network": {}}, tmp_path / "less.pt")
    for name in ("other.pt", "less.pt"):
        with pytest.raises(CheckpointUnusable, match=name):
            load_network(tmp_path / name)
