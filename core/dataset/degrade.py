"""HR to VLR: the papers' antialiased bicubic, or a seeded model of a distant camera, both exactly reproducible.

`camera` follows the light. The 112 px crop is turned into linear light, blurred by the lens, gathered into few pixels,
read out by a noisy sensor, encoded with a gamma and compressed. The ranges are published ones:

    blur      Gaussian, a width for each axis and an angle; 0.2 to 3 px of the 112 px crop
              (Real-ESRGAN: Wang et al., ICCV Workshops 2021, first blur; two axes: BSRGAN, Zhang et al., ICCV 2021)
    kernel    area, bilinear or bicubic, with equal chances (Real-ESRGAN; BSRGAN has bilinear and bicubic)
    noise     Poisson-Gaussian in linear light, variance shot x light + read: shot log-uniform in 1e-4 to 1.2e-2,
              ln read = 2.18 ln shot + 1.20 with standard deviation 0.26, kept within three of them
              (Unprocessing Images: Brooks et al., CVPR 2019)
    gamma     1.8 to 2.4 (the standard encodings: 1.8 of ROMM RGB, 2.2 of sRGB, 2.4 of ITU-R BT.1886)
    JPEG      quality 30 to 95 (BSRGAN and Real-ESRGAN), at VLR size

These are `PUBLISHED`, the ranges of data sets and evaluations. `MOVING`, for training, adds what a walking face or a
turning camera does in an exposure: in 12 % of images a line of 3 to 18 px of the 112 px crop, at any angle. Motion blur
is one of the common corruptions of Hendrycks and Dietterich (ICLR 2019; there 3 to 15 px, as a sigma, of 224).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass

from core.dataset.errors import DatasetInvalid
from core.errors import SettingsInvalid
from core.images import RGB, resize

Method = Literal["bicubic", "camera"]
METHODS: tuple[str, ...] = get_args(Method)

BLUR_PX = (0.2, 3.0)
ANGLE_DEG = (0.0, 180.0)
KERNELS = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
SHOT = (1e-4, 1.2e-2)
READ_LINE = (2.18, 1.20, 0.26)
"""Slope, intercept and standard deviation of ln(read variance) over ln(shot variance)."""
READ_REACH = 3.0
GAMMA = (1.8, 2.4)
QUALITY = (30, 95)

_SOURCE_GAMMA = 2.2
_MIN_PX, _MAX_PX = 4, 112
_SEEDS = 2**32
_MAX_BLUR_PX = 20
_LIGHT = np.power(np.arange(256).astype(np.float32) / 255.0, _SOURCE_GAMMA, dtype=np.float32)
"""Linear light of each 8-bit level."""

Number = Annotated[float, Strict(), Field(ge=0, le=_MAX_PX, allow_inf_nan=False)]
Quality = Annotated[int, Strict(), Field(ge=1, le=100)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CameraRanges:
    """What a camera's values are drawn from: (low, high) each, both included; see the module's head.

    `blur_px` and `motion_px` are in pixels of the 112 px crop, `shot` in units of linear light, and `motion_share` is
    the share of images with motion blur. The read noise follows from the shot noise. Raises SettingsInvalid for a low
    end above the high one and for values that no camera has.
    """

    blur_px: tuple[Number, Number] = BLUR_PX
    kernels: tuple[str, ...] = tuple(sorted(KERNELS))
    shot: tuple[Number, Number] = SHOT
    gamma: tuple[Number, Number] = GAMMA
    quality: tuple[Quality, Quality] = QUALITY
    motion_share: Annotated[float, Strict(), Field(ge=0, le=1)] = 0.0
    motion_px: tuple[Number, Number] = (3.0, 18.0)

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"blur_px": (0, _MAX_BLUR_PX), "quality": (1, 100)}
        limits |= {"shot": (1e-9, 1), "gamma": (0.1, 10), "motion_px": (0, _MAX_PX)}
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise SettingsInvalid(
                    f"A camera's {name} can't go from {low:g} to {high:g}.",
                    f"Give the lower value first, within {least:g} to {most:g}.",
                )
        if not self.kernels or not set(self.kernels) <= set(KERNELS) or len(set(self.kernels)) < len(self.kernels):
            raise SettingsInvalid(
                f"A camera's kernels can't be {', '.join(self.kernels) or 'none'}.",
                f"Name some of {', '.join(sorted(KERNELS))}, each once.",
            )


PUBLISHED = CameraRanges()
"""The published ranges, without motion: those of data sets and evaluations."""
MOVING = CameraRanges(motion_share=0.12)
"""The published ranges with motion blur, for training."""


def seed_for(seed: int, *parts: object) -> int:
    """A seed in [0, 2^32) for one image, the same whatever the order of work: from SHA-256 of `seed` and `parts`."""
    text = "\x1f".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:4], "big")


def degrade(
    hr: RGB,
    size_px: int,
    method: str = "bicubic",
    *,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
    ranges: CameraRanges = PUBLISHED,
) -> tuple[RGB, dict[str, Any]]:
    """A square HR crop uint8 (s, s, 3) made VLR: uint8 (size_px, size_px, 3), and what `replay` needs to make it again.

    `method` "bicubic" is antialiased bicubic, rounded to 8 bits; "camera" draws its values from `seed` within `ranges`,
    and those in `params` ("blur_px", "angle_deg", "kernel", "shot", "read", "gamma", "quality", and "motion_px" with
    "motion_deg") are taken instead of drawn ones. Raises SettingsInvalid for an unknown method, size or value.
    """
    if method not in METHODS:
        raise SettingsInvalid(f"There is no degradation '{method}'.", f"Choose one of {', '.join(METHODS)}.")
    recipe: dict[str, Any] = {"method": method, "size_px": size_px}
    if method == "camera":
        recipe |= {**draw(seed, ranges), **(params or {})}
    elif params:
        raise SettingsInvalid(f"Bicubic has no values to set, got {', '.join(params)}.", "Leave them out.")
    return _apply(hr, recipe, SettingsInvalid), recipe


def degrade_photograph(
    rgb: RGB, from_px: float, to_px: float, *, seed: int = 0, ranges: CameraRanges = PUBLISHED
) -> RGB:
    """A whole photograph uint8 (H, W, 3) as a camera so far away sees it that a face of probe_px `from_px` has `to_px`.

    The same chain as `degrade`'s "camera"; blur and motion, meant for a 112 px crop, grow with the face. Never
    enlarged: where `to_px` isn't smaller, only blur, noise, gamma and compression act.
    """
    recipe = {"method": "camera", **draw(seed, ranges)}
    recipe["blur_px"] = [width * from_px / _MAX_PX for width in recipe["blur_px"]]
    if "motion_px" in recipe:
        recipe["motion_px"] *= from_px / _MAX_PX
    factor = min(1.0, to_px / from_px)
    height, width = rgb.shape[:2]
    return _camera(rgb, (max(1, round(width * factor)), max(1, round(height * factor))), recipe)


def replay(hr: RGB, recipe: Mapping[str, Any]) -> RGB:
    """The same VLR image, byte for byte, from the same HR crop. Raises DatasetInvalid for a recipe that is none."""
    return _apply(hr, recipe, DatasetInvalid)


def draw(seed: int, ranges: CameraRanges = PUBLISHED) -> dict[str, Any]:
    """The camera's values for a seed (see the module's head); rounded, so that their JSON text is short and exact.

    "motion_px" and "motion_deg" are there in `ranges.motion_share` of seeds; the other values don't depend on it.
    RandomState's streams are frozen by numpy's compatibility promise; those of its newer generators may change.
    """
    random = _random(seed % _SEEDS)
    shot = float(np.exp(random.uniform(*np.log(ranges.shot))))
    slope, intercept, spread = READ_LINE
    off = float(np.clip(random.standard_normal(), -READ_REACH, READ_REACH))
    read = float(np.exp(slope * np.log(shot) + intercept + spread * off))
    drawn: dict[str, Any] = {
        "seed": seed % _SEEDS,
        "blur_px": [round(float(random.uniform(*ranges.blur_px)), 4) for _ in range(2)],
        "angle_deg": round(float(random.uniform(*ANGLE_DEG)), 2),
        "kernel": sorted(ranges.kernels)[random.randint(len(ranges.kernels))],
        "shot": float(f"{shot:.6g}"),
        "read": float(f"{read:.6g}"),
        "gamma": round(float(random.uniform(*ranges.gamma)), 4),
        "quality": int(random.randint(ranges.quality[0], ranges.quality[1] + 1)),
    }
    if random.uniform() < ranges.motion_share:
        drawn["motion_px"] = round(float(random.uniform(*ranges.motion_px)), 3)
        drawn["motion_deg"] = round(float(random.uniform(*ANGLE_DEG)), 2)
    return drawn


def _apply(hr: RGB, recipe: Mapping[str, Any], error: type[SettingsInvalid] | type[DatasetInvalid]) -> RGB:
    problem = _problem(recipe)
    if problem:
        raise error(f"This degradation can't be used: {problem}.", "Check its values.")
    if hr.ndim != 3 or hr.shape[0] != hr.shape[1] or hr.shape[2] != 3 or hr.dtype != np.uint8:
        raise error(f"A square uint8 RGB crop is needed, got {hr.dtype} {hr.shape}.", "Align and crop the face first.")
    size = int(recipe["size_px"])
    return resize(hr, size) if recipe["method"] == "bicubic" else _camera(hr, size, recipe)


def _problem(recipe: Mapping[str, Any]) -> str:
    """What makes a recipe unusable, "" for nothing. Values outside the published ranges are allowed, nonsense isn't."""
    if recipe.get("method") not in METHODS:
        return f"method {recipe.get('method')!r}"
    if not _is_int(recipe.get("size_px"), _MIN_PX, _MAX_PX):
        return f"a side of {recipe.get('size_px')!r} px, expected {_MIN_PX} to {_MAX_PX}"
    if recipe["method"] == "bicubic":
        return ""
    blur = recipe.get("blur_px")
    if not (
        isinstance(blur, (list, tuple)) and len(blur) == 2 and all(_is_number(width, 0, _MAX_BLUR_PX) for width in blur)
    ):
        return f"blur_px {blur!r}, expected two widths from 0 to {_MAX_BLUR_PX}"
    if recipe.get("kernel") not in KERNELS:
        return f"kernel {recipe.get('kernel')!r}, expected one of {', '.join(sorted(KERNELS))}"
    limits: dict[str, tuple[float, float]] = {
        "angle_deg": (-360, 360),
        "shot": (0, 1),
        "read": (0, 1),
        "gamma": (0.1, 10),
    }
    if "motion_px" in recipe or "motion_deg" in recipe:
        limits |= {"motion_px": (0, _MAX_PX), "motion_deg": (-360, 360)}
    for name, (low, high) in limits.items():
        if not _is_number(recipe.get(name), low, high):
            return f"{name} {recipe.get(name)!r}, expected {low} to {high}"
    for name, low, high in (("quality", 1, 100), ("seed", 0, _SEEDS - 1)):
        if not _is_int(recipe.get(name), low, high):
            return f"{name} {recipe.get(name)!r}, expected a whole number from {low} to {high}"
    return ""


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _camera(hr: RGB, size: int | tuple[int, int], recipe: Mapping[str, Any]) -> RGB:
    light = np.asarray(cv2.LUT(hr, _LIGHT), dtype=np.float32)
    if "motion_px" in recipe:
        light = _moved(light, float(recipe["motion_px"]), float(recipe["motion_deg"]))
    light = _blurred(light, recipe["blur_px"], float(recipe["angle_deg"]))
    small = _shrunk(light, size, str(recipe["kernel"]))
    noisy = _read_out(small, float(recipe["shot"]), float(recipe["read"]), int(recipe["seed"]))
    encoded = np.power(noisy, 1.0 / float(recipe["gamma"]))
    return _jpeg(np.rint(encoded * 255.0).astype(np.uint8), int(recipe["quality"]))


