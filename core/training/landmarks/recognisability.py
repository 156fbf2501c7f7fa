"""The second stage: a head that tells from a look how far the embedding of the face in it can be trusted.

Two people's faces share one size, roll and degradation. A face's target is 1.4 times the excess of two cosines, clipped
to 0..1: that of its embedding with the mean embedding of the person's other, undegraded photographs, less that with the
pair's other face, where positive. What is no face has 0. Landmarks, alignment and super-resolution are those of
recognition, by the network of the first stage, whose weights stay as they are.

Faces are drawn in parts, each a function of the seed and its number and kept on disk until the stage is done; the head
is kept after every epoch. So an interrupted run resumes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from core.dataset.degrade import degrade_photograph, seed_for
from core.dataset.journal import storage
from core.encoder.encode import Encoder
from core.faces.align import align, probe_px
from core.faces.landmarks.look import Look
from core.faces.landmarks.read import FIRST_SIDE, exact_look
from core.images import to_tensor
from core.jobs.context import Hooks
from core.settings import CROP_PX
from core.sr.upscale import Upscaler
from core.system.atomic_file import replacement
from core.training.checkpoint import disk_errors
from core.training.errors import UnfitData
from core.training.landmarks.batches import Material
from core.training.landmarks.faults import motion_kernel, spoilt
from core.training.landmarks.network import POINTS, LandmarkNet, RecognisabilityHead
from core.training.landmarks.prepared import SourceSet
from core.training.landmarks.samples import covered, cut_off, drawn, no_face

RGB = NDArray[np.uint8]

KIND = "recognisability"
SCALE = 1.4
"""An excess of cosines from which a face counts as fully recognisable is 1 / SCALE."""

PAIRS, NO_FACES = 29, 5
"""Pairs of faces, and looks without a face, in each group that is drawn at once: 8 % have none."""

GROUPS_A_PART = 16
PART = GROUPS_A_PART * (2 * PAIRS + NO_FACES)
"""Looks in each part."""

BATCH, RATE, WARM_STEPS = 256, 2e-3, 100
_MOST_AT_ONCE = 128


class Judged(NamedTuple):
    """Looks uint8 (N, 80, 80, 3), and the recognisability of the face in each (N,), 0 to 1."""

    looks: RGB
    targets: NDArray[np.float32]


class Known(NamedTuple):
    """A source: the place of its set, its row there, and its person."""

    place: int
    row: int
    person: str


@dataclass(frozen=True)
class People:
    """Sources of people with two photographs or more. `by_set`: those of each set. `others` (512,): for the place and
    row of each, the unit mean of the embeddings of the person's other photographs."""

    material: Material
    by_set: Sequence[Sequence[Known]]
    others: dict[tuple[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Tools:
    """What recognition does with a face: the network of the first stage in eval mode, the upscaler and the encoder."""

    network: LandmarkNet
    upscaler: Upscaler
    encoder: Encoder


def known_people(material: Material, persons: Sequence[str]) -> list[list[Known]]:
    """The sources of each set whose person has another one; `persons` by a photograph's position. A set without any is
    left out. Raises UnfitData where fewer than two people are left."""
    found = [
        [Known(place, index, persons[position]) for index, position in enumerate(one.photographs)]
        for place, one in enumerate(material.sets)
    ]
    seen: dict[str, int] = {}
    for each in (known for one in found for known in one):
        seen[each.person] = seen.get(each.person, 0) + 1
    kept = [several for one in found if (several := [each for each in one if seen[each.person] > 1])]
    if len({each.person for one in kept for each in one}) < 2:
        raise UnfitData(
            "Recognisability is learned from people with two photographs or more, and fewer than two such people are "
            "in the photographs.",
            "Name a folder that holds a folder for each person, or train without --edgeface.",
        )
    return kept


def embed_people(material: Material, by_set: Sequence[Sequence[Known]], encoder: Encoder, hooks: Hooks) -> People:
    """Embed every source, plain and mirrored, and average each person's others. Raises JobStopped."""
    listed = [each for one in by_set for each in one]
    vectors = np.zeros((len(listed), 512), dtype=np.float32)
    for start in range(0, len(listed), _MOST_AT_ONCE):
        hooks.check_stop()
        hooks.progress("embeddings", start, len(listed))
        part = listed[start : start + _MOST_AT_ONCE]
        sets = [material.sets[each.place] for each in part]
        crops = [align(one.window(k.row), one.landmarks[k.row]) for one, k in zip(sets, part, strict=True)]
        both = encoder.encode(crops) + encoder.encode([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])
        vectors[start : start + len(part)] = both / np.linalg.norm(both, axis=1, keepdims=True)
    hooks.progress("embeddings", len(listed), len(listed))
    sums: dict[str, NDArray[np.float32]] = {}
    for each, vector in zip(listed, vectors, strict=True):
        sums[each.person] = sums.get(each.person, np.zeros(512, dtype=np.float32)) + vector
    others = {}
    for each, vector in zip(listed, vectors, strict=True):
        rest = sums[each.person] - vector
        others[each.place, each.row] = rest / max(float(np.linalg.norm(rest)), 1e-9)
    return People(material, by_set, others)


def targets_of(same: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Recognisability (N,) by the cosines with the person's other photographs and with the pair's other face."""
    return np.asarray(np.clip(SCALE * (same - np.maximum(other, 0)), 0, 1), dtype=np.float32)


def make_group(people: People, tools: Tools, rng: np.random.Generator) -> Judged:
    """Draw a group: PAIRS pairs of faces that share a degradation, and NO_FACES looks without a face."""
    faces = [face for _ in range(PAIRS) for face in _draw_pair(people, rng)]
    pictures, looks = [face[0] for face in faces], [face[1] for face in faces]
    first = _read(tools.network, [look.cut(picture) for look, picture in zip(looks, pictures, strict=True)])
    exact = [exact_look(look.to_picture(points)) or look for look, points in zip(looks, first, strict=True)]
    cuts = [look.cut(picture) for look, picture in zip(exact, pictures, strict=True)]
    plain, mirrored = _read(tools.network, cuts), _read(tools.network, [cut[:, ::-1] for cut in cuts])
    mean = (plain + mirrored[:, [1, 0, 2, 4, 3]] * np.array([-1, 1], dtype=np.float32)) / 2
    landmarks = [look.to_picture(points) for look, points in zip(exact, mean, strict=True)]
    crops = [align(picture, points) for picture, points in zip(pictures, landmarks, strict=True)]
    through = [n for n, points in enumerate(landmarks) if tools.upscaler.route(probe_px(points)).network]
    if through:
        for n, crop in zip(through, tools.upscaler.super_resolve([crops[n] for n in through]), strict=True):
            crops[n] = crop
    embedded = tools.encoder.encode(crops)
    same = (embedded * np.stack([face[2] for face in faces])).sum(axis=1)
    other = (embedded.reshape(PAIRS, 2, -1)[:, ::-1].reshape(embedded.shape) * embedded).sum(axis=1)
    none = [_draw_no_face(people, rng) for _ in range(NO_FACES)]
    judged = np.concatenate([targets_of(same, other), np.zeros(NO_FACES, dtype=np.float32)])
    return Judged(np.stack([*cuts, *none]), judged)


def make_parts(people: People, tools: Tools, folder: Path, *, faces: int, seed: int, hooks: Hooks) -> Judged:
    """Return `faces` judged looks, rounded up to whole parts; those in `folder` aren't made again.

    Raises JobStopped, StorageFailed.
    """
    count = -(-faces // PART)
    found = []
    for number in range(count):
        path = folder / f"{number:05d}.npz"
        if not path.is_file():
            rng = np.random.default_rng(seed_for(seed, KIND, number))
            groups = []
            for group in range(GROUPS_A_PART):
                hooks.check_stop()
                hooks.progress("faces", number * PART + group * PART // GROUPS_A_PART, count * PART)
                groups.append(make_group(people, tools, rng))
            with storage(folder):
                folder.mkdir(parents=True, exist_ok=True)
                with replacement(path, suffix=".npz") as temporary, disk_errors(folder):
                    looks, targets = (np.concatenate(column) for column in zip(*groups, strict=True))
                    np.savez(temporary, looks=looks, targets=targets)
        with np.load(path, allow_pickle=False) as part:
            found.append(Judged(part["looks"], part["targets"]))
    hooks.progress("faces", count * PART, count * PART)
    return Judged(*(np.concatenate(column) for column in zip(*found, strict=True)))


class HeadFit:
    """The head and its optimizer; the trunk stays as it is. `epoch`: epochs done."""

    def __init__(self, network: LandmarkNet, epochs: int, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, KIND))
            self.head = RecognisabilityHead()
        self.network, self.epochs, self.seed, self.epoch = network, epochs, seed, 0
        self.head.to(next(network.parameters()).device)
        self.optimizer = torch.optim.AdamW(self.head.parameters(), RATE, weight_decay=0.01)

    def advance(self, judged: Judged, progress: Callable[[int, int], None]) -> float:
        """Train one epoch, and return its mean loss: the cross-entropy with soft targets."""
        self.head.train()
        rng = np.random.default_rng(seed_for(self.seed, KIND, "epoch", self.epoch))
        order, steps = rng.permutation(len(judged.targets)), max(1, len(judged.targets) // BATCH)
        total = 0.0
        for number in range(steps):
            progress(number * BATCH, steps * BATCH)
            for group in self.optimizer.param_groups:
                group["lr"] = head_rate(self.epoch * steps + number, self.epochs * steps)
            rows = np.sort(order[number * BATCH : (number + 1) * BATCH])
            looks = judged.looks[rows]
            if rng.random() < 0.5:
                looks = looks[:, :, ::-1]
            logits = self._logits(looks)
            wanted = torch.from_numpy(judged.targets[rows]).to(logits.device)
            loss = functional.binary_cross_entropy_with_logits(logits, wanted)
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
            total += float(loss.detach())
        progress(steps * BATCH, steps * BATCH)
        self.epoch += 1
        return total / steps

    def _logits(self, looks: RGB) -> torch.Tensor:
        with torch.no_grad():
            maps = self.network.feature_maps(to_tensor(list(looks), str(next(self.head.parameters()).device)))
        logits: torch.Tensor = self.head(*maps)[:, 0]
        return logits

    @torch.no_grad()
    def r2(self, judged: Judged) -> float | None:
        """The share of the targets' variance that the head explains; None where all are the same."""
        self.head.eval()
        starts = range(0, len(judged.targets), _MOST_AT_ONCE)
        found = [torch.sigmoid(self._logits(judged.looks[n : n + _MOST_AT_ONCE])).cpu().numpy() for n in starts]
        spread = float(((judged.targets - judged.targets.mean()) ** 2).sum())
        return 1 - float(((np.concatenate(found) - judged.targets) ** 2).sum()) / spread if spread > 0 else None


def head_rate(step: int, steps: int) -> float:
    """The learning rate of a step (from 0) of the second stage."""
    return RATE * min(1.0, (step + 1) / WARM_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps)) + 1e-5


def _draw_pair(people: People, rng: np.random.Generator) -> list[tuple[RGB, Look, NDArray[np.float32]]]:
    """Two people's faces of one size, roll and degradation: picture, first look, embedding of the others."""
    size = float(np.exp(rng.uniform(np.log(8), np.log(60)))) if rng.random() < 0.8 else float(rng.uniform(60, CROP_PX))
    roll, seed = float(rng.normal(0, 20)), int(rng.integers(2**31))
    one = other = _draw_known(people, rng)
    while other.person == one.person:
        other = _draw_known(people, rng)
    found = []
    for each in (one, other):
        picture, native = _degraded(_source(people, each), size, roll, seed)
        about = exact_look(native)
        middle = np.array(about.centre if about else native.mean(axis=0) + 0.5) + rng.normal(0, 0.06, 2) * size
        look = Look((float(middle[0]), float(middle[1])), FIRST_SIDE * size * float(np.exp(rng.normal(0, 0.1))))
        found.append((picture, look, people.others[each.place, each.row]))
    return found


def _draw_known(people: People, rng: np.random.Generator) -> Known:
    one = people.by_set[int(rng.integers(len(people.by_set)))]
    return one[int(rng.integers(len(one)))]


def _source(people: People, known: Known) -> tuple[RGB, NDArray[np.float32]]:
    one: SourceSet = people.material.sets[known.place]
    return one.window(known.row), one.landmarks[known.row]


def _degraded(
    source: tuple[RGB, NDArray[np.float32]], size: float, roll: float, seed: int
) -> tuple[RGB, NDArray[np.float32]]:
    """A source as a camera delivers it, by the seed alone: drawn, cut off, covered, blurred, noisy, compressed."""
    rng = np.random.default_rng(seed)
    picture, native = drawn(*source, size, roll, rng)
    if rng.random() < 0.1:
        picture, native = cut_off(picture, native, size, rng)
    if rng.random() < 0.1:
        picture = covered(picture, native, size, rng)
    fault, blur = rng.random(), rng.random()
    if blur < 0.18:
        line = motion_kernel(float(rng.uniform(0.05, 0.4)) * size, float(rng.uniform(0, 180)))
        picture = np.asarray(cv2.filter2D(picture, -1, line), dtype=np.uint8)
    elif blur < 0.28:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.01, 0.08)) * size), dtype=np.uint8)
    if fault < 0.35:
        picture = degrade_photograph(np.ascontiguousarray(picture), size, size, seed=seed)
    elif fault < 0.7:
        picture = spoilt(picture, size, rng)
    return np.ascontiguousarray(picture), native


def _draw_no_face(people: People, rng: np.random.Generator) -> RGB:
    size, roll = float(np.exp(rng.uniform(np.log(8), np.log(CROP_PX)))), float(rng.normal(0, 20))
    source = _source(people, _draw_known(people, rng))
    return no_face(*source, people.material.textures, size, roll, rng).image


@torch.no_grad()
def _read(network: LandmarkNet, cuts: Sequence[RGB]) -> NDArray[np.float32]:
    """Points (N, 5, 2) in the looks' units."""
    device = str(next(network.parameters()).device)
    out = network(to_tensor([np.ascontiguousarray(cut) for cut in cuts], device)).float().cpu().numpy()
    return np.asarray(out[:, : 2 * POINTS].reshape(-1, POINTS, 2), dtype=np.float32)
