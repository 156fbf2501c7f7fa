"""What an exported file says of itself is enough to feed it, and is true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from skimage import data

from core.cli import run
from core.encoder.encode import load_encoder
from core.evaluation.peers import OnnxEncoder, PeerUnusable
from core.faces.align import align
from core.faces.detect import Detector
from core.models.encoders import active_weights
from core.settings import PROJECT_ROOT, load_settings


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    rgb = np.ascontiguousarray(data.astronaut())
    return align(rgb, Detector().detect(rgb)[0].landmarks)


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))


@pytest.fixture()
def exported(tmp_path: Path, capsys) -> Path:
    path = tmp_path / "own.onnx"
    assert run(["weights", "export-onnx", "edgeface-xxs-starter", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(path)
    return path


def test_the_metadata_is_enough_to_feed_it_as_the_encoder_is_fed(exported, crop):
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    weights = active_weights(load_settings())
    assert said["format"] == "edgeface-studio-onnx-1" and said["weights_sha256"] == weights.sha256
    assert said["variant"] == "edgeface_xxs" and said["weights"] == weights.name and "CC BY-NC-SA" in said["licence"]
    assert said["trained_with_upscaler"] == weights.metadata["trained_with_upscaler"]
    assert session.get_inputs()[0].name == said["input"] and session.get_outputs()[0].name == said["output"]

    side = int(said["input_shape"].split(",")[2])
    pixels = (crop.astype(np.float32) - float(said["mean"])) / float(said["std"])
    low, high = map(float, said["input_range"].split(","))
    assert crop.shape[:2] == (side, side) and low <= pixels.min() and pixels.max() <= high
    ordered = pixels if said["channel_order"] == "RGB" else pixels[..., ::-1]
    [out] = session.run([said["output"]], {said["input"]: ordered.transpose(2, 0, 1)[None]})
    assert out.shape == (1, int(said["output_shape"].split(",")[1]))
    assert abs(float(np.linalg.norm(out)) - 1) > 0.01, "as it says, not normalised"
    [expected] = load_encoder(weights.path, device="cpu", precision="float32", check=False).encode([crop])
    assert out[0] / np.linalg.norm(out) @ expected > 0.9999


def test_a_peer_goes_by_it(exported, crop):
    peer = OnnxEncoder(exported)
    assert not peer.scales_itself and peer.info.variant == "edgeface_xxs (peer)"
    [expected] = load_encoder(active_weights(load_settings()).path, precision="float32", check=False).encode([crop])
    assert peer.encode([crop])[0] @ expected > 0.999
    with pytest.raises(PeerUnusable, match="takes RGB") as refused:
        OnnxEncoder(exported, bgr=True)
    assert "--peer-bgr" in refused.value.next_step


def test_an_upscaler_is_no_encoder(tmp_path, capsys):
    for name in ("bicubic", "edgeface-dsr"):
        assert run(["weights", "export-onnx", name, str(tmp_path / "x.onnx")]) == 2
        assert f"{name} isn't an encoder" in capsys.readouterr().err
