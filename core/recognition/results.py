"""Results of the pipeline: a probe, a recognition, a comparison, a draft of an enrolment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.attack import AttackScore
from core.faces.face import Face
from core.faces.quality import Problem, Quality
from core.gallery.records import Candidate
from core.gallery.review import Finding

Outcome = Literal["match", "tie", "repeat", "unknown", "unrecognisable"]
"""A tie: two or more names have nearly equal scores. A repeat: a better face of the same photograph has the name."""

POSSIBLE = "; "
"""Separator of the names of a tie in a table's cell."""

NO_FACE = "no face found: the face may be too small, turned away or hidden"
NO_FACE_IN_BOX = "no face can be seen in the box"

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Taken = Literal["face", "box", "crop"]


@dataclass(frozen=True)
class Probe:
    """One face prepared for the encoder, not yet embedded.

    `crop` is uint8 RGB (s, s, 3): the aligned face at its native size, or at 112 px where it is that large.
    `aligned` (112, 112, 3) is cut from the photograph in one step, by interpolation alone: nothing in it is invented.
    `sr_image` (112, 112, 3) is what the encoder sees. `size_px` is the VLR size (16, 24 or 32) that a
    small probe counts as, None for a large one. `face` is in the pixels of `frame_shape` (height, width), which is
    smaller than the photograph when the probe was reduced; None for an aligned crop. `upscaler` is who enlarged the
    crop: "bicubic" or a network's name, of a specialist that embeds it as it is, "" where it was cut at 112 px;
    `upscaler_because` says why no network did. `invented`: a network enlarged it, so its detail is a guess.
    """

    crop: NDArray[np.uint8]
    aligned: NDArray[np.uint8]
    sr_image: NDArray[np.uint8]
    probe_px: float
    size_px: int | None
    quality: Quality
    problems: tuple[Problem, ...]
    face: Face | None
    frame_shape: tuple[int, int]
    upscaler: str = ""
    upscaler_because: str = ""
    invented: bool = False
    attack: AttackScore | None = None
    """Score of the check against presentation attacks; None where none is in use."""

    @property
    def upscaler_text(self) -> str:
        """The upscaler and the reason for it: "bicubic, since it measures better at 32 px"; "" for a crop that wasn't
        enlarged."""
        return f"{self.upscaler}, since {self.upscaler_because}" if self.upscaler_because else self.upscaler

    @property
    def taken(self) -> Taken:
        """ "face" where a face was found and aligned, "box" where a person drew a box around it, "crop" where the whole
        picture was used as an aligned crop."""
        if self.face is None:
            return "crop"
        return "box" if self.face.by_hand else "face"

    @property
    def unrecognisable_because(self) -> str:
        """The severe problems in words, "" when the face can be recognised."""
        return "; ".join(problem.text for problem in self.problems if problem.severe)

    @property
    def box_share(self) -> tuple[float, float, float, float] | None:
        """The face's box as shares of the frame (x0, y0, x1, y1 in [0, 1]), to draw on any size of the photograph."""
        if self.face is None:
            return None
        height, width = self.frame_shape
        x0, y0, x1, y1 = self.face.box_xyxy
        return (x0 / width, y0 / height, x1 / width, y1 / height)


