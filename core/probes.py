"""Faces of a picture made ready for the encoder: cut, aligned, enlarged in one batch, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.faces.align import align, probe_px
from core.faces.attack import AttackCheck, AttackScore
from core.faces.detect import Face
from core.faces.quality import Limits, Problem, assess, problems
from core.images import resize
from core.probe_sizes import native_crop_px, vlr_size
from core.recognition import Probe
from core.settings import CROP_PX
from core.sr import Upscaler


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


def cut_face(frame: NDArray[np.uint8], face: Face, check: AttackCheck | None = None) -> Cut:
    """A detected face of a uint8 RGB frame (H, W, 3), looked at by `check` where there is one."""
    size = probe_px(face.landmarks)
    aligned = align(frame, face.landmarks, CROP_PX)
    native = native_crop_px(size)
    crop = aligned if native == CROP_PX else align(frame, face.landmarks, native)
    attack = check.look(frame, face) if check is not None else None
    return Cut(crop, aligned, size, face, (frame.shape[0], frame.shape[1]), attack)


def cut_crop(rgb: NDArray[np.uint8], reduce_to_px: int | None = None) -> Cut:
    """A square picture that is an aligned crop already, reduced to `reduce_to_px` where that is smaller."""
    size = rgb.shape[0] if reduce_to_px is None else min(reduce_to_px, rgb.shape[0])
    crop = resize(rgb, native_crop_px(size))
    return Cut(crop, resize(crop, CROP_PX), float(size), None, (rgb.shape[0], rgb.shape[1]))


def probes_of(cuts: Sequence[Cut], upscaler: Upscaler, limits: Limits) -> list[Probe]:
    """Probes, in order; those that a network enlarges go through it together."""
    # The crop cut at 112 px in one step keeps detail that one cut at native size and then enlarged has lost (bicubic,
    # 16 px, end to end: EER 6.5 instead of 9.3 %); so the network, too, is given that one.
    routes = [upscaler.route(cut.probe_px) for cut in cuts]
    through = [cut.aligned for cut, route in zip(cuts, routes, strict=True) if route.network]
    enlarged = iter(upscaler.super_resolve(through)) if through else iter(())
    probes = []
    for cut, route in zip(cuts, routes, strict=True):
        quality = assess(cut.crop, cut.probe_px, cut.face)
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
                attack=cut.attack,
            )
        )
    return probes


def _refusal(cut: Cut) -> tuple[Problem, ...]:
    if cut.attack is None or not cut.attack.refused:
        return ()
    return (Problem("attack" if cut.attack.score is not None else "unchecked", cut.attack.text, severe=True),)
