"""Values of an inspection, its subject and its results: frozen, with pictures as uint8 RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.images import RGB

INVENTED = "super-resolved: detail is invented"
"""The label of every super-resolved picture, on the screen and drawn into exported files."""

Answer = Literal["helps", "harms", "no difference", "unknown"]


@dataclass(frozen=True, eq=False)
class Subject:
    """A face to inspect.

    `vlr` is uint8 RGB (s, s, 3), s from 8 to 64; `hr` the truth (112, 112, 3), None where it is unknown (the
    photograph itself is small). `made_small` describes how `vlr` was made. `identity` is the person, "" where unknown;
    `sha256` identifies the picture, which is left out of its own person's templates.
    """

    name: str
    vlr: RGB
    hr: RGB | None
    made_small: str
    identity: str = ""
    sha256: str = ""

    @property
    def size_px(self) -> int:
        return int(self.vlr.shape[0])


@dataclass(frozen=True)
class Neighbour:
    """A person and their score, a cosine in [-1, 1]."""

    name: str
    score: float


@dataclass(frozen=True)
class Ranking:
    """The people whom one picture resembles most, best first, among `people`.

    `rank` and `genuine` are the true person's: 1 + how many others score at least as high, and their score; None
    where they are unknown or have no other picture.
    """

    nearest: tuple[Neighbour, ...]
    people: int
    rank: int | None = None
    genuine: float | None = None


@dataclass(frozen=True, eq=False)
class Enlarged:
    """The face at 112 px, one way: by bicubic, by a network, or HR itself.

    `image` is (112, 112, 3), `vector` its unit embedding. `psnr_db`, `ssim` and `similarity` (cosine of the
    embeddings) are against HR, as core.evaluation.sr_quality measures them; None without HR. `difference` is
    (112, 112) uint8, the mean over the channels of |image - HR|. `invented` is true for a network's picture.
    """

    name: str
    image: RGB
    vector: NDArray[np.float32]
    invented: bool = False
    psnr_db: float | None = None
    ssim: float | None = None
    similarity: float | None = None
    difference: NDArray[np.uint8] | None = None
    ranking: Ranking | None = None

    @property
    def caption(self) -> str:
        """Its name, with the label where detail is invented."""
        return f"{self.name} ({INVENTED})" if self.invented else self.name


@dataclass(frozen=True)
class Step:
    """One array on the way from VLR to embedding: shape, range, mean, standard deviation, and `problem`: a
    deviation from what is expected, or ""."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    mean: float
    std: float
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """Does super-resolution help this face? The answer and a sentence with the figures that it rests on."""

    answer: Answer
    sentence: str


@dataclass(frozen=True, eq=False)
class Inspection:
    """Everything about one face with one encoder and upscaler.

    `dsr` is None where no network is in use, `hr` where there is no truth. `in_use` names the upscaler of a face of
    this size in recognition, and why. `reference` names the people that were searched. `timings_ms` are milliseconds
    by step.
    """

    subject: Subject
    bicubic: Enlarged
    dsr: Enlarged | None
    hr: Enlarged | None
    verdict: Verdict
    steps: tuple[Step, ...]
    timings_ms: dict[str, float]
    encoder: str
    encoder_sha256: str
    upscaler: str
    upscaler_sha256: str
    precision: str
    flip_tta: bool
    in_use: str
    reference: str = ""

    @property
    def enlarged(self) -> tuple[Enlarged, ...]:
        """Those there are, in the order of the screen: bicubic, DSR, HR."""
        return tuple(one for one in (self.bicubic, self.dsr, self.hr) if one is not None)

    def figures(self) -> dict[str, Any]:
        """All of it but the pictures, as JSON takes it; infinite PSNR and what isn't known are None."""
        return {
            "name": self.subject.name,
            "identity": self.subject.identity or None,
            "size_px": self.subject.size_px,
            "made_small": self.subject.made_small,
            "encoder": self.encoder,
            "weights_sha256": self.encoder_sha256,
            "precision": self.precision,
            "flip_tta": self.flip_tta,
            "upscaler": self.upscaler,
            "upscaler_sha256": self.upscaler_sha256,
            "in_use": self.in_use,
            "answer": self.verdict.answer,
            "verdict": self.verdict.sentence,
            "reference": self.reference or None,
            "pictures": [_figures_of(one) for one in self.enlarged],
            "steps": [{**vars(step), "shape": list(step.shape)} for step in self.steps],
            "timings_ms": {name: round(ms, 2) for name, ms in self.timings_ms.items()},
        }


def _figures_of(one: Enlarged) -> dict[str, Any]:
    ranking = one.ranking
    return {
        "name": one.name,
        "label": INVENTED if one.invented else None,
        "psnr_db": one.psnr_db if one.psnr_db is not None and np.isfinite(one.psnr_db) else None,
        "ssim": one.ssim,
        "similarity": one.similarity,
        "rank": ranking.rank if ranking else None,
        "genuine": ranking.genuine if ranking else None,
        "people": ranking.people if ranking else None,
        "nearest": [vars(near) for near in ranking.nearest] if ranking else [],
    }
