"""Figures of a validation: what one says, and how similarity, EER, rank-1 and the loss follow from embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from core.evaluation.people_alike import people_alike, weighted_roc
from core.evaluation.scores import pair_scores, side, sorted_scores
from core.evaluation.verification import equal_error_rate, roc_of_sorted
from core.images import RGB
from core.training.alarms import Signals
from core.training.array_cache import chunks
from core.training.recipe import Losses

Vectors = NDArray[np.float32]
BySize = dict[str, dict[str, float | None]]
"""Figures by size in px."""


@dataclass
class ValidationFigures:
    """Figures of one validation, None where undefined: fractions, means over sizes; `eer` is VLR against HR.

    `camera` (by size), `eer_camera` and `eer_camera_vlr_vlr` are of faces made small by the camera chain, the others of
    the data set's VLR files or bicubic.
    """

    similarity: float | None = None
    eer: float | None = None
    eer_vlr_vlr: float | None = None
    rank1: float | None = None
    accuracy: float | None = None
    loss: float | None = None
    psnr_db: float | None = None
    ssim: float | None = None
    mean_abs_cosine: float | None = None
    people: int = 0
    bicubic_db: float | None = None
    """PSNR of VLR, enlarged by bicubic, against HR: infinite where they are the same image."""
    by_size: BySize = field(default_factory=dict)
    eer_camera: float | None = None
    eer_camera_vlr_vlr: float | None = None
    camera: BySize = field(default_factory=dict)

    def event(self, *, pixels: bool) -> dict[str, Any]:
        names = ["loss", "accuracy", "similarity", "eer", "eer_vlr_vlr", "rank1"]
        names += ["psnr_db", "ssim"] if pixels else []
        names += ["eer_camera", "eer_camera_vlr_vlr", "camera"] if self.camera else []
        return {**{name: getattr(self, name) for name in names}, "by_size": self.by_size or None}

    def signals(self, cosine_at_start: float | None, classifies: bool) -> Signals:
        """The facts that alarms are judged by, beside the figures of `event`."""
        return Signals(self.mean_abs_cosine, cosine_at_start, self.bicubic_db, classifies, self.people)


@dataclass(frozen=True)
class ValidationLoss:
    """Terms of the validation loss: the stage's weights, and the teacher's embeddings of val's HR images."""

    weights: Losses
    targets: Vectors | None


def mean_over_sizes(per_size: BySize, name: str) -> float | None:
    """Mean of a figure over sizes; None unless every size has it."""
    known = [value for figures in per_size.values() if (value := figures.get(name)) is not None]
    return float(np.mean(known)) if known and len(known) == len(per_size) else None


def eer(probe: Vectors, gallery: Vectors | None, people: NDArray[np.int64], *, alike: bool = True) -> float | None:
    """EER over all pairs of different photographs with people alike, or plain; `gallery` None: among the probes. None
    without genuine or impostor pairs."""
    if not np.isfinite(probe).all():
        return None
    first = side(probe, people)
    other = first if gallery is None else side(gallery, people)
    ordered = gallery is not None
    genuine, impostor = sorted_scores(first, other, ordered=ordered)
    if not len(genuine) or not len(impostor):
        return None
    if not alike:
        return equal_error_rate(roc_of_sorted(genuine, impostor))
    weights = people_alike(first, other, ordered=ordered)
    return equal_error_rate(weighted_roc(first, other, genuine, weights, ordered=ordered))


def rank1(probe: Vectors, gallery: Vectors, people: NDArray[np.int64]) -> float | None:
    """Share of probes whose nearest gallery photograph, except their own, shows the same person. Only people with
    another photograph are probes; None without any."""
    counts = np.bincount(people)
    asked = np.flatnonzero(counts[people] > 1)
    if not len(asked) or len(np.unique(people)) < 2 or not np.isfinite(probe).all():
        return None
    right = 0
    for rows in chunks(len(asked), 512):
        chosen = asked[rows]
        scores = probe[chosen] @ gallery.T
        scores[np.arange(len(chosen)), chosen] = -np.inf
        right += int((people[scores.argmax(1)] == people[chosen]).sum())
    return right / len(asked)


def picture_quality(made: NDArray[np.uint8], hr: NDArray[np.uint8]) -> dict[str, float | None]:
    """Mean PSNR in dB and SSIM of (N, 112, 112, 3) against HR, as in evaluations."""
    from core.evaluation.fidelity import mean_psnr_db, psnr_db, ssim

    pairs: list[tuple[RGB, RGB]] = list(zip(made, hr, strict=True))
    return {
        "psnr_db": mean_psnr_db(psnr_db(*pair) for pair in pairs),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
    }


def loss_of(figures: dict[str, float | None], sr: Vectors, loss: ValidationLoss | None) -> float | None:
    """The stage's loss on val; None where a term is undefined."""
    if loss is None:
        return None
    values: dict[str, float | None] = {
        "classification": figures.get("_classification"),
        "alignment": 1 - (figures["similarity"] or 0.0),
        "teacher": None if loss.targets is None else float(1 - pair_scores(unit(sr), loss.targets).mean()),
        "pixel": figures.get("_pixel"),
        "identity": 1 - (figures["similarity"] or 0.0),
    }
    total = 0.0
    for name, value in values.items():
        weight = getattr(loss.weights, name)
        if weight > 0:
            if value is None:
                return None
            total += weight * value
    return total


def unit(raw: Vectors) -> Vectors:
    return functional.normalize(torch.from_numpy(np.asarray(raw)), dim=1).numpy()
