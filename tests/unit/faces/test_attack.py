"""A check against presentation attacks: what a model is fed, how its numbers are read, what can't be used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.faces.attack import AttackCheck, AttackCheckUnusable, AttackModel, model_of, read_model, square_around
from core.faces.face import Face
from tests.unit.faces.onnx_model import write_model

BLUE = {"weights": np.float32([[0, 0], [0, 0], [0, 1 / 32]]), "bias": np.float32([0, -4])}
"""Logits (0, mean of the third channel / 32 - 4): half at 128, an attack where much is blue."""


def face(x0: float, y0: float, x1: float, y1: float) -> Face:
    return Face((x0, y0, x1, y1), np.zeros((5, 2), np.float32), 0.9)


def frame(red: int, green: int, blue: int, size: int = 200) -> np.ndarray:
    return np.full((size, size, 3), (red, green, blue), np.uint8)


def check(tmp_path, **about) -> AttackCheck:
    return AttackCheck(write_model(tmp_path / "model.onnx", px=32, **BLUE), AttackModel(32, **about))


@pytest.mark.parametrize("blue", [0, 100, 128, 200, 255])
def test_the_score_is_the_softmax_of_what_the_model_gives(tmp_path, blue):
    found = check(tmp_path, attack=(1,)).look(frame(10, 20, blue), face(50, 50, 150, 150))
    wanted = np.exp(blue / 32 - 4) / (1 + np.exp(blue / 32 - 4))
    assert found.score == pytest.approx(wanted, abs=1e-4) and found.refused == (found.score >= 0.5)
    assert found.refused == (blue >= 128)
    genuine = check(tmp_path, genuine=(0,)).look(frame(10, 20, blue), face(50, 50, 150, 150))
    assert genuine.score == pytest.approx(wanted, abs=1e-4)


def test_channels_scale_mean_and_std_reach_the_model_as_described(tmp_path):
    at = face(50, 50, 150, 150)
    reversed_order = check(tmp_path, attack=(1,), channels="bgr").look(frame(200, 0, 10), at)
    assert reversed_order.score == pytest.approx(1 / (1 + np.exp(4 - 200 / 32)), abs=1e-4)
    scaled = check(tmp_path, attack=(1,), output="sigmoid", scale=2.0, mean=(0, 0, 8.0), std=(1, 1, 4.0))
    assert scaled.look(frame(0, 0, 64), at).score == pytest.approx(1 / (1 + np.exp(4 - 30 / 32)), abs=1e-4)
    raw = check(tmp_path, attack=(1,), output="share", scale=1 / 255, limit=1.0)
    assert raw.look(frame(0, 0, 255), at).score == 0.0, "a share below 0 counts as 0"


def test_the_square_is_as_wide_as_said_and_repeats_edges():
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:, :10] = 7
    square = square_around(picture, face(0, 40, 20, 50), 2.0)
    assert square.shape == (40, 40, 3) and (square[:, :20] == 7).all() and (square[:, 20:] == 0).all()
    assert square_around(picture, face(30, 30, 50, 60), 1.0).shape == (30, 30, 3)


def test_a_small_face_passes_unchecked_or_is_refused_as_chosen(tmp_path):
    small = face(50, 50, 80, 90)
    passed = check(tmp_path, attack=(1,), min_face_px=40).look(frame(0, 0, 255), small)
    assert (passed.score, passed.refused, passed.text) == (None, False, "")
    refused = check(tmp_path, attack=(1,), min_face_px=40, small="refuse").look(frame(0, 0, 0), small)
    assert refused.refused and "too small to be checked" in refused.text


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        {"input_px": 32},
        {"input_px": 32, "attack": [1], "genuine": [0]},
        {"input_px": 8, "attack": [1]},
        {"input_px": True, "attack": [1]},
        {"input_px": 32, "attack": ["1"]},
        {"input_px": 32, "attack": [-1]},
        {"input_px": 32, "attack": [1], "std": [0, 1, 1]},
        {"input_px": 32, "attack": [1], "mean": [0]},
        {"input_px": 32, "attack": [1], "limit": 0},
        {"input_px": 32, "attack": [1], "limit": float("nan")},
        {"input_px": 32, "attack": [1], "output": "logits"},
        {"input_px": 32, "attack": [1], "__class__": 1},
        {"input_px": 32, "attack": [1], "crop_scale": 99},
        {"input_px": 32, "attack": 1},
    ],
)
def test_a_senseless_description_is_refused_in_words(tmp_path, said):
    (tmp_path / "about.json").write_text(json.dumps(said))
    with pytest.raises(AttackCheckUnusable):
        read_model(tmp_path / "about.json")


def test_a_description_comes_back_as_it_was_written():
    model = AttackModel(80, genuine=(1,), channels="bgr", crop_scale=2.7, small="refuse")
    assert model_of(json.loads(json.dumps(model.to_json()))) == model


def test_what_is_no_model_or_another_is_refused(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model at all")
    for path, places in ((tmp_path / "no.onnx", (1,)), (tmp_path / "gone.onnx", (1,))):
        with pytest.raises(AttackCheckUnusable):
            AttackCheck(path, AttackModel(32, attack=places))
    with pytest.raises(AttackCheckUnusable, match="gives 2 numbers; its description speaks of place 7"):
        check(tmp_path, attack=(7,))
