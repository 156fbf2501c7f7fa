"""Quality of super-resolved faces: PSNR, SSIM and identity similarity to HR for each image.

PSNR and SSIM are those of core.evaluation.fidelity. Identity similarity is the cosine of the embeddings of the SR and
the HR crop; a specialist in the upscaler's place embeds the SR crop, which is bicubic's then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.evaluation.fidelity import finite_db, psnr_db, ssim
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.pictures import Picture
from core.evaluation.systems import System
from core.evaluation.views import View, show
from core.sr.upscale import BICUBIC, BicubicUpscaler, Upscaler

if TYPE_CHECKING:
    from core.pipeline import Pipeline

COLUMNS = ("image", "identity", "size_px", "upscaler", "psnr_db", "ssim", "similarity")
_BATCH = 64


def sr_quality(
    system: System,
    pictures: Sequence[Picture],
    views: Sequence[View],
    *,
    most: int = 500,
    seed: int = 0,
    hooks: RunHooks = NO_HOOKS,
) -> pd.DataFrame:
    """A row for each image, size and upscaler (bicubic, and the system's own where it is another), COLUMNS.

    Of more than `most` pictures that many are drawn by `seed`. `views` are aligned ones with a size. Pictures without
    a face are left out. Raises JobStopped.
    """
    chosen = list(pictures)
    if len(chosen) > most:
        picked = np.sort(np.random.default_rng(seed).choice(len(chosen), most, replace=False))
        chosen = [chosen[position] for position in picked]
    small = [view for view in views if view.size_px is not None and view.mode == "aligned"]
    upscalers: list[Upscaler] = [BicubicUpscaler()]
    if system.pipeline.upscaler.id != BICUBIC:
        upscalers.append(system.pipeline.upscaler)
    rows: list[dict[str, object]] = []
    for start in range(0, len(chosen) if small else 0, _BATCH):
        hooks.check_stop()
        batch = chosen[start : start + _BATCH]
        wanted = [View("aligned"), *small]
        shown = [show(system.pipeline, picture, wanted, seed, system.memory) for picture in batch]
        there = [(picture, views) for picture, views in zip(batch, shown, strict=True) if views[View("aligned")].found]
        if there:
            rows.extend(_rows(system.pipeline, upscalers, there, small))
        hooks.progress("super-resolution", min(start + _BATCH, len(chosen)), len(chosen))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(
    pipeline: Pipeline, upscalers: Sequence[Upscaler], there: list[Any], views: Sequence[View]
) -> Iterator[dict[str, Any]]:
    hr = np.stack([shown[View("aligned")].crop for _, shown in there])
    truth = pipeline.encoder.encode(hr)
    for view in views:
        for upscaler in upscalers:
            # The network itself, also at sizes that the product leaves to bicubic: how good is it there?
            sr = upscaler.super_resolve([shown[view].crop for _, shown in there])
            vectors = pipeline.encode_as_small(sr) if upscaler is pipeline.upscaler else pipeline.encoder.encode(sr)
            similarity = np.einsum("nd,nd->n", vectors, truth)
            for position, (picture, _) in enumerate(there):
                yield {
                    "image": picture.name,
                    "identity": picture.identity,
                    "size_px": view.size_px,
                    "upscaler": upscaler.name,
                    "psnr_db": psnr_db(sr[position], hr[position]),
                    "ssim": ssim(sr[position], hr[position]),
                    "similarity": float(similarity[position]),
                }


def sr_summary(quality: pd.DataFrame) -> pd.DataFrame:
    """The distributions in figures: for each size and upscaler the number of images, and of each measure the mean and
    the 5th, 50th and 95th percentile; PSNR over pictures that aren't equal to HR, NaN without any."""
    rows = []
    for (size, upscaler), some in quality.groupby(["size_px", "upscaler"], sort=True):
        row: dict[str, object] = {"size_px": size, "upscaler": upscaler, "images": len(some)}
        for name in ("psnr_db", "ssim", "similarity"):
            values = finite_db(some[name]) or [np.nan]
            low, middle, high = np.percentile(values, [5, 50, 95])
            row |= {
                f"{name}_mean": float(np.mean(values)),
                f"{name}_p5": low,
                f"{name}_p50": middle,
                f"{name}_p95": high,
            }
        rows.append(row)
    return pd.DataFrame(rows)
