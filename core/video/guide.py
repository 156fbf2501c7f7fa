"""Guidance during enrolment with a camera: one piece of advice at a time, the most important first.

Left and right are the person's own. `Quality.yaw_deg` is positive when a face turns towards the image's right, which in
an unmirrored picture is the person's left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.faces.align import align, probe_px
from core.faces.detect import Detector
from core.faces.face import Face, choose_faces
from core.faces.quality import Quality, assess
from core.settings import CROP_PX

Step = Literal["front", "left", "right", "expression"]
Code = Literal[
    "no_face",
    "two_faces",
    "too_far",
    "too_near",
    "off_centre",
    "too_dark",
    "too_bright",
    "blurred",
    "upright",
    "level",
    "pose",
    "expression",
    "good",
]

FEWEST, USUAL, MOST = 3, 5, 10
"""Captures of one person: at least, usually, and at most."""

_ORDER: tuple[Step, ...] = ("front", "left", "right", "expression")


@dataclass(frozen=True)
class GuideLimits:
    """Where advice begins. `near_share`: of the frame's shorter side that a face's box may fill. `other_share`: of the
    largest face's width, from which another one counts. Angles in degrees: `front_deg` from straight ahead, `turn_deg`
    the least and the most that a turned head is away from the person's own front (the five-point estimate differs by
    some degrees from face to face, but hardly between two pictures of one), `most_deg` the limit for all of them.
    `mouth` is how much the mouth's width or height, in eye distances, must change for another expression."""

    far_probe_px: float = 80.0
    near_share: float = 0.85
    other_share: float = 0.5
    dark: float = 50.0
    bright: float = 215.0
    sharpness: float = 0.55
    roll_deg: float = 20.0
    pitch_deg: float = 25.0
    front_deg: float = 10.0
    turn_deg: tuple[float, float] = (5.0, 15.0)
    most_deg: float = 22.0
    mouth: float = 0.03


@dataclass(frozen=True, eq=False)
class Sight:
    """What one frame shows: its faces, the largest one's quality and its crop at 112 px; both None without a face.
    `shape` is (height, width) of the frame."""

    faces: tuple[Face, ...]
    shape: tuple[int, int]
    quality: Quality | None = None
    crop: NDArray[np.uint8] | None = None

    @property
    def face(self) -> Face | None:
        """The largest, whom everything is about."""
        return self.faces[0] if self.faces else None


@dataclass(frozen=True)
class Advice:
    """One piece of advice: a code for programs, words for people. Code "good": the frame can be captured."""

    code: Code
    text: str

    @property
    def good(self) -> bool:
        return self.code == "good"


def see(detector: Detector, rgb: NDArray[np.uint8]) -> Sight:
    """Look at a frame, uint8 RGB (H, W, 3): faces of a person at a desk, so tiny ones aren't searched for."""
    found = detector.detect(rgb, small_faces=False)
    shape = (rgb.shape[0], rgb.shape[1])
    if not found:
        return Sight((), shape)
    [first] = choose_faces(found, "largest", rgb.shape)
    crop = align(rgb, first.landmarks, CROP_PX)
    quality = assess(crop, probe_px(first.landmarks), first)
    return Sight((first, *(face for face in found if face is not first)), shape, quality, crop)


def steps_for(captures: int) -> tuple[Step, ...]:
    """What each capture shows: front, left, right, another expression, and again. Raises SettingsInvalid when it isn't
    3 to 10 captures."""
    if not FEWEST <= captures <= MOST:
        raise SettingsInvalid(
            f"{captures} captures of a person were asked for; {FEWEST} to {MOST} are taken.", f"Usual are {USUAL}."
        )
    return tuple(_ORDER[number % len(_ORDER)] for number in range(captures))