def _moved(light: NDArray[np.float32], length: float, angle_deg: float) -> NDArray[np.float32]:
    """Averaged over a straight path of `length` px, at constant speed, in the direction `angle_deg`; edges mirrored."""
    reach = int(np.ceil(length / 2)) + 1
    turn = np.deg2rad(angle_deg)
    # Places along the path, in the middle of equal pieces of at most 1/8 px, each shared by its four nearest pixels.
    pieces = max(1, int(np.ceil(8 * length)))
    along = ((np.arange(pieces) + 0.5) / pieces - 0.5) * length
    x, y = reach + along * np.cos(turn), reach + along * np.sin(turn)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - row - (y - top)) * np.abs(1 - column - (x - left))
        np.add.at(kernel, (top + row, left + column), share / pieces)
    return np.asarray(cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _blurred(light: NDArray[np.float32], widths: Any, angle_deg: float) -> NDArray[np.float32]:
    """Convolved with a Gaussian of standard deviations `widths` (px) along and across `angle_deg`; edges mirrored."""
    along, across = (max(float(width), 1e-3) for width in widths)
    reach = int(np.ceil(3 * max(along, across)))
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    y = x[:, None]
    turn = np.deg2rad(angle_deg)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    kernel = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _shrunk(light: NDArray[np.float32], size: int | tuple[int, int], kernel: str) -> NDArray[np.float32]:
    """To a square of side `size`, or to (width, height), in [0, 1]; bilinear and bicubic are OpenCV's, not
    antialiased, as in both papers."""
    to = (size, size) if isinstance(size, int) else size
    small = cv2.resize(light, to, interpolation=KERNELS[kernel])
    return np.clip(np.asarray(small, dtype=np.float32), 0.0, 1.0)


def _read_out(light: NDArray[np.float32], shot: float, read: float, seed: int) -> NDArray[np.float64]:
    """Photons counted and read: mean `light`, variance shot x light + read (before clipping to [0, 1])."""
    random = _random(seed)
    exact = light.astype(np.float64)
    counted = random.poisson(exact / shot) * shot if shot > 0 else exact
    clipped: NDArray[np.float64] = np.clip(counted + np.sqrt(read) * random.standard_normal(light.shape), 0.0, 1.0)
    return clipped


class _OwnRandom(threading.local):
    """One generator for each thread: seeding it again is several times faster than making another."""

    def __init__(self) -> None:
        self.state = np.random.RandomState(0)


_OWN_RANDOM = _OwnRandom()


def _random(seed: int) -> np.random.RandomState:
    """The generator of `np.random.RandomState(seed)`, until this thread's next call."""
    _OWN_RANDOM.state.seed(seed)
    return _OWN_RANDOM.state


def _jpeg(rgb: RGB, quality: int) -> RGB:
    """Compressed and decoded again by libjpeg (4:2:0, as cameras do)."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)
