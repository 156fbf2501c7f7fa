"""The second stage of landmark trainings: its targets by hand, who takes part, and a head that resumes to the same."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch

from core.faces.landmarks.network import Landmarker
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped
from core.settings import load_settings
from core.training.errors import CheckpointUnusable, UnfitData
from core.training.landmarks import recognisability, second_stage
from core.training.landmarks.batches import Material
from core.training.landmarks.card import landmarks_card
from core.training.landmarks.checkpoint import load_network
from core.training.landmarks.engine import train_landmarks
from core.training.landmarks.network import LandmarkNet
from core.training.landmarks.prepared import SourceSet
from core.training.landmarks.recognisability import HeadFit, Judged, embed_people, known_people, targets_of
from tests.unit.training.landmarks.drawn_people import dotted, tiny_config


class MeanColours:
    """An encoder whose embeddings are the colours of an 8 x 8 reduction."""

    def encode(self, crops):
        small = np.stack(crops).astype(np.float32).reshape(len(crops), 8, 14, 8, 14, 3).mean(axis=(2, 4))
        vectors = np.zeros((len(crops), 512), dtype=np.float32)
        vectors[:, :192] = small.reshape(len(crops), -1) - 120
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


@pytest.fixture
def quick(people, monkeypatch):
    monkeypatch.setattr(recognisability, "PAIRS", 3)
    monkeypatch.setattr(recognisability, "NO_FACES", 2)
    monkeypatch.setattr(recognisability, "GROUPS_A_PART", 1)
    monkeypatch.setattr(recognisability, "PART", 8)
    monkeypatch.setattr(recognisability, "BATCH", 4)
    monkeypatch.setattr(second_stage, "load_encoder", lambda path, **_: MeanColours())
    second = {"edgeface": "/weights.pt", "recognisability_faces": 16, "recognisability_epochs": 2}
    return tiny_config(people, steps=1, epoch_steps=1, **second)


def repeated(count: int) -> Material:
    one = dotted()
    rows = np.zeros(count, dtype=np.int64)
    places = np.arange(count, dtype=np.int32)
    return Material([SourceSet(one.windows, rows, one.landmarks[rows], places)], [])


def test_targets_by_hand():
    """1.4 (0.6 - 0.1) = 0.7; a negative cosine with the other face isn't rewarded; both ends are clipped."""
    same, other = np.float32([0.6, 0.5, 0.9, 0.1]), np.float32([0.1, -0.3, 0.0, 0.4])
    assert targets_of(same, other) == pytest.approx([0.7, 0.7, 1.0, 0.0])


def test_people_with_one_photograph_are_left_out_and_too_few_are_refused():
    (found,) = known_people(repeated(5), ["a", "b", "a", "c", "c"])
    assert [(each.row, each.person) for each in found] == [(0, "a"), (2, "a"), (3, "c"), (4, "c")]
    for persons in (["a", "b", "c"], ["a", "a", "b"]):
        with pytest.raises(UnfitData, match="two photographs or more") as refused:
            known_people(repeated(3), persons)
        assert "--edgeface" in refused.value.next_step


def test_a_face_is_compared_with_the_mean_of_the_persons_others(monkeypatch):
    class Counting:
        """Embeddings along one axis each, in order; a crop and its mirror image have the same."""

        def encode(self, crops):
            return np.eye(512, dtype=np.float32)[: len(crops)]

    material = repeated(5)
    people = embed_people(material, known_people(material, ["a", "a", "a", "b", "b"]), Counting(), Hooks())
    assert people.others[0, 0][:4] == pytest.approx([0, 0.5**0.5, 0.5**0.5, 0])
    assert people.others[0, 4][:5] == pytest.approx([0, 0, 0, 1, 0])


def test_both_faces_of_a_pair_are_degraded_alike():
    source = dotted()
    one, other = (
        recognisability._degraded((source.window(0), source.landmarks[0]), 30.0, 10.0, seed=5) for _ in range(2)
    )
    assert (one[0] == other[0]).all() and (one[1] == other[1]).all()
    unlike, _ = recognisability._degraded((source.window(0), source.landmarks[0]), 30.0, 10.0, seed=6)
    assert unlike.shape != one[0].shape or (unlike != one[0]).any()


def test_the_network_of_both_stages_reads_recognisability_and_its_trunk_is_unchanged(quick, people, tmp_path):
    events = []
    alone = train_landmarks(tiny_config(people, steps=1, epoch_steps=1), load_settings(), tmp_path / "a", hooks=Hooks())
    report = train_landmarks(
        quick, load_settings(), tmp_path / "b", hooks=Hooks(lambda kind, /, **data: events.append((kind, data)))
    )
    plan = next(data for kind, data in events if kind == "plan")
    assert [stage["name"] for stage in plan["stages"]] == ["landmarks", "recognisability"] and plan["epochs"] == 3
    assert [data["step"] for kind, data in events if kind == "epoch"] == [1, 2, 3]
    assert "recognisability" not in alone and report["recognisability"]["people"] == 5
    trunk, whole = (load_network(tmp_path / name / "best" / "landmarks.safetensors").state_dict() for name in "ab")
    assert all(torch.equal(whole[name], value) for name, value in trunk.items()) and len(whole) > len(trunk)
    looks = np.random.default_rng(0).integers(0, 256, (4, 80, 80, 3), dtype=np.uint8)
    found = Landmarker(tmp_path / "b" / "best" / "landmarks.onnx").read(looks)
    assert (found.recognisability != found.is_face).all()
    assert "16 faces of 5 people with two photographs" in landmarks_card(tmp_path / "b" / "best" / "landmarks.onnx")
    assert "not trained" in landmarks_card(tmp_path / "a" / "best" / "landmarks.onnx")
    assert not (tmp_path / "b" / "recognisability").exists(), "the drawn faces are removed"


def test_stopped_anywhere_and_resumed_it_comes_to_the_same_head(quick, tmp_path):
    straight = train_landmarks(quick, load_settings(), tmp_path / "a", hooks=Hooks())
    report, starts, looked = None, 0, [0]

    def should_stop():
        looked[0] += 1
        return looked[0] > (34 if starts < 2 else 2)

    while report is None and starts < 30:
        starts, looked[0] = starts + 1, 0
        with suppress(JobStopped):
            report = train_landmarks(quick, load_settings(), tmp_path / "b", hooks=Hooks(should_stop=should_stop))
    assert starts > 2 and report is not None
    assert report["recognisability"] == straight["recognisability"]
    one, other = (load_network(tmp_path / name / "best" / "landmarks.safetensors").state_dict() for name in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)
    (tmp_path / "b" / "recognisability.pt").write_bytes(b"cut off")
    with pytest.raises(CheckpointUnusable, match="is damaged"):
        train_landmarks(quick, load_settings(), tmp_path / "b", hooks=Hooks())


def test_the_head_learns_what_is_bright():
    """Grey looks whose target is their brightness: the loss falls, and most of the variance is explained."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    targets = rng.random(512).astype(np.float32)
    looks = np.broadcast_to((targets * 255).astype(np.uint8)[:, None, None, None], (512, 80, 80, 3)).copy()
    fit = HeadFit(LandmarkNet().eval(), 8, 0)
    judged = Judged(looks, targets)
    losses = [fit.advance(judged, lambda done, total: None) for _ in range(8)]
    assert losses[-1] < losses[0] and fit.epoch == 8
    assert fit.r2(Judged(looks[:9], targets[:1].repeat(9))) is None