def advise(sight: Sight, step: Step, *, front: Sight | None = None, limits: GuideLimits | None = None) -> Advice:
    """Return what prevents a capture for `step`, or code "good".

    `front` is what the person's front capture showed; turns and expressions are measured from it where there is one.
    """
    at = limits or GuideLimits()
    return _hindrance(sight, at) or _pose(sight, step, front, at) or Advice("good", "Good: hold still")


def hindrance(sight: Sight, limits: GuideLimits | None = None) -> Advice | None:
    """Return what makes a frame unusable in any pose; None for a usable one."""
    return _hindrance(sight, limits or GuideLimits())


def mouth_of(face: Face) -> tuple[float, float]:
    """(width of the mouth, its distance from the nose), in eye distances: they change with a smile or an open mouth."""
    left, right, nose, *corners = face.landmarks.astype(np.float64)
    eyes = max(float(np.linalg.norm(right - left)), 1e-6)
    middle = (corners[0] + corners[1]) / 2
    return float(np.linalg.norm(corners[1] - corners[0])) / eyes, float(np.linalg.norm(middle - nose)) / eyes


def step_text(step: Step) -> str:
    """What a step asks for, as a sentence."""
    return {
        "front": "Look straight into the camera",
        "left": "Turn your head slightly to your left",
        "right": "Turn your head slightly to your right",
        "expression": "Now another expression: smile, for instance",
    }[step]


def _hindrance(sight: Sight, at: GuideLimits) -> Advice | None:  # noqa: PLR0911 (the first hindrance in a fixed order)
    face, quality = sight.face, sight.quality
    if face is None or quality is None:
        return Advice("no_face", "No face to be seen: come in front of the camera")
    if any(other.width >= at.other_share * face.width for other in sight.faces[1:]):
        return Advice("two_faces", "Two faces: one at a time, please")
    height, width = sight.shape
    if max(face.width, face.height) > at.near_share * min(height, width):
        return Advice("too_near", "Too near: move back a little")
    x0, y0, x1, y1 = face.box_xyxy
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        return Advice("off_centre", "Move into the middle of the picture")
    if quality.probe_px < at.far_probe_px:
        return Advice("too_far", "Too far away: come nearer")
    if quality.brightness < at.dark:
        return Advice("too_dark", "Too dark: turn towards the light")
    if quality.brightness > at.bright:
        return Advice("too_bright", "Too bright: turn away from the light")
    if quality.sharpness < at.sharpness:
        return Advice("blurred", "Blurred: hold still, or wipe the camera")
    if abs(quality.roll_deg or 0.0) > at.roll_deg:
        return Advice("upright", "Hold your head upright")
    if abs(quality.pitch_deg or 0.0) > at.pitch_deg:
        return Advice("level", "Look at the camera, neither up nor down")
    return None


def _pose(sight: Sight, step: Step, front: Sight | None, at: GuideLimits) -> Advice | None:
    yaw = _yaw(sight)
    ahead = _yaw(front) if front is not None else 0.0
    if step in ("left", "right"):
        turned = (yaw - ahead) * (1 if step == "left" else -1)
        least, most = at.turn_deg
        if turned < least:
            return Advice("pose", step_text(step))
        return (
            Advice("pose", "Not quite so far: turn back a little") if turned > most or abs(yaw) > at.most_deg else None
        )
    if abs(yaw) > at.front_deg:
        # Away from where the face is turned now; the image's right is the person's left.
        return Advice("pose", f"Look straight ahead: turn a little to your {'right' if yaw > 0 else 'left'}")
    if step == "expression" and front is not None and not _mouth_changed(sight, front, at.mouth):
        return Advice("expression", step_text("expression"))
    return None


def _yaw(sight: Sight) -> float:
    return (sight.quality.yaw_deg or 0.0) if sight.quality is not None else 0.0


def _mouth_changed(sight: Sight, front: Sight, least: float) -> bool:
    if sight.face is None or front.face is None:
        return False
    return any(abs(a - b) >= least for a, b in zip(mouth_of(sight.face), mouth_of(front.face), strict=True))
