"""Another recogniser in the encoder's place: the network that ships, as a stranger's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.peers import OnnxEncoder, PeerUnusable
from core.evaluation.systems import open_system
from core.faces.align import align
from core.faces.detect import Detector
from core.faces.yunet_model import detector_model_path
from tests.made_peer import made_peer


@pytest.fixture(scope="module")
def peer_file() -> Path:
    return made_peer()


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    rgb = np.ascontiguousarray(data.astronaut())
    return align(rgb, Detector().detect(rgb)[0].landmarks)


def test_a_peer_embeds_faces_like_an_encoder(peer_file: Path, crop: np.ndarray) -> None:
    peer = OnnxEncoder(peer_file)
    assert peer.dim == 512 and peer.scales_itself, "it subtracts and multiplies before its first convolution"
    darker = (crop * 0.7).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, crop.shape, dtype=np.uint8)
    vectors = peer.encode([crop, darker, noise])
    assert vectors.shape == (3, 512) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.8
    assert vectors[0] @ vectors[2] < 0.4
    assert peer.encode([]).shape == (0, 512)


def test_flip_tta_makes_a_face_and_its_mirror_image_one(peer_file: Path, crop: np.ndarray) -> None:
    mirrored = np.ascontiguousarray(crop[:, ::-1])
    plain, both = (OnnxEncoder(peer_file, use_tta=tta).encode([crop, mirrored]) for tta in (False, True))
    assert both[0] @ both[1] == pytest.approx(1, abs=1e-4) and plain[0] @ plain[1] < 0.9999


def test_what_is_no_recogniser_is_refused(peer_file: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    for path, words in ((text, "can't be read as ONNX"), (tmp_path / "gone.onnx", "no ONNX file")):
        with pytest.raises(PeerUnusable, match=words):
            OnnxEncoder(path)
    with pytest.raises(PeerUnusable):
        OnnxEncoder(detector_model_path())


def test_a_peer_is_a_system_by_its_files_ending(peer_file: Path, crop: np.ndarray) -> None:
    system = open_system(SystemSpec(weights=str(peer_file)))
    assert system.loader.loaded is None
    assert system.pipeline.encoder.encode([crop]).shape == (1, 512)
    assert system.protocol()["kind"] == "onnx" and "(peer)" in system.protocol()["encoder"]
