"""Inspect one face: enlarge it by bicubic and DSR, measure it against HR, embed it, search it, and judge the gain.

PSNR, SSIM and similarity are those of an evaluation (core.evaluation), with the network itself also at sizes that the
product leaves to bicubic; so a face's figures equal an evaluation's for the same picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.fidelity import psnr_db, ssim
from core.images import RGB, to_tensor, vlr_size
from core.inspection.reference import Reference
from core.inspection.values import Enlarged, Inspection, Step, Subject
from core.inspection.verdict import judge
from core.settings import CROP_PX, VLR_SIZES_PX
from core.sr.upscale import BICUBIC, BicubicUpscaler, Route, Upscaler

if TYPE_CHECKING:
    from core.pipeline import Pipeline

HR_NAME = "HR"


def inspect_face(
    pipeline: Pipeline,
    subject: Subject,
    reference: Reference | None = None,
    *,
    identity: str = "",
    nearest: int = 5,
    in_use: Upscaler | None = None,
) -> Inspection:
    """Inspect one face with the pipeline's encoder and upscaler.

    `reference`: the people to search the `nearest` among. `identity`: the true person of a subject without one (an
    upload); the rank needs one of them. `in_use`: the upscaler of recognition, where the pipeline has another one to be
    compared with bicubic. Raises what the encoder raises.
    """
    timings: dict[str, float] = {}
    with _timed(timings, BICUBIC):
        crops: list[tuple[str, RGB]] = [(BICUBIC, BicubicUpscaler().upscale([subject.vlr])[0])]
    upscaler = pipeline.upscaler
    if upscaler.id != BICUBIC:
        with _timed(timings, "super-resolve"):
            crops.append((upscaler.name, upscaler.super_resolve([subject.vlr])[0]))
    if subject.hr is not None:
        crops.append((HR_NAME, subject.hr))
    with _timed(timings, f"embed {len(crops)} crops"):
        small = [name == upscaler.name and upscaler.specialist is not None for name, _ in crops]
        vectors = pipeline.encoders.encode([crop for _, crop in crops], small)
    rankings: list[Any] = [None] * len(crops)
    if reference is not None:
        with _timed(timings, "search"):
            rankings = reference.search(vectors, subject.identity or identity, subject.sha256, nearest)
    with _timed(timings, "measure"):
        made = [
            _enlarged(name, crop, vector, ranking, subject.hr, None if subject.hr is None else vectors[-1])
            for (name, crop), vector, ranking in zip(crops, vectors, rankings, strict=True)
        ]
        if not upscaler.interpolates:
            made[1] = replace(made[1], invented=True)
    dsr = made[1] if upscaler.id != BICUBIC else None
    route = (in_use or upscaler).route(subject.size_px)
    return Inspection(
        subject=subject,
        bicubic=made[0],
        dsr=dsr,
        hr=made[-1] if subject.hr is not None else None,
        verdict=judge(made[0], dsr),
        steps=tuple(_steps(subject, made)),
        timings_ms=timings,
        encoder=pipeline.encoder.info.path.stem,
        encoder_sha256=pipeline.encoder.weights_sha256,
        upscaler=upscaler.name,
        upscaler_sha256=upscaler.id,
        precision=pipeline.encoder.info.precision,
        flip_tta=pipeline.encoder.flip_tta,
        in_use=_in_words(route),
        reference=reference.label if reference is not None else "",
    )


def _in_words(route: Route) -> str:
    if route.specialist:
        return f"{BICUBIC} and recognised by {route.name}"
    return f"{route.name}, since {route.because}" if route.because else route.name


def differences(hr: RGB, image: RGB) -> NDArray[np.uint8]:
    """|image - HR|, averaged over the channels: uint8 (112, 112), levels of 255."""
    apart = np.abs(image.astype(np.int16) - hr.astype(np.int16))
    result: NDArray[np.uint8] = np.rint(apart.mean(axis=2)).astype(np.uint8)
    return result


def _enlarged(
    name: str, crop: RGB, vector: NDArray[np.float32], ranking: Any, hr: RGB | None, truth: NDArray[np.float32] | None
) -> Enlarged:
    if hr is None or truth is None:
        return Enlarged(name, crop, vector, ranking=ranking)
    return Enlarged(
        name,
        crop,
        vector,
        False,
        psnr_db(crop, hr),
        ssim(crop, hr),
        float(vector @ truth),
        differences(hr, crop),
        ranking,
    )


def _steps(subject: Subject, made: list[Enlarged]) -> Iterator[Step]:
    """The arrays on the way, with what isn't as it should be: the notes' check of sizes and ranges."""
    side = subject.size_px
    counts = vlr_size(side)
    said = f"VLR, counts as {counts} px" if counts is not None and side not in VLR_SIZES_PX else "VLR"
    yield _step(said, subject.vlr, (side, side, 3), (0, 255))
    yield _step("VLR as the network takes it", to_tensor([subject.vlr]).numpy(), (1, 3, side, side), (-1, 1))
    for one in made:
        yield _step(one.name, one.image, (CROP_PX, CROP_PX, 3), (0, 255))
    batch = to_tensor([one.image for one in made]).numpy()
    yield _step("batch as the encoder takes it", batch, (len(made), 3, CROP_PX, CROP_PX), (-1, 1))
    for one in made:
        norm = float(np.linalg.norm(one.vector))
        problem = "" if abs(norm - 1) < 1e-3 else f"norm {norm:.3f}, expected 1"
        yield _step(f"embedding of {one.name}", one.vector, one.vector.shape, (-1, 1), problem)


def _step(name: str, array: Any, shape: tuple[int, ...], within: tuple[float, float], problem: str = "") -> Step:
    low, high = float(array.min()), float(array.max())
    if array.shape != shape:
        problem = f"shape {array.shape}, expected {shape}"
    elif not (within[0] - 1e-6 <= low and high <= within[1] + 1e-6):
        problem = f"range {low:g} to {high:g}, expected within {within[0]:g} to {within[1]:g}"
    elif low == high:
        problem = "every value is the same"
    return Step(
        name,
        tuple(array.shape),
        str(array.dtype),
        low,
        high,
        float(array.mean(dtype=np.float64)),
        float(array.std(dtype=np.float64)),
        problem,
    )


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[step] = (time.perf_counter() - start) * 1000
