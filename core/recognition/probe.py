"""Probes: faces of a picture prepared for the encoder, aligned, enlarged in one batch, and assessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.faces.align import align, probe_px
from core.faces.attack import AttackCheck, AttackScore
from core.faces.detect import Detector
from core.faces.face import Face, choose_faces
from core.faces.quality import Limits, Problem, assess, problems, turned_crop
from core.images import native_crop_px, reduce_photograph, resize, vlr_size
from core.recognition.pipeline_config import PipelineConfig
from core.recognition.results import Probe
from core.settings import CROP_PX
from core.sr import Upscaler

_REDUCING = (None, None, 0.98, 1.02, 0.96, 1.04, None)
"""Factors from one size to try to the next: None follows the measured size, a number scales the best size so far."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A face cut out, not yet enlarged. `crop` is uint8 RGB (s, s, 3) at native size, `aligned` (112, 112, 3) the
    same square cut in one step; `probe_px` is its size, `face` where it lies in a frame of `shape` (height, width),
    None for an aligned crop. `attack` is what a check against presentation attacks says, None where none looked."""

    crop: NDArray[np.uint8]
    aligned: NDArray[np.uint8]
    probe_px: float
    face: Face | None
    shape: tuple[int, int]
    attack: AttackScore | None = None
    quarter: int = 0
    """Of an aligned crop: how many quarter turns it is from upright."""
    recognisability: float | None = None
    """Of an aligned crop; a face has its own."""


def cut_face(frame: NDArray[np.uint8], face: Face, check: AttackCheck | None = None) -> Cut:
    """Cut out a detected face of a uint8 RGB frame (H, W, 3), and apply `check` where there is one."""
    size = probe_px(face.landmarks)
    aligned = align(frame, face.landmarks, CROP_PX)
    native = native_crop_px(size)
    crop = aligned if native == CROP_PX else align(frame, face.landmarks, native)
    attack = check.look(frame, face) if check is not None else None
    return Cut(crop, aligned, size, face, (frame.shape[0], frame.shape[1]), attack)


def cut_crop(rgb: NDArray[np.uint8], detector: Detector, reduce_to_px: int | None = None, quarter: int = 0) -> Cut:
    """A square picture that is an aligned crop already, reduced to `reduce_to_px` where that is smaller; a crop that is
    `quarter` turns from upright is refused."""
    size = rgb.shape[0] if reduce_to_px is None else min(reduce_to_px, rgb.shape[0])
    crop = resize(rgb, native_crop_px(size))
    [recognisability] = detector.recognisability([crop])
    shape = (rgb.shape[0], rgb.shape[1])
    return Cut(crop, resize(crop, CROP_PX), float(size), None, shape, None, quarter, recognisability)


def probes_of(cuts: Sequence[Cut], upscaler: Upscaler, limits: Limits) -> list[Probe]:
    """Make probes of faces, in order; those that a network enlarges are one batch."""
    # The crop cut at 112 px in one step keeps detail that one cut at native size and then enlarged has lost (bicubic,
    # 16 px, end to end: EER 6.5 instead of 9.3 %); so the network, too, is given that one.
    routes = [upscaler.route(cut.probe_px) for cut in cuts]
    through = [cut.aligned for cut, route in zip(cuts, routes, strict=True) if route.network]
    enlarged = iter(upscaler.super_resolve(through)) if through else iter(())
    probes = []
    for cut, route in zip(cuts, routes, strict=True):
        quality = assess(cut.crop, cut.probe_px, cut.face, cut.recognisability)
        whole = cut.crop.shape[0] == CROP_PX
        probes.append(
            Probe(
                crop=cut.crop,
                aligned=cut.aligned,
                sr_image=next(enlarged) if route.network else cut.aligned,
                probe_px=cut.probe_px,
                size_px=vlr_size(cut.probe_px),
                quality=quality,
                problems=(*_refusal(cut), *problems(quality, limits)),
                face=cut.face,
                frame_shape=cut.shape,
                upscaler="" if whole else route.name,
                upscaler_because="" if whole else route.because,
                invented=route.network,
                attack=cut.attack,
            )
        )
    return probes


def _refusal(cut: Cut) -> tuple[Problem, ...]:
    if cut.quarter:
        return (turned_crop(cut.quarter),)
    if cut.attack is None or not cut.attack.refused:
        return ()
    return (Problem("attack" if cut.attack.score is not None else "unchecked", cut.attack.text, severe=True),)


def faces_of(
    detector: Detector,
    rgb: NDArray[np.uint8],
    config: PipelineConfig,
    reduce_to_px: int | None = None,
    *,
    every: bool = True,
) -> Iterator[tuple[NDArray[np.uint8], Face]]:
    """The faces of a photograph, the chosen one first and with `every` False alone, each with the picture that it is
    in: the photograph, or with `reduce_to_px` the one shrunk until the chosen face has this probe_px."""
    found = detector.detect(rgb, small_faces=config.small_faces)
    if found and reduce_to_px is not None:
        look = partial(detector.detect, small_faces=True)
        rgb, found = reduce_until(look, rgb, found, reduce_to_px, config.faces)
    if not found:
        return
    [first] = choose_faces(found, config.faces, rgb.shape)
    yield rgb, first
    if every:
        yield from ((rgb, face) for face in found if face is not first)


def reduce_until(
    look: Callable[[NDArray[np.uint8]], list[Face]],
    rgb: NDArray[np.uint8],
    found: list[Face],
    to_px: int,
    how: Literal["largest", "centre"],
) -> tuple[NDArray[np.uint8], list[Face]]:
    """The photograph shrunk until its chosen face has `to_px`, rounded, and the faces that `look` finds in it.

    The size is measured in the small photograph: landmarks of a small face are closer together than those of the same
    face at full size, by 3 % at 16 px, and another face may be chosen there.
    """
    size = at_full = probe_px(choose_faces(found, how, rgb.shape)[0].landmarks)
    best, least, best_size = (rgb, list[Face]()), float("inf"), size
    for further in _REDUCING:
        small = reduce_photograph(rgb, size, to_px)
        faces = look(small)
        now = probe_px(choose_faces(faces, how, small.shape)[0].landmarks) if faces else float("inf")
        if abs(now - to_px) < least:
            best, least, best_size = (small, faces), abs(now - to_px), size
        if small is rgb or (faces and round(now) == to_px):
            break
        size = size * now / to_px if further is None and faces else best_size * (further or 1.0)
        size = min(max(size, 0.6 * at_full), 1.4 * at_full)
    return best
