"""Embed photographs as the protocols want them: at HR and reduced, aligned and end to end.

Aligned: the face is found and aligned at full size, and the 112 px crop is shrunk (antialiased bicubic, rounded to 8
bits) and upscaled again; this is what papers report. End to end: the whole photograph is shrunk until the face has the
size, then everything starts from there, as the product does it: the truth for a far camera.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.encoder.variants import EMBEDDING_DIM
from core.errors import SettingsInvalid
from core.faces.align import align, probe_px
from core.faces.detect import choose_faces
from core.images import read_image, resize
from core.pipeline import Pipeline, reduce_photograph
from core.recognition import Probe
from core.settings import CROP_PX

Mode = Literal["aligned", "end to end"]
Size = int | None
Key = tuple[Mode, Size]
Progress = Callable[[int, int], None]

MODES: tuple[Mode, ...] = ("aligned", "end to end")
SIZES: tuple[Size, ...] = (None, 32, 24, 16)

_BATCH = 64
_WORKERS = 2


@dataclass(frozen=True)
class Embedded:
    """Embeddings of one mode and size (None: HR), a row for each photograph.

    `vectors` (N, 512), zero rows where `acquired` (N,) is false: no face was found (`found` is false too), or it was
    one that the product calls unrecognisable.
    """

    mode: Mode
    size_px: Size
    vectors: NDArray[np.float32]
    acquired: NDArray[np.bool_]
    found: NDArray[np.bool_]


@dataclass(frozen=True)
class _View:
    """A crop on its way to the encoder: a 112 px one, or a small one that is still to be upscaled; None: no use."""

    crop: NDArray[np.uint8] | None
    found: bool


def embed_photographs(
    pipeline: Pipeline,
    paths: Sequence[Path],
    *,
    sizes: Sequence[Size] = SIZES,
    modes: Sequence[Mode] = MODES,
    on_progress: Progress | None = None,
) -> dict[Key, Embedded]:
    """Embed every photograph in every mode and size (None: HR), each decoded and first searched once.

    The face nearest the centre counts, and no photograph is taken for an aligned crop, whatever the pipeline is
    configured for. Raises SettingsInvalid for a size that is no small face's, and what `read_image` raises for the
    first unreadable photograph.
    """
    for size in sizes:
        if size is not None and not 8 <= size < CROP_PX:
            raise SettingsInvalid(f"A reduced face has 8 to {CROP_PX - 1} px, not {size}.", "Choose 16, 24 or 32.")
    pipeline = _for_evaluation(pipeline)
    keys: list[Key] = [(mode, size) for mode in modes for size in sizes]
    parts: dict[Key, list[tuple[NDArray[np.float32], list[_View]]]] = {key: [] for key in keys}
    with ThreadPoolExecutor(_WORKERS) as workers:
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            views = list(workers.map(lambda path: _views(pipeline, path, keys), batch))
            for key, vectors in _embed(pipeline, views, keys).items():
                parts[key].append((vectors, [view[key] for view in views]))
            if on_progress is not None:
                on_progress(start + len(batch), len(paths))
    return {key: _joined(key, rows) for key, rows in parts.items()}


def _for_evaluation(pipeline: Pipeline) -> Pipeline:
    config = replace(pipeline.config, faces="centre", aligned=False)
    return Pipeline(config, pipeline.encoder, pipeline.upscaler, pipeline.detector, pipeline.gallery.store)


def _views(pipeline: Pipeline, path: Path, keys: Sequence[Key]) -> dict[Key, _View]:
    """What becomes of one photograph in every mode and size."""
    rgb = read_image(path)
    found = choose_faces(pipeline.detector.detect(rgb), "centre", rgb.shape)
    if not found:
        return dict.fromkeys(keys, _View(None, False))
    landmarks = found[0].landmarks
    hr = align(rgb, landmarks, CROP_PX)
    views: dict[Key, _View] = {}
    for mode, size in keys:
        if mode == "aligned":
            views[mode, size] = _View(hr if size is None else resize(hr, size), True)
        elif size is None:
            views[mode, size] = _view(pipeline.find(rgb, every=False))
        else:
            views[mode, size] = _view(pipeline.find(reduce_photograph(rgb, probe_px(landmarks), size), every=False))
    return views


def _view(probes: Sequence[Probe]) -> _View:
    if not probes or probes[0].unrecognisable_because:
        return _View(None, bool(probes))
    return _View(probes[0].sr_image, True)


def _embed(
    pipeline: Pipeline, views: Sequence[dict[Key, _View]], keys: Sequence[Key]
) -> dict[Key, NDArray[np.float32]]:
    """(N, 512) for every key, zeros for missing crops. An HR crop that both modes share is embedded once."""
    rows: dict[Key, NDArray[np.float32]] = {}
    for mode, size in keys:
        crops = [view[mode, size].crop for view in views]
        vectors = np.zeros((len(crops), EMBEDDING_DIM), dtype=np.float32)
        there = [position for position, crop in enumerate(crops) if crop is not None]
        if (mode, size) == ("end to end", None) and ("aligned", None) in rows:
            vectors[there] = rows["aligned", None][there]
            there = [p for p in there if not _equal(crops[p], views[p]["aligned", None].crop)]
        if there:
            ready = pipeline.upscaler.upscale([crop for p in there if (crop := crops[p]) is not None])
            vectors[there] = pipeline.encoder.encode(ready)
        rows[mode, size] = vectors
    return rows


def _equal(a: NDArray[np.uint8] | None, b: NDArray[np.uint8] | None) -> bool:
    return a is not None and b is not None and np.array_equal(a, b)


def _joined(key: Key, rows: Sequence[tuple[NDArray[np.float32], list[_View]]]) -> Embedded:
    views = [view for _, some in rows for view in some]
    return Embedded(
        mode=key[0],
        size_px=key[1],
        vectors=np.concatenate([vectors for vectors, _ in rows]) if rows else np.zeros((0, EMBEDDING_DIM), np.float32),
        acquired=np.array([view.crop is not None for view in views], dtype=bool),
        found=np.array([view.found for view in views], dtype=bool),
    )
