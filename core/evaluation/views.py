"""Prepare one picture for embedding: its crop and quality in every view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from core.dataset.degrade import degrade, degrade_photograph, seed_for
from core.evaluation.pictures import Picture
from core.evaluation.vector_cache import QUALITY
from core.faces.align import align, probe_px
from core.faces.face import Face, choose_faces
from core.faces.quality import Quality, assess
from core.images import RGB, read_image, reduce_photograph, resize
from core.settings import CROP_PX

if TYPE_CHECKING:
    from core.pipeline import Pipeline

Mode = Literal["aligned", "end to end"]
Size = int | None
Degradation = Literal["bicubic", "camera", "stored"]


@dataclass(frozen=True)
class View:
    """How a picture is prepared for the encoder. `size_px` None is HR. "stored": the data set's own VLR files."""

    mode: Mode
    size_px: Size = None
    degradation: Degradation = "bicubic"

    @property
    def probe(self) -> str:
        return "HR" if self.size_px is None else f"{self.size_px} px"


@dataclass(frozen=True)
class Shown:
    """A crop for the encoder: 112 px, or small and still to be upscaled; None without a usable face. `probe_px` is the
    face's size, which chooses the encoder of a 112 px crop."""

    crop: RGB | None
    found: bool
    quality: NDArray[np.float32]
    probe_px: float = CROP_PX


def show(pipeline: Pipeline, picture: Picture, views: Sequence[View], seed: int = 0) -> dict[View, Shown]:
    """Prepare one picture in every view; it is decoded once, and its face is detected at full size once.

    `seed` with the picture's hash draws the camera's values. Raises what `read_image` raises.
    """
    if not views:
        return {}
    rgb = read_image(picture.path)
    draw = seed_for(seed, picture.sha256)
    if picture.aligned:
        hr = resize(rgb, CROP_PX)
        return {view: _aligned(pipeline, hr, view, picture, draw) for view in views}
    found = choose_faces(pipeline.detector.detect(rgb, small_faces=picture.cut_out or None), "centre", rgb.shape)
    if not found and picture.cut_out:
        return dict.fromkeys(views, _whole(pipeline, rgb))
    if not found:
        return dict.fromkeys(views, Shown(None, False, _measures(None)))
    hr = align(rgb, found[0].landmarks, CROP_PX)
    return {
        view: _aligned(pipeline, hr, view, picture, draw, found[0])
        if view.mode == "aligned"
        else _from_afar(pipeline, rgb, found[0], view, draw, cut_out=picture.cut_out)
        for view in views
    }


def _whole(pipeline: Pipeline, rgb: RGB) -> Shown:
    """A cut-out face in which none is detected, as a crop at its own size."""
    side = min(CROP_PX, max(8, min(rgb.shape[:2])))
    crop = resize(rgb, side)
    [recognisability] = pipeline.detector.recognisability([crop])
    return Shown(crop, True, _measures(assess(crop, side, None, recognisability)), side)


def _aligned(pipeline: Pipeline, hr: RGB, view: View, picture: Picture, draw: int, face: Face | None = None) -> Shown:
    if view.size_px is None:
        crop = hr
    elif view.degradation == "stored":
        crop = resize(read_image(picture.vlr[view.size_px].path), view.size_px)
    else:
        crop, _ = degrade(hr, view.size_px, view.degradation, seed=draw)
    [recognisability] = pipeline.detector.recognisability([crop])
    side = crop.shape[0]
    return Shown(crop, True, _measures(assess(crop, side, face, recognisability)), side)


def _from_afar(pipeline: Pipeline, rgb: RGB, face: Face, view: View, draw: int, *, cut_out: bool = False) -> Shown:
    size = view.size_px
    if size is not None:
        at_full = probe_px(face.landmarks)
        if view.degradation == "camera":
            rgb = degrade_photograph(rgb, at_full, size, seed=draw)
        else:
            rgb = reduce_photograph(rgb, at_full, size)
    probes = pipeline.find(rgb, every=False)
    if not probes and cut_out:
        return _whole(pipeline, rgb)
    if not probes or probes[0].unrecognisable_because:
        return Shown(None, bool(probes), _measures(probes[0].quality if probes else None))
    return Shown(probes[0].sr_image, True, _measures(probes[0].quality), probes[0].probe_px)


def _measures(quality: Quality | None) -> NDArray[np.float32]:
    values = [getattr(quality, name, None) for name in QUALITY]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)
