"""Embed photographs as the protocols want them: at HR and reduced, aligned and end to end.

Aligned: the face is found and aligned at full size, and the 112 px crop is shrunk (antialiased bicubic, rounded to 8
bits) and upscaled again; this is what papers report. End to end: the whole photograph is shrunk until the face has the
size, then everything starts from there: the truth for a far camera.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.faces.align import align, probe_px
from core.faces.detect import choose_faces
from core.images import read_image, resize
from core.pipeline import Pipeline, reduce_photograph
from core.settings import CROP_PX

Mode = Literal["aligned", "end to end"]
Size = int | None
Progress = Callable[[int, int], None]

_BATCH = 64
_WORKERS = 2


@dataclass(frozen=True)
class Embedded:
    """Embeddings of one mode and size: `vectors` (N, 512), zero rows where `acquired` (N,) is false: no face was found,
    or it was unrecognisable."""

    mode: Mode
    size_px: Size
    vectors: NDArray[np.float32]
    acquired: NDArray[np.bool_]

    @property
    def failure_to_acquire(self) -> float:
        """The share of photographs without a usable face, in [0, 1]."""
        return float(1 - self.acquired.mean()) if len(self.acquired) else 0.0


def embed_photographs(
    pipeline: Pipeline,
    paths: Sequence[Path],
    *,
    sizes: Sequence[Size] = (None, 32, 24, 16),
    modes: Sequence[Mode] = ("aligned", "end to end"),
    on_progress: Progress | None = None,
) -> dict[tuple[Mode, Size], Embedded]:
    """Embed every photograph in every mode and size (None: HR), each decoded and first searched once.

    The pipeline should take the face nearest the centre (`faces="centre"`) and never take a small photograph for an
    aligned crop (`aligned=False`). At HR both modes are the same, and it is embedded once. Raises what `read_image`
    raises for the first unreadable photograph.
    """
    keys = [(mode, size) for mode in modes for size in sizes if size is not None]
    keys += [("aligned", None)] if None in sizes else []
    parts: dict[tuple[Mode, Size], list[NDArray[np.float32]]] = {key: [] for key in keys}
    with ThreadPoolExecutor(_WORKERS) as workers:
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            views = list(workers.map(lambda path: _views(pipeline, path, keys), batch))
            for key in keys:
                parts[key].append(_embed(pipeline, [view[key] for view in views]))
            if on_progress is not None:
                on_progress(start + len(batch), len(paths))
    embedded = {key: _joined(key, rows) for key, rows in parts.items()}
    if None in sizes:
        embedded |= {(mode, None): embedded["aligned", None] for mode in modes}
    return embedded


def _views(
    pipeline: Pipeline, path: Path, keys: Iterable[tuple[Mode, Size]]
) -> dict[tuple[Mode, Size], NDArray[np.uint8] | None]:
    """What the encoder sees of one photograph for every mode and size; None where there is no usable face."""
    rgb = read_image(path)
    found = choose_faces(pipeline.detector.detect(rgb), "centre", rgb.shape)
    if not found:
        return dict.fromkeys(keys)
    views: dict[tuple[Mode, Size], NDArray[np.uint8] | None] = {}
    crop = align(rgb, found[0].landmarks, CROP_PX)
    for mode, size in keys:
        if size is None:
            views[mode, size] = crop
        elif mode == "aligned":
            views[mode, size] = pipeline.upscaler.upscale([resize(crop, size)])[0]
        else:
            small = reduce_photograph(rgb, probe_px(found[0].landmarks), size)
            probe = next(iter(pipeline.find(small, every=False)), None)
            views[mode, size] = None if probe is None or probe.unrecognisable_because else probe.sr_image
    return views


def _embed(pipeline: Pipeline, views: Sequence[NDArray[np.uint8] | None]) -> NDArray[np.float32]:
    """(N, 512), zeros for missing views."""
    rows = np.zeros((len(views), pipeline.space.dim), dtype=np.float32)
    there = [position for position, view in enumerate(views) if view is not None]
    rows[there] = pipeline.encoder.encode([view for view in views if view is not None])
    return rows


def _joined(key: tuple[Mode, Size], rows: Sequence[NDArray[np.float32]]) -> Embedded:
    vectors = np.concatenate(rows) if rows else np.zeros((0, 512), dtype=np.float32)
    return Embedded(key[0], key[1], vectors, np.abs(vectors).sum(axis=1) > 0)


def cross_pairs(
    left: NDArray[np.float32], right: NDArray[np.float32], people: NDArray[np.int64], *, ordered: bool
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
    """Scores and both people of every pair of different photographs, block by block: `left` row i against `right` j.

    `ordered` takes (i, j) and (j, i), for sides of different kinds; else each pair once.
    """
    for start in range(0, len(left), 512):
        scores = left[start : start + 512] @ right.T
        i, j = np.indices(scores.shape)
        i += start
        keep = (i != j) if ordered else (i < j)
        yield scores[keep], people[i[keep]], people[j[keep]]
