"""A camera's degradation from unlabelled small faces: the simulated cameras that deliver faces like these.

Approximate Bayesian computation: cameras are drawn from the published ranges, each delivers clean crops at the sizes
of the user's faces, and a ridge regression learns a camera's values from features of such pictures (its predictions
are the summary statistics: Fearnhead and Prangle, JRSS B 2012). The cameras with the nearest predictions, held out,
moved by their errors to the prediction for the user's faces (Beaumont et al., Genetics 2002), are the posterior; its
quantiles are the narrowed ranges. JPEG quality is read from the files' tables or from decoded pixels where either
shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.dataset.camera.features import NO_QUALITY, SmallFace, features_of, quality_of, summary_of
from core.dataset.camera.simulate import draw_camera, shoot
from core.dataset.degrade import MOVING, PUBLISHED, CameraRanges
from core.images import RGB
from core.jobs.context import NO_HOOKS, Hooks
from core.system.cpu import one_opencv_thread
from core.system.text import count

CAMERAS, FACES_EACH = 240, 24
"""Simulated cameras, and at most so many faces of each."""

QUANTILES = (0.1, 0.9)
"""Of the posterior: the low end of a range is the first one of the low ends, the high end the second of the high
ones."""

_KERNEL_SHARE = 0.2
_RIDGE = np.logspace(0, 4, 9)
_FOLDS = 10
_NEAREST = 100
_LIMITS = np.array([PUBLISHED.blur_px, np.log(PUBLISHED.shot), PUBLISHED.quality], dtype=np.float64)
_TRACES = 0.7
"""Share of faces with a trace of JPEG compression from which on their qualities are taken as they are."""
_UNUSUAL = 0.99
_NEIGHBOURS = 5
_SIZES = 9

QualityFrom = Literal["files", "pixels", "faces"]


@dataclass(frozen=True)
class CameraEstimate:
    """What was found: `ranges` for a training, and `sizes_px`, nine quantiles (10 % to 90 %) of the faces' probe_px.

    `quality_from` says where the JPEG quality was read: in the files' tables, in decoded pixels, or (neither has a
    trace) from the faces' look. `unusual`: no simulated camera delivers faces like these, so that blur is only the
    nearest and noise keeps its published range. No picture and no face is in it.
    """

    ranges: CameraRanges
    sizes_px: tuple[float, ...]
    faces: int
    quality_from: QualityFrom
    unusual: bool


def estimate_camera(
    faces: Sequence[SmallFace], clean: Sequence[RGB] | RGB, *, seed: int = 0, hooks: Hooks = NO_HOOKS
) -> CameraEstimate:
    """The camera of small faces; `clean` are sharp aligned crops uint8 (112, 112, 3) of anybody.

    Takes about 30 s on one core. The same faces, crops and seed give the same estimate. Raises JobStopped.
    """
    random = np.random.default_rng(seed)
    sizes = np.array([face.probe_px for face in faces])
    own = summary_of([features_of(face) for face in faces])
    cameras, features = _simulated(clean, sizes, random, hooks)
    quality, source = _quality([face.quality for face in faces], [quality_of(face) for face in faces])
    ranges, unusual = narrowed(posterior(features, cameras, own)), _is_unusual(features, own)
    if unusual:  # its noise would be found too narrow and wrong; blur and quality hold
        ranges = replace(ranges, shot=PUBLISHED.shot)
    return CameraEstimate(
        ranges=ranges if quality is None else replace(ranges, quality=quality),
        sizes_px=tuple(round(float(size), 1) for size in np.quantile(sizes, np.linspace(0.1, 0.9, _SIZES))),
        faces=len(faces),
        quality_from=source,
        unusual=unusual,
    )


def described(estimate: CameraEstimate) -> list[tuple[str, str, str]]:
    """Rows for a table: a value, its range for this camera, and the published one."""
    own, every = estimate.ranges, PUBLISHED
    sizes = estimate.sizes_px
    source = {"files": "from the files", "pixels": "from the pixels", "faces": "from the faces' look"}
    quality = f"JPEG quality, {source[estimate.quality_from]}"
    return [
        ("Blur, px of a 112 px face", _range(own.blur_px), _range(every.blur_px)),
        ("Shot noise, variance per unit of light", _range(own.shot), _range(every.shot)),
        (quality, _range(own.quality), _range(every.quality)),
        ("Reduction to few pixels", ", ".join(own.kernels), ", ".join(every.kernels)),
        (f"Size of {count(estimate.faces, 'face')}, px", f"{sizes[0]:.0f} to {sizes[-1]:.0f}", "12 to 48"),
    ]


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g} to {ends[1]:.3g}"


def _simulated(
    clean: Sequence[RGB] | RGB, sizes: NDArray[np.float64], random: np.random.Generator, hooks: Hooks
) -> tuple[list[CameraRanges], NDArray[np.float64]]:
    cameras, features = [], []
    number = min(len(sizes), FACES_EACH)
    with one_opencv_thread():
        for done in range(CAMERAS):
            hooks.check_stop()
            hooks.progress("cameras", done, CAMERAS)
            camera = draw_camera(random)
            shots = shoot(camera, clean, random.choice(sizes, number, replace=False).tolist(), random)
            cameras.append(camera)
            features.append(summary_of([features_of(face) for face in shots]))
    hooks.progress("cameras", CAMERAS, CAMERAS)
    return cameras, np.stack(features)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Weighted samples of the camera: `ends` (n, 6) of blur (px), ln shot and quality, low before high, clipped to the
    published ranges; `kernels` (n, 3), about 1 for the kernel; `weights` (n,), which sum to 1."""

    ends: NDArray[np.float64]
    kernels: NDArray[np.float64]
    weights: NDArray[np.float64]

    def range_of(self, number: int) -> tuple[float, float]:
        """The range that holds a value's posterior (0 blur, 1 ln shot, 2 quality)."""
        low, high = (_quantile(self.ends[:, 2 * number + i], self.weights, share) for i, share in enumerate(QUANTILES))
        return low, max(low, high)


