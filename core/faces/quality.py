"""Face quality for recognition: measures with units, and problems in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.faces.face import Face

Code = Literal[
    "too_small",
    "blurred",
    "turned",
    "rotated",
    "too_dark",
    "too_bright",
    "low_contrast",
    "doubtful",
    "indistinct",
    "attack",
    "unchecked",
]

# A face as five points: eyes at (-1, 0, 0) and (1, 0, 0), nose tip and mouth below them, in half eye distances; the
# nose tip alone stands out towards the camera. The mouth's height is that of the ArcFace template.
_NOSE_OUT = 0.95
_MOUTH_DOWN = 2.31
_NOSE_SHARE = 0.56
"""Position of the nose tip between eyes and mouth that YuNet gives for a level face (median of 200 LFW photographs)."""

_SHARPNESS_AT_PX = 16


@dataclass(frozen=True)
class Quality:
    """Measures of one face. Angles and the detection score are None for a crop that came without landmarks.

    probe_px: side, in native pixels, of the aligned square. sharpness: standard deviation of the Laplacian over that
    of the luma, on the crop reduced to 16 px (no unit). It is taken at 16 px for every probe, because that is the
    detail that recognition needs at least, and so that sizes can be compared: the median of 400 LFW faces is 1.1 to
    1.3 at every size from 12 to 112 px. A Gaussian blur of 4, 6, 8 and 12 px of 112 takes it to 0.73, 0.50, 0.36, 0.22.
    detail: on the same 16 px, the standard deviation of second differences over 1 px to that over 3 px, in that of four
    directions where it is lowest: a blur along one direction, as by motion, leaves sharpness and takes detail. The
    median of 200 LFW faces is 0.44 at full size, 0.35 at 24 and 0.33 at 16 px; 0.26 to 0.29 after a motion of 25 px of
    a 250 px photograph.
    brightness: mean luma, 0 to 255. contrast: standard deviation of the luma. yaw_deg: positive when the face turns
    towards the image's right; pitch_deg: positive when it looks up; roll_deg: positive when it tilts clockwise.
    detection_score: the probability, 0 to 1, that it is a face. recognisability: how far an embedding of this crop can
    be trusted, 0 to 1: 1.4 times the expected score with another, large photograph of the person, less that with a
    stranger's face degraded alike; lower where the landmarks are inexact. None where nothing measured it.
    """

    probe_px: float
    sharpness: float
    brightness: float
    contrast: float
    yaw_deg: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    detection_score: float | None = None
    detail: float | None = None
    recognisability: float | None = None

    @property
    def worth(self) -> float:
        """How good a picture of a person it is, to choose between several: recognisability, else sharpness."""
        return self.sharpness if self.recognisability is None else self.recognisability

    @property
    def worth_text(self) -> str:
        """ "recognisability 0.62", or "sharpness 1.1" where nothing measured it."""
        if self.recognisability is None:
            return f"sharpness {self.sharpness:.1f}"
        return f"recognisability {self.recognisability:.2f}"


@dataclass(frozen=True)
class Limits:
    """Limits of the measures: beyond `severe` ones a face is unrecognisable, beyond `advised` ones there is a hint.

    Measured on 400 LFW faces, shrunk with their photographs: at 112, 48, 32, 24 and 16 px at most one is severe (a
    profile). probe_px is estimated with a spread of 4 %, so 11 px takes 12 px faces for what they are in 5 of 6 cases.
    sharpness: the lowest of a real face is 0.48; below 0.40 lie 1 % of faces with a Gaussian blur of 4 px of 112, 24 %
    at 6 px, 66 % at 8 px and 98 % at 12 px. EdgeFace-XXS's cosine of such a face with itself unblurred is 0.57, 0.31,
    0.18 and 0.07 on average, so most of what is refused would not have been recognised.
    detail: 99 % of 200 faces have at least 0.35 at full size, 0.34 at 32 px, 0.30 at 24 px and 0.26 at 16 px; of those
    with 25 px of motion in any direction or a Gaussian blur of 5 px at 250 px, half have at most 0.29. The limit rises
    from `severe_detail_16` at 16 px to `severe_detail` at 32 px. detection score: 99.5 % of 900 faces of 16 px have at
    least 0.99, and 0.86 by a camera.
    yaw: the middle 98 % lie between -39 and 35 degrees. pitch: 98 % within 11. brightness: 57 to 182; contrast: 20 to
    84: those limits only catch what is black, white or empty. recognisability: of 900 LFW faces
    of fold 4, 0.7 % are below the severe limit at 16 px, and 20, 3 and 1 % of those that a camera delivers with 16, 24
    and 32 px: their mean score with another, large photograph of the person is 0.11, with strangers 0.0.
    """

    severe_probe_px: float = 11.0
    advised_probe_px: float = 40.0
    severe_sharpness: float = 0.40
    advised_sharpness: float = 0.55
    severe_detail: float = 0.31
    severe_detail_16: float = 0.245
    severe_detection_score: float = 0.9
    severe_yaw_deg: float = 65.0
    advised_yaw_deg: float = 30.0
    advised_pitch_deg: float = 30.0
    severe_dark: float = 15.0
    advised_dark: float = 50.0
    severe_bright: float = 245.0
    advised_bright: float = 215.0
    severe_recognisability: float = 0.06
    advised_recognisability: float = 0.2
    severe_contrast: float = 5.0
    advised_contrast: float = 20.0


@dataclass(frozen=True)
class Problem:
    """One problem of a face: a code for programs and a text for people; a severe one means that it can't be recognised.
    "attack" and "unchecked" come from a check against presentation attacks, where one is in use."""

    code: Code
    text: str
    severe: bool


def assess(
    crop: NDArray[np.uint8], probe_px: float, face: Face | None = None, recognisability: float | None = None
) -> Quality:
    """Measure an aligned uint8 RGB crop (s, s, 3) at native size; `face` adds the angles, the detection score and its
    recognisability, which `recognisability` replaces where the crop was changed since."""
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    brightness, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(luma))
    coarse = _coarse(luma)
    spread = float(coarse.std())
    laplacian = cv2.Laplacian(coarse, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE)
    yaw, pitch, roll = head_angles_deg(face.landmarks) if face is not None else (None, None, None)
    return Quality(
        probe_px=float(probe_px),
        sharpness=float(laplacian.std()) / spread if spread > 0 else 0.0,
        brightness=brightness,
        contrast=contrast,
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        detection_score=face.score if face is not None else None,
        detail=_detail(luma),
        recognisability=face.recognisability if recognisability is None and face is not None else recognisability,
    )


def _detail(luma: NDArray[np.float32]) -> float | None:
    """Second differences over 1 px by those over 3 px at 16 px, in the direction where that is lowest: across, down and
    along both diagonals, which are the axes of the crop turned by 45 degrees. None on a plain crop."""
    middle = (luma.shape[0] - 1) / 2
    by_45_deg = cv2.getRotationMatrix2D((middle, middle), 45.0, 1.0)
    turned = cv2.warpAffine(luma, by_45_deg, luma.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    ratios = []
    for picture in (_coarse(luma), _coarse(np.asarray(turned, dtype=np.float32))):
        for along in (picture, picture.T):
            fine, coarse = (float(_second_differences(along, step).std()) for step in (1, 3))
            if coarse < 1e-3:
                return None
            ratios.append(fine / coarse)
    return min(ratios)


def _second_differences(picture: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Of each row with those `step` rows above and below it; the first and last row are repeated beyond the border."""
    wide = np.concatenate([picture[:1]] * step + [picture] + [picture[-1:]] * step)
    differences: NDArray[np.float32] = wide[: -2 * step] + wide[2 * step :] - 2 * picture
    return differences