@dataclass(frozen=True)
class Recognition:
    """The decision about one face and its reason. Fields can be read as attributes or by name in brackets.

    `score` is the best cosine in the gallery, `margin` its lead over the runner-up's; both None when nothing was
    compared. A match needs score >= threshold; only a match has an `identity`. `possible` are the names of a tie, or
    the one of a repeat; () otherwise. `calibrated` is False while the threshold is the default 0.35 or a given one;
    `warning` says why a calibrated one no longer fits, "" otherwise.
    `timings_ms` are milliseconds by step (in a batch: the face's share).
    """

    outcome: Outcome
    reason: str
    identity: str | None = None
    score: float | None = None
    threshold: float = 0.0
    calibrated: bool = False
    margin: float | None = None
    top_k: tuple[Candidate, ...] = ()
    probe: Probe | None = None
    embedding: NDArray[np.float32] | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    warning: str = ""
    possible: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The answer in short: "Ada", "Ada or Ben?", "Ada again?", "Unknown", "Can't be recognised"."""
        if self.is_attack:
            return "Presentation attack"
        if self.outcome == "tie":
            return f"{either(self.possible)}?"
        if self.outcome == "repeat":
            return f"{either(self.possible)} again?"
        return self.identity or ("Unknown" if self.outcome == "unknown" else "Can't be recognised")

    @property
    def probe_px(self) -> float | None:
        return self.probe.probe_px if self.probe else None

    @property
    def size_px(self) -> int | None:
        return self.probe.size_px if self.probe else None

    @property
    def taken(self) -> Taken | None:
        """How the face was taken from the picture, see `Probe.taken`; None without a face."""
        return self.probe.taken if self.probe else None

    @property
    def upscaler(self) -> str | None:
        return self.probe.upscaler_text if self.probe else None

    @property
    def quality(self) -> Quality | None:
        return self.probe.quality if self.probe else None

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.probe.problems if self.probe else ()

    @property
    def is_attack(self) -> bool:
        """Whether it was refused as a presentation attack (a print, a screen, a mask)."""
        return any(problem.code == "attack" for problem in self.problems)

    @property
    def box_xyxy(self) -> tuple[float, float, float, float] | None:
        return self.probe.face.box_xyxy if self.probe and self.probe.face else None

    @property
    def crop(self) -> NDArray[np.uint8] | None:
        return self.probe.crop if self.probe else None

    @property
    def sr_image(self) -> NDArray[np.uint8] | None:
        return self.probe.sr_image if self.probe else None

    def __getitem__(self, name: str) -> Any:
        """result["identity"] is result.identity. Raises KeyError for a field that isn't there."""
        if name.startswith("_") or not hasattr(self, name):
            raise KeyError(name)
        return getattr(self, name)


def either(names: Sequence[str]) -> str:
    """ "Ada or Ben"; of three "Ada, Ben or Cleo"."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


@dataclass(frozen=True)
class Comparison:
    """The comparison of two faces. `same` is None when one of them can't be recognised; `reason` is the explanation.
    `calibrated` is True where the threshold is the gallery's own for one-to-one comparisons."""

    same: bool | None
    score: float | None
    threshold: float
    reason: str
    a: Probe | None
    b: Probe | None
    calibrated: bool = False


@dataclass(frozen=True)
class DraftPhoto:
    """One photograph for an enrolment: its face and vector, or why it can't be used.

    `faces_found` counts all faces in the photograph; `repeats` says of what it is a repetition, "" for a new one.
    `made_by` is that of the pipeline which looked at it: other weights or another check may see it otherwise.
    """

    name: str
    image_sha256: str = ""
    probe: Probe | None = None
    vector: NDArray[np.float32] | None = None
    faces_found: int = 0
    error: CoreError | None = None
    repeats: str = ""
    made_by: str = ""

    @property
    def usable(self) -> bool:
        """Whether it will be stored: its face can be recognised, and it isn't stored already."""
        return self.vector is not None and not self.repeats

    @property
    def reason(self) -> str:
        """Why it can't be used, or what could be better; "" otherwise."""
        if self.error is not None:
            return self.error.what.rstrip(".")
        if self.probe is None:
            return "no face found"
        return "; ".join([*([self.repeats] if self.repeats else ()), *(p.text for p in self.probe.problems)])


@dataclass(frozen=True)
class EnrolmentDraft:
    """Photographs of one person, analysed but not stored, and the findings about them."""

    photos: tuple[DraftPhoto, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def usable(self) -> tuple[DraftPhoto, ...]:
        return tuple(photo for photo in self.photos if photo.usable)

    def only(self, names: Sequence[str]) -> EnrolmentDraft:
        """The same draft with only the named photographs, without findings."""
        wanted = set(names)
        return EnrolmentDraft(tuple(photo for photo in self.photos if photo.name in wanted))