def posterior(features: NDArray[np.float64], cameras: Sequence[CameraRanges], own: NDArray[np.float64]) -> Posterior:
    """The posterior given features `own` (k,), from those of simulated cameras, `features` (n, k)."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    true = np.stack([_values(camera) for camera in cameras])
    centre, scale = true.mean(axis=0), true.std(axis=0) + 1e-9
    targets = (true - centre) / scale
    model = make_pipeline(StandardScaler(), RidgeCV(_RIDGE))
    held_out = cross_val_predict(model, features, targets, cv=_FOLDS)
    here = model.fit(features, targets).predict(own[None])[0]
    distance = ((held_out - here) ** 2).sum(axis=1)
    reach = np.sort(distance)[min(_NEAREST, len(distance) - 1)]
    weights = np.clip(1 - distance / reach, 0, None)
    samples = (here + targets - held_out) * scale + centre
    ends = samples[:, : -len(PUBLISHED.kernels)].clip(*np.repeat(_LIMITS.T, 2, axis=1))
    return Posterior(ends, samples[:, -len(PUBLISHED.kernels) :], weights / weights.sum())


def narrowed(found: Posterior) -> CameraRanges:
    """The ranges that hold the posterior, rounded. Gamma and motion blur, which small faces don't show, are those of
    MOVING: without knowing the scene's light, a gamma can't be told from its brightness."""
    shares = found.weights @ found.kernels
    likely = tuple(kernel for kernel, share in zip(PUBLISHED.kernels, shares, strict=True) if share >= _KERNEL_SHARE)
    blur, shot, quality = (found.range_of(number) for number in range(3))
    return replace(
        MOVING,
        blur_px=(round(blur[0], 2), round(blur[1], 2)),
        kernels=likely or PUBLISHED.kernels,
        shot=(float(f"{np.exp(shot[0]):.3g}"), float(f"{np.exp(shot[1]):.3g}")),
        quality=(round(quality[0]), round(quality[1])),
    )


def _quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    reached = np.searchsorted(np.cumsum(weights[order]), share * weights.sum())
    return float(values[order][min(int(reached), len(values) - 1)])


def _values(camera: CameraRanges) -> NDArray[np.float64]:
    """What is regressed: both ends of blur, ln shot and quality, and the kernel as 0 and 1."""
    kernels = [float(kernel in camera.kernels) for kernel in PUBLISHED.kernels]
    return np.array([*camera.blur_px, *np.log(camera.shot), *camera.quality, *kernels])


def _quality(of_files: Sequence[int | None], of_faces: Sequence[float]) -> tuple[tuple[int, int] | None, QualityFrom]:
    """The 10 % and 90 % quantiles of the faces' qualities, and where they are from; None where too few show one."""
    known = [float(quality) for quality in of_files if quality is not None]
    source: QualityFrom = "files"
    if len(known) < _TRACES * len(of_files):
        known, source = [quality for quality in of_faces if quality < NO_QUALITY], "pixels"
    if len(known) < _TRACES * len(of_files):
        return None, "faces"
    low, high = np.quantile(known, QUANTILES)
    return (int(np.floor(low)), int(np.ceil(high))), source


def _is_unusual(features: NDArray[np.float64], own: NDArray[np.float64]) -> bool:
    """Whether the faces are farther from the simulated cameras than 99 % of those are from one another."""
    scale = features.std(axis=0) + 1e-6
    every = np.vstack([features, own]) / scale
    distance = np.linalg.norm(every[:, None] - every[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    near = np.sort(distance, axis=1)[:, :_NEIGHBOURS].mean(axis=1)
    return bool(near[-1] > np.quantile(near[:-1], _UNUSUAL))
