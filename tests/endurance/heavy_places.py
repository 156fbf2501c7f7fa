"""Places that need torch or make data sets: re-embedding, builds, checkpoints."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch

import core.enrolment.reembed
from core.dataset.build import build
from core.dataset.manifest import read_dataset
from core.dataset.scan import scan
from core.encoder.encode import Encoder, load_encoder
from core.encoder.network import build_network
from core.faces.detect import Detector
from core.gallery import Space
from core.images import encode_image
from core.models.variants import VARIANTS
from core.pipeline import Pipeline, PipelineConfig
from core.sr import bicubic
from core.training.checkpoint import Weights, load_state, load_weights, save_checkpoint
from tests.endurance.places import Place, Say, nothing, opened, templates, whole

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "dataset"))
from sets import notes_set, picture

PHOTOGRAPHS = 9

# Re-embedding -------------------------------------------------------------------------------------------------------

_ENCODERS: list[Encoder] = []


def encoders(folder: Path) -> list[Encoder]:
    """Two encoders with random weights, made once, before the first child."""
    for seed in range(len(_ENCODERS), 2):
        torch.manual_seed(seed)
        path = folder / f"weights-{seed}.pt"
        torch.save(build_network(VARIANTS["edgeface_xxs"]).state_dict(), path)
        _ENCODERS.append(load_encoder(path, check=False, precision="float32", device="cpu"))
    return _ENCODERS


def prepare_reembedding(folder: Path) -> None:
    core.enrolment.reembed.BATCH = 3
    encoders(folder)
    with opened(folder) as gallery:
        for number in range(PHOTOGRAPHS):
            crop = encode_image(picture(number), "png")
            [one] = templates(number, 1)
            space = Space("x", "a" * 64, "bicubic", False)
            gallery.enrol(f"person {number}", [replace(one, crop=crop, image_sha256=f"{number}")], space=space)


def reembed_both(folder: Path, say: Say) -> None:
    made = encoders(folder)
    for number in count():
        with opened(folder) as gallery:
            pipeline = Pipeline(PipelineConfig(), made[number % 2], bicubic(), Detector(), gallery)
            core.enrolment.reembed.reembed(pipeline, gallery, on_event=lambda kind, **_: say(kind))


def reembedded(folder: Path, said: Sequence[str]) -> None:
    whole(folder / "gallery.db")
    with opened(folder) as gallery:
        people = gallery.identities()
        assert len(people) == PHOTOGRAPHS
        for person in people:
            held = gallery.templates(person.id)
            assert held and all(each.crop for each in held), "a person lost their last template"
            spaces = [(each.space, each.size_px, each.image_sha256) for each in held]
            assert len(set(spaces)) == len(spaces), "a photograph was embedded twice into one space"


# Builds -------------------------------------------------------------------------------------------------------------


def prepare_build(folder: Path) -> None:
    notes_set(folder / "in", {f"{n:03}": 5 for n in range(1, 6)})


def build_sets(folder: Path, say: Say) -> None:
    for number in count(len(list(folder.glob("out-*")))):
        build(scan(folder / "in"), folder / f"out-{number}", mode="both")
        say(f"out-{number}")


def built(folder: Path, said: Sequence[str]) -> None:
    assert {path.name for path in folder.glob("out-*")} >= set(said), "an acknowledged build is lost"
    for path in folder.glob("out-*"):
        parts = sorted(path.parent.glob(f"{path.name}/*/manifest.csv")) or [path / "manifest.csv"]
        for part in parts:
            frame = read_dataset(part.parent).frame
            assert len(frame) > 0 and all((part.parent / each).is_file() for each in frame["path"])
        shutil.rmtree(path)


# Checkpoints --------------------------------------------------------------------------------------------------------


def save_many(folder: Path, say: Say) -> None:
    before = load_state(folder / "last")
    for step in count(0 if before is None else before["step"] + 1):
        tensors = {"w": torch.full((256, 256), float(step))}
        save_checkpoint(folder / "last", {"encoder": Weights(tensors, {"step": str(step)})}, {"step": step})
        say(str(step))


def saved(folder: Path, said: Sequence[str]) -> None:
    state = load_state(folder / "last")
    if state is None:
        assert not said, "the last checkpoint is lost"
        return
    assert not said or state["step"] - int(said[-1]) in (0, 1), "another than the last checkpoint was kept"
    weights = load_weights(folder / "last", "encoder")
    assert weights is not None and float(weights["w"][7, 7]) == state["step"], (
        "weights and state are of two checkpoints"
    )


HEAVY_PLACES = (
    Place("re-embedding", prepare_reembedding, reembed_both, reembedded, most=8, within_s=0.3),
    Place("build", prepare_build, build_sets, built, most=2, within_s=0.3),
    Place("checkpoint", nothing, save_many, saved, most=8, within_s=0.03),
)
