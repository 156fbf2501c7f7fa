"""Landmark trainings: resumed to the same bits, validated, reported, stopped and refused."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.errors import WeightsUnsafe
from core.faces.landmarks.network import Landmarker
from core.faces.landmarks.read import exact_look
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped
from core.models.files import read_metadata
from core.settings import load_settings
from core.training.errors import CheckpointUnusable, LossNotFinite, OutOfMemory, UnfitData
from core.training.history import History
from core.training.landmarks import engine, fit
from core.training.landmarks.card import landmarks_card
from core.training.landmarks.checkpoint import load_last, load_network
from core.training.landmarks.engine import train_landmarks
from core.training.landmarks.fit import rate_at
from core.training.landmarks.validate import DEGRADED, ROLLS_DEG, SIZES_PX, figures, measure
from tests.unit.training.landmarks.drawn_people import dotted, tiny_config


class Killed(BaseException):
    """Nothing that training could catch."""


def train(config, folder, *, stop_after=None, killed=lambda kind, data: False):
    """(report, events): with `stop_after` looks at the stop file it stops; `killed` says at which event it dies."""
    events, looks = [], [0]

    def on_event(kind, /, **data):
        events.append((kind, data))
        if killed(kind, data):
            raise Killed

    def should_stop():
        looks[0] += 1
        return stop_after is not None and looks[0] > stop_after

    report = None
    with suppress(JobStopped, Killed):
        report = train_landmarks(config, load_settings(), folder, hooks=Hooks(on_event, should_stop))
    return report, events


def differences(a, b, path="") -> list[str]:
    """Where two nested states differ, times left out."""
    if isinstance(a, dict):
        keys = [key for key in a.keys() | b.keys() if not str(key).endswith(("seconds", "_s"))]
        return [found for key in keys for found in differences(a.get(key), b.get(key), f"{path}.{key}")]
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [path]
    return [] if a == b else [path]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_network(folder / "best" / "landmarks.safetensors").state_dict()


def whole_config(people):
    return tiny_config(people, steps=5, epoch_steps=2, terms=["drawn people, free"], command="edgeface-studio train x")


@pytest.fixture
def config(people):
    return whole_config(people)


@pytest.fixture(scope="module")
def straight(people, tmp_path_factory):
    """(report, events, folder) of a run of that configuration that nothing disturbed."""
    root = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEFACE_DATA_DIR", str(root / "data"))
        return *train(whole_config(people), root / "straight"), root / "straight"


def test_a_run_reports_validates_and_keeps_its_best_network(config, straight):
    report, events, folder = straight
    epochs = [data for kind, data in events if kind == "epoch"]
    assert [(each["step"], each["epochs"]) for each in epochs] == [(1, 3), (2, 3), (3, 3)]
    first = epochs[0]
    assert set(first["val"]["by_size"]) == {"16", "24", "32", "100"}
    assert {"error_px", "error_90_px", "first_px", "first_90_px", "missed", "by_roll", "by_degradation"} == set(
        first["val"]["by_size"]["16"]
    )
    assert set(first["val"]["by_size"]["16"]["by_roll"]) == {"0", "30", "90", "180"}
    total = first["train"]["points"] + 10 * first["train"]["distance"] + first["train"]["face"]
    assert first["train"]["loss"] == pytest.approx(total, abs=1e-4)
    assert first["best"] and first["line"].startswith("Epoch 01/3 | Train Loss: ")
    assert json.loads(json.dumps(report)) == report, "values that JSON holds"
    assert report["train_images"] + 2 == 12 and report["identities"] == 5
    lowest = min(epochs, key=lambda each: each["val"]["error_px"])
    assert report["best"]["epoch"] == lowest["step"] and report["figures"] == lowest["val"]
    network = folder / report["weights"]["landmarks"].removeprefix("checkpoints/")
    readings = Landmarker(network).read(np.zeros((2, 80, 80, 3), dtype=np.uint8))
    assert np.isfinite(readings.points).all() and readings.points.shape == (2, 5, 2)
    metadata = read_metadata(network)
    assert metadata["format"] == "edgeface-studio-landmarks-1" and json.loads(metadata["terms"]) == [
        "drawn people, free"
    ]
    card = landmarks_card(network, config=config.model_dump(mode="json"), report=report)
    assert "# landmarks\n" in card and "- drawn people, free" in card and "10 faces, 5 people" in card
    row = next(line for line in card.splitlines() if line.startswith("| exact look, median"))
    assert [float(cell) for cell in row.split("|")[2:-1]] == [
        pytest.approx(each["error_px"], abs=0.006) for each in lowest["val"]["by_size"].values()
    ]


def test_the_training_page_reads_its_history(config, tmp_path):
    from core.jobs.events import EventLog

    log = EventLog(tmp_path / "events.jsonl")
    log.append("started")
    train_landmarks(config, load_settings(), tmp_path / "run", hooks=Hooks(log.append))
    log.close()
    history = History(log.path)
    history.update()
    table = history.epochs()
    assert list(table["step"]) == [1, 2, 3] and table["val.error_px"].notna().all()
    assert history.plan.epochs == 3 and history.plan.train_images == 10 and history.progress.share is not None
    assert history.checkpoints["best"] in (1, 2, 3) and not history.trace().empty


@pytest.mark.parametrize("workers", [0, 1])
def test_stopped_anywhere_and_resumed_a_run_comes_to_the_same_bits(config, straight, tmp_path, workers):
    """Also where another process prepares the batches: they are those that this one makes."""
    config = config.model_copy(update={"num_workers": workers})
    undisturbed, _, beside = straight
    folder, starts = tmp_path / "stopped", 0
    report = None
    while report is None:  # one look while photographs are prepared, then one a step and one a condition
        starts += 1
        report, _ = train(config, folder, stop_after=3 if starts % 2 else 40)
        assert starts < 40
    assert starts > 3
    assert differences(load_last(beside), load_last(folder)) == []
    assert differences(weights(beside), weights(folder)) == []
    assert differences(undisturbed["best"], report["best"]) == []


@pytest.mark.parametrize("at", [("epoch", 2), ("checkpoint", 2), ("progress", 3)])
def test_killed_and_resumed_a_run_comes_to_the_same_bits(config, straight, tmp_path, at, monkeypatch):
    monkeypatch.setattr(engine, "SAVE_EVERY", 1)
    undisturbed, _, beside = straight
    seen = [0]

    def killed(kind, data):
        seen[0] += (kind, data.get("step")) != ("progress", "validate") and kind == at[0]
        return seen[0] == at[1]

    nothing, _ = train(config, tmp_path / "killed", killed=killed)
    seen[0] = 1000
    report, _ = train(config, tmp_path / "killed")
    assert nothing is None and report is not None
    assert differences(load_last(beside), load_last(tmp_path / "killed")) == []
    assert differences(weights(beside), weights(tmp_path / "killed")) == []
    assert differences(undisturbed["figures"], report["figures"]) == []


def test_a_state_without_a_standing_is_validated_and_reported(config, straight, tmp_path):
    """As a training by other means leaves it: networks, optimizer and step alone."""
    state = load_last(straight[2])
    (tmp_path / "b").mkdir()
    torch.save({name: state[name] for name in ("network", "mean", "optimizer", "step")}, tmp_path / "b" / "last.pt")
    report, events = train(config, tmp_path / "b")
    assert [kind for kind, _ in events].count("epoch") == 1 and report["best"]["steps"] == 5
    assert differences(weights(tmp_path / "b"), state["mean"]) == []


def test_a_network_learns_dots(tmp_path):
    """Enough steps on one picture to place points on it: the loss, the rate and the means work together."""
    from core.training.landmarks.batches import Material, batches
    from core.training.landmarks.fit import Fit

    config = tiny_config(tmp_path, steps=60, batch_size=16)
    torch.set_num_threads(1)
    learner = Fit(config, "cpu")
    sets = [dotted(sigma=6.0)]
    before = figures(measure(learner.mean, sets, 1))["error_px"]
    for batch in batches(Material(sets, []), 16, range(60), seed=0, workers=0):
        learner.advance(batch)
    assert set(learner.losses()) == {"total", "points", "distance", "face"}
    after = figures(measure(learner.mean, sets, 1))["error_px"]
    assert after < 0.85 * before and math.isfinite(after)


def test_the_rate_by_hand(people):
    """Rises over 300 steps, then half the cosine at half time, a hundredth at the end."""
    config = tiny_config(people, steps=1000, learning_rate=0.1)
    assert rate_at(config, 0) == pytest.approx(0.1 / 300, rel=1e-3)
    assert rate_at(config, 499) == pytest.approx(0.1 * (0.01 + 0.99 * 0.5))
    assert rate_at(config, 999) == pytest.approx(0.001)


def test_validation_by_hand():
    """A network that always answers with the truth of an upright face errs by nothing at 0 degrees once it is looked at
    exactly, and by the distance between a face and its mirror image through the middle at 180."""

    class Template(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1.0))

        def forward(self, images):
            points = torch.from_numpy(self.points).float().flatten().repeat(len(images), 1) * self.scale
            return torch.cat([points, torch.zeros(len(images), 5), torch.ones(len(images), 1)], dim=1)

    source = dotted()
    look = exact_look(source.landmarks[0])
    assert look is not None and abs(look.roll_deg) < 1.5
    network = Template()
    network.points = look.from_picture(source.landmarks[0])
    found = measure(network, [source], 5)
    assert len(found) == len(SIZES_PX) * len(ROLLS_DEG) * len(DEGRADED)
    assert all(len(each.exact) == 1 and each.is_face.all() for each in found)
    by_roll = {each.condition.roll_deg: each for each in found if each.condition.size_px == 100}
    assert by_roll[0].first[0] < by_roll[180].first[0]
    assert by_roll[180].exact[0] > 30
    summary = figures(found)
    assert summary["missed"] == 0 and summary["by_size"]["100"]["by_roll"]["180"]["error_px"] > 30
    again = figures(measure(network, [source], 5))
    assert again == summary, "the same pictures every time"
    assert exact_look(np.zeros((5, 2), dtype=np.float32)) is None


def test_too_few_faces_are_said(people, tmp_path):
    folder = tmp_path / "few"
    shutil.copytree(people / "Person_0", folder / "Person_0")
    for person in range(3):
        (folder / f"grey{person}").mkdir(parents=True)
        Image.new("RGB", (100, 100), (80, 80, 80)).save(folder / f"grey{person}" / "1.png")
    (folder / "grey0" / "2.jpg").write_bytes(b"no picture")
    with pytest.raises(UnfitData, match=r"1 couldn't be read\. At least 10") as refused:
        train_landmarks(tiny_config(folder), load_settings(), tmp_path / "run", hooks=Hooks())
    assert "48 px" in refused.value.next_step


def test_unreadable_pictures_are_left_out_with_a_warning(people, tmp_path):
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    (folder / "Person_0" / "odd.jpg").write_bytes(b"no picture")
    _, events = train(tiny_config(folder, steps=1, epoch_steps=1), tmp_path / "run")
    assert ("warning", {"text": "1 picture couldn't be read and was left out."}) in events


def test_a_loss_that_isnt_finite_a_lack_of_memory_and_a_damaged_state_are_said(config, tmp_path, monkeypatch):
    def broken(out, points, is_face):
        return {name: out.sum() * float("nan") for name in fit.LOSSES}

    monkeypatch.setattr(fit, "landmark_loss", broken)
    with pytest.raises(LossNotFinite, match="step 1"):
        train(config, tmp_path / "nan")
    monkeypatch.undo()

    def full(self, batch):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(fit.Fit, "advance", full)
    with pytest.raises(OutOfMemory, match="a batch of 4 looks"):
        train(config, tmp_path / "full")
    monkeypatch.undo()
    for content in (b"cut off", None):
        folder = tmp_path / f"damaged{content is None}"
        folder.mkdir()
        if content is None:
            torch.save({"step": 1}, folder / "last.pt")
        else:
            (folder / "last.pt").write_bytes(content)
        with pytest.raises(CheckpointUnusable):
            train(config, folder)


def test_a_card_needs_a_landmark_network(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"\x08\x01")
    with pytest.raises(WeightsUnsafe, match="no metadata of a landmark network"):
        landmarks_card(tmp_path / "x.onnx")
