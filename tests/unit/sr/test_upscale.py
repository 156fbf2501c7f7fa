"""Upscalers: bicubic as the baseline, a DSR file complete or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.images import resize
from core.sr import UpscalerUnusable, bicubic, load_upscaler
from core.sr.network import DSR, DSRConfig
from core.sr.upscale import FORMAT

SMALL = DSRConfig(channels=8, blocks=1)


def _config(**changes: object) -> str:
    return json.dumps({"channels": 8, "blocks": 1, "min_px": 12, "max_px": 48, **changes})


@pytest.fixture()
def dsr_file(tmp_path):
    """Writes an untrained DSR file, which is the bicubic skip alone; tensors and metadata can be changed."""

    def write(tensors: dict | None = None, **metadata: str):
        torch.manual_seed(0)
        network = DSR(SMALL)
        path = tmp_path / "dsr.safetensors"
        state = {k: v.clone().contiguous() for k, v in network.state_dict().items()}
        save_file(tensors if tensors is not None else state, path, {"format": FORMAT, "config": _config(), **metadata})
        return path

    return write


def _crops(*sizes: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), size) for size in sizes]


def test_bicubic_is_pillows_of_any_sizes_at_once() -> None:
    crops = _crops(16, 33, 112)
    out = bicubic().upscale(crops)
    assert out.shape == (3, 112, 112, 3) and out.dtype == np.uint8
    assert all((out[i] == resize(crop, 112)).all() for i, crop in enumerate(crops))
    assert bicubic().upscale([]).shape == (0, 112, 112, 3)


def test_the_network_takes_every_size_and_has_the_size_it_says() -> None:
    network = DSR().eval()
    # By hand: 3x3 convolutions 48 -> 64, twelve 64 -> 64, 64 -> 48, each with a bias; 48 = 3 x 4 x 4.
    by_hand = (9 * 48 * 64 + 64) + 12 * (9 * 64 * 64 + 64) + (9 * 64 * 48 + 48)
    assert sum(p.numel() for p in network.parameters()) == by_hand
    for size in (12, 16, 24, 32, 48):
        out = network(torch.zeros(1, 3, size, size))
        assert out.shape == (1, 3, 112, 112) and out.abs().max() <= 1


def test_a_dsr_upscales_mixed_sizes_each_in_its_place(dsr_file) -> None:
    upscaler = load_upscaler(dsr_file())
    crops = _crops(16, 32, 16, 60)
    out = upscaler.upscale(crops)
    alone = np.concatenate([upscaler.upscale([crop]) for crop in crops])
    assert np.abs(out.astype(int) - alone).max() <= 1
    assert (out[3] == resize(crops[3], 112)).all(), "outside its sizes it is bicubic"
    # Untrained it is Pillow's bicubic, which rounds and clips between its two passes.
    assert np.abs(out[0].astype(int) - resize(crops[0], 112)).mean() < 0.5


def test_in_training_no_pixel_is_clipped() -> None:
    network = DSR(SMALL)
    torch.nn.init.constant_(network.tail.bias, 3.0)
    white = torch.ones(1, 3, 16, 16)
    assert network.train()(white).min() > 3 and network.eval()(white).max() == 1


def test_a_dsrs_identity_is_its_files_hash(dsr_file) -> None:
    import hashlib

    path = dsr_file()
    assert load_upscaler(path).id == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not load_upscaler(path).interpolates and bicubic().interpolates


def test_none_and_bicubic_are_bicubic() -> None:
    assert load_upscaler(None).id == load_upscaler("bicubic").id == "bicubic"


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda f: f({"head.weight": torch.ones(1)}), "doesn't fit"),
        (lambda f: f(format="something else"), "isn't a DSR network"),
        (lambda f: f(config="{}"), "doesn't fit"),
        (lambda f: f(config="no json"), "doesn't fit"),
        (lambda f: f(config=_config(channels=10**9)), "out of range"),
        (lambda f: f(config=_config(blocks=2)), "doesn't fit"),
    ],
    ids=["keys missing", "other format", "no config", "bad config", "absurd size", "other depth"],
)
def test_what_is_no_complete_dsr_is_refused(dsr_file, write, says) -> None:
    with pytest.raises(UpscalerUnusable, match=says) as refused:
        load_upscaler(write(dsr_file))
    assert "dsr.safetensors" in refused.value.what and "bicubic" in refused.value.next_step


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 100])
def test_a_file_of_another_kind_is_refused(tmp_path, content) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UpscalerUnusable, match=r"x\.safetensors isn't a readable"):
        load_upscaler(path)


def test_a_missing_file_is_said(tmp_path) -> None:
    with pytest.raises(UpscalerUnusable, match="no upscaler file"):
        load_upscaler(tmp_path / "none.safetensors")