def _coarse(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    side = min(_SHARPNESS_AT_PX, luma.shape[0])
    return np.asarray(cv2.resize(luma, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32)


def head_angles_deg(landmarks: NDArray[np.float32]) -> tuple[float, float, float]:
    """(yaw, pitch, roll) in degrees, estimated from five landmarks (5, 2) seen from afar (no perspective).

    Roll is the slope of the eyes. With roll undone, a face that turns by the yaw y narrows its eyes to cos y and moves
    the nose tip by its length times sin y, so tan y = offset / (half eye distance x nose length); the pitch follows
    alike from the nose's height between eyes and mouth. Good to some ten degrees: faces differ.
    """
    points = landmarks.astype(np.float64)
    eyes = points[1] - points[0]
    roll = np.arctan2(eyes[1], eyes[0])
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    left, right, nose, *mouth = (points - points[:2].mean(axis=0)) @ turn.T
    half_eyes = max((right[0] - left[0]) / 2, 1e-6)
    mouth_x, mouth_y = np.mean(mouth, axis=0)
    mouth_y = max(float(mouth_y), 1e-6)
    share = nose[1] / mouth_y
    # The nose is measured from the line between the eyes' and the mouth's middles, which leans when the face does.
    offset = nose[0] - mouth_x * share
    yaw = np.arctan2(offset, half_eyes * _NOSE_OUT)
    pitch = np.arctan2((_NOSE_SHARE - share) * _MOUTH_DOWN, _NOSE_OUT)
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def problems(quality: Quality, limits: Limits | None = None) -> list[Problem]:
    """The problems of a face, severe ones first; [] for a good one."""
    at = limits or Limits()
    found: list[Problem] = []

    def low(code: Code, value: float | None, severe: float | None, advised: float, text: str) -> None:
        """A value below its limit; `text` names it, with {} for how bad."""
        if value is not None and value < advised:
            is_severe = severe is not None and value < severe
            found.append(Problem(code, text.format("too " if is_severe else "rather "), is_severe))

    low(
        "too_small", quality.probe_px, at.severe_probe_px, at.advised_probe_px, f"{{}}small ({quality.probe_px:.0f} px)"
    )
    low("blurred", quality.sharpness, at.severe_sharpness, at.advised_sharpness, "{}blurred")
    share = min(max((quality.probe_px - 16) / 16, 0.0), 1.0)
    least = at.severe_detail_16 + share * (at.severe_detail - at.severe_detail_16)
    if not any(problem.code == "blurred" and problem.severe for problem in found):
        low("blurred", quality.detail, least, least, "{}blurred, as by motion or out of focus")
    least = at.severe_detection_score
    low("doubtful", quality.detection_score, least, least, "{}little like a face to be one")
    low("too_dark", quality.brightness, at.severe_dark, at.advised_dark, "{}dark")
    low("too_bright", -quality.brightness, -at.severe_bright, -at.advised_bright, "{}bright")
    low("low_contrast", quality.contrast, at.severe_contrast, at.advised_contrast, "{}flat, hardly any contrast")
    if quality.yaw_deg is not None:
        yaw = abs(quality.yaw_deg)
        low("turned", -yaw, -at.severe_yaw_deg, -at.advised_yaw_deg, f"turned {{}}far to the side ({yaw:.0f}°)")
    if quality.pitch_deg is not None:
        pitch = abs(quality.pitch_deg)
        low("turned", -pitch, None, -at.advised_pitch_deg, f"tilted {{}}far up or down ({pitch:.0f}°)")
    if quality.roll_deg is not None and abs(quality.roll_deg) > 45:
        how = "upside down" if abs(quality.roll_deg) > 135 else "sideways"
        found.append(Problem("rotated", f"{how} in the photograph, matched upright", severe=False))
    if not any(problem.severe for problem in found):  # what is wrong is said where it is known
        severe, advised = at.severe_recognisability, at.advised_recognisability
        low("indistinct", quality.recognisability, severe, advised, "{}indistinct to be recognised")
    return sorted(found, key=lambda problem: not problem.severe)


def turned_crop(quarter: int) -> Problem:
    """The problem of an aligned crop that isn't upright: it would resemble other such crops, whomever they show."""
    how = "upside down" if quarter == 2 else "sideways"
    return Problem("rotated", f"an aligned crop that is {how}: turn it first", severe=True)
