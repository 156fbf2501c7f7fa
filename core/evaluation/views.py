"""Prepare one picture for embedding: its crop and quality in every view."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
    from core.evaluation.face_memory import FaceMemory
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


def show(
    pipeline: Pipeline, picture: Picture, views: Sequence[View], seed: int = 0, memory: FaceMemory | None = None
) -> dict[View, Shown]:
    """Prepare one picture in every view; it is decoded once, and its face is detected at full size once.

    `seed` with the picture's hash draws the camera's values. Views that `memory` holds of a pipeline that prepares
    pictures alike aren't prepared again. Raises what `read_image` raises.
    """
    if memory is None:
        return _show(pipeline, picture, views, seed)
    return memory.recall_views(
        {view: _shown_key(pipeline, picture, view, seed) for view in views},
        lambda missing: _show(pipeline, picture, missing, seed),
    )


def _shown_key(pipeline: Pipeline, picture: Picture, view: View, seed: int) -> Hashable:
    """What decides how a picture is shown. An upscaler takes part end to end, where it enlarges what is cut."""
    upscaler = "" if view.mode == "aligned" or pipeline.upscaler.interpolates else pipeline.upscaler.id
    stored = picture.vlr.get(view.size_px) if view.degradation == "stored" and view.size_px is not None else None
    limits = pipeline.config.limits
    how = (picture.sha256, picture.aligned, picture.cut_out, stored, view, seed)
    return (*how, pipeline.detector.id, limits, upscaler)


def _show(pipeline: Pipeline, picture: Picture, views: Sequence[View], seed: int) -> dict[View, Shown]:
    if not views:
        return {}
    rgb = read_image(picture.path)
    draw = seed_for(seed, picture.sha256)
    if picture.aligned:
        return _aligned(pipeline, resize(rgb, CROP_PX), views, picture, draw)
    found = choose_faces(pipeline.detector.detect(rgb, small_faces=picture.cut_out or None), "centre", rgb.shape)
    if not found and picture.cut_out:
        return dict.fromkeys(views, _whole(pipeline, rgb))
    if not found:
        return dict.fromkeys(views, Shown(None, False, _measures(None)))
    hr = align(rgb, found[0].landmarks, CROP_PX)
    aligned = _aligned(pipeline, hr, [view for view in views if view.mode == "aligned"], picture, draw, found[0])
    return {
        view: aligned[view]
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


def _aligned(
    pipeline: Pipeline, hr: RGB, views: Sequence[View], picture: Picture, draw: int, face: Face | None = None
) -> dict[View, Shown]:
    """The 112 px crop `hr` in aligned views; the recognisability of all is read in one batch."""
    crops = [_reduced(hr, view, picture, draw) for view in views]
    measured = zip(views, crops, pipeline.detector.recognisability(crops) if crops else [], strict=True)
    return {
        view: Shown(crop, True, _measures(assess(crop, crop.shape[0], face, recognisability)), crop.shape[0])
        for view, crop, recognisability in measured
    }


def _reduced(hr: RGB, view: View, picture: Picture, draw: int) -> RGB:
    if view.size_px is None:
        return hr
    if view.degradation == "stored":
        return resize(read_image(picture.vlr[view.size_px].path), view.size_px)
    return degrade(hr, view.size_px, view.degradation, seed=draw)[0]


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
