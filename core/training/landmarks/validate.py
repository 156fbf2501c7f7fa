"""Validation of a landmark network: errors in px of 112 by size, roll and degradation, at the first and the exact look.

The faces, their backgrounds and the first looks' errors are the same in every validation of every run on the same
photographs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.dataset.degrade import seed_for
from core.faces.landmarks.look import Look
from core.faces.landmarks.read import FIRST_SIDE, exact_look
from core.images import to_tensor
from core.jobs.context import NO_HOOKS, Hooks
from core.settings import CROP_PX
from core.training.landmarks.faults import spoilt
from core.training.landmarks.network import FACE, POINTS
from core.training.landmarks.prepared import SourceSet
from core.training.landmarks.samples import drawn

SIZES_PX = (16, 24, 32, 100)
ROLLS_DEG = (0, 30, 90, 180)
DEGRADED = ("bicubic", "camera")
"""As drawn, and with a camera's faults."""

_AT_ONCE = 128


@dataclass(frozen=True)
class Condition:
    """How validated faces are drawn."""

    size_px: int
    roll_deg: int
    degraded: str


@dataclass(frozen=True)
class Errors:
    """Of the faces of a condition: the mean distance of their five points from the truth, in px of 112, by the `first`
    and by the `exact` look (N,), and whether the exact look took each for a face (N,)."""

    condition: Condition
    first: NDArray[np.float64]
    exact: NDArray[np.float64]
    is_face: NDArray[np.bool_]


@dataclass(frozen=True)
class _Case:
    picture: NDArray[np.uint8]
    truth: NDArray[np.float32]
    look: Look


def measure(network: nn.Module, sets: Sequence[SourceSet], most: int, *, hooks: Hooks = NO_HOOKS) -> list[Errors]:
    """Measure a network, which is in eval mode, on at most `most` faces in each condition. Raises JobStopped."""
    conditions = [Condition(*each) for each in ((s, r, d) for s in SIZES_PX for r in ROLLS_DEG for d in DEGRADED)]
    found = []
    for done, condition in enumerate(conditions):
        hooks.check_stop()
        hooks.progress("validate", done, len(conditions))
        found.append(_measured(network, condition, list(_cases(sets, condition, most))))
    hooks.progress("validate", len(conditions), len(conditions))
    return found


def figures(errors: Sequence[Errors]) -> dict[str, Any]:
    """Summarise as the epoch's figures: overall, "by_size" and, within each size, "by_roll".

    "error_px" and "error_90_px" are the median and the 90th percentile of the exact look's errors, "first_px" and
    "first_90_px" the first look's; "missed" is the share of faces that count as none. The overall "error_px" is the
    mean of all conditions' medians.
    """
    by_size: dict[str, Any] = {}
    for size in SIZES_PX:
        of_size = [each for each in errors if each.condition.size_px == size]
        rolls = {
            str(roll): _summary([each for each in of_size if each.condition.roll_deg == roll]) for roll in ROLLS_DEG
        }
        kinds = {kind: _summary([each for each in of_size if each.condition.degraded == kind]) for kind in DEGRADED}
        by_size[str(size)] = {**_summary(of_size), "by_roll": rolls, "by_degradation": kinds}
    overall = float(np.mean([np.median(each.exact) for each in errors]))
    return {"error_px": overall, "missed": _summary(errors)["missed"], "by_size": by_size}


def figures_text(found: Mapping[str, Any]) -> str:
    """One line: "Error: 4.21 px of 112 (16 px 6.10, 24 px 4.02, ...) Missed: 0.3 %"."""
    sizes = ", ".join(f"{size} px {each['error_px']:.2f}" for size, each in found["by_size"].items())
    return f"Error: {found['error_px']:.2f} px of {CROP_PX} ({sizes}) Missed: {100 * found['missed']:.1f} %"


def _summary(errors: Sequence[Errors]) -> dict[str, float]:
    first, exact = (np.concatenate([getattr(each, name) for each in errors]) for name in ("first", "exact"))
    return {
        "error_px": float(np.median(exact)),
        "error_90_px": float(np.quantile(exact, 0.9)),
        "first_px": float(np.median(first)),
        "first_90_px": float(np.quantile(first, 0.9)),
        "missed": 1 - float(np.concatenate([each.is_face for each in errors]).mean()),
    }


def _cases(sets: Sequence[SourceSet], condition: Condition, most: int) -> Iterator[_Case]:
    """The condition's pictures, with the look that a detector's box would give."""
    rng = np.random.default_rng(seed_for(0, "validation", condition.size_px, condition.roll_deg, condition.degraded))
    size = float(condition.size_px)
    places = [(one, index) for one in sets for index in range(len(one))]
    for place in np.linspace(0, len(places), min(most, len(places)), endpoint=False).astype(int):
        source, index = places[place]
        picture, truth = drawn(source.window(index), source.landmarks[index], size, float(condition.roll_deg), rng)
        if condition.degraded == "camera":
            picture = spoilt(picture, size, rng)
        about = exact_look(truth)
        if about is None:
            continue
        shift = rng.normal(0, 0.07, 2) * size
        centre = (about.centre[0] + float(shift[0]), about.centre[1] + float(shift[1]))
        yield _Case(picture, truth, Look(centre, FIRST_SIDE * size * float(np.exp(rng.normal(0, 0.1)))))


def _measured(network: nn.Module, condition: Condition, cases: Sequence[_Case]) -> Errors:
    first, _ = _read(network, cases, [case.look for case in cases])
    looks = [exact_look(points) or case.look for points, case in zip(first, cases, strict=True)]
    exact, is_face = _read(network, cases, looks)
    scale = CROP_PX / condition.size_px
    off = (
        np.array([np.linalg.norm(p - case.truth, axis=1).mean() * scale for p, case in zip(found, cases, strict=True)])
        for found in (first, exact)
    )
    return Errors(condition, next(off), next(off), is_face)


def _read(
    network: nn.Module, cases: Sequence[_Case], looks: Sequence[Look]
) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Landmarks in each picture's pixels, and whether it shows a face."""
    device = str(next(network.parameters()).device)
    images = [look.cut(case.picture) for look, case in zip(looks, cases, strict=True)]
    parts = [images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE)]
    with torch.no_grad():
        out = torch.cat([network(to_tensor(part, device)) for part in parts]).float().cpu().numpy()
    points = out[:, : 2 * POINTS].reshape(-1, POINTS, 2)
    return [look.to_picture(one) for look, one in zip(looks, points, strict=True)], out[:, FACE] > 0
