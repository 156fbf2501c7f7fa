"""Survey many faces of a data set: figures by bicubic and by DSR, to find the worst and the most changed.

Figures are cached a batch at a time, so that an interrupted survey resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.evaluation.embedding import embed
from core.evaluation.fidelity import psnr_db, ssim
from core.evaluation.hooks import NO_HOOKS, Progress, RunHooks, progress_events
from core.evaluation.pictures import Picture
from core.evaluation.systems import system_of
from core.evaluation.vector_cache import RowFormat, Values, VectorCache, default_embedding_cache
from core.evaluation.views import View
from core.inspection.reference import Reference, reference_of_pictures, weighed
from core.inspection.subject import Reduction, subject_of_picture
from core.jobs.errors import JobStopped
from core.settings import Settings
from core.sr.upscale import BICUBIC, BicubicUpscaler, Upscaler

if TYPE_CHECKING:
    from core.pipeline import Pipeline

MEASURES = ("psnr_db", "ssim", "similarity", "rank", "genuine", "taken_for")
COLUMNS = (
    "image",
    "identity",
    "sha256",
    *(f"{name}_{way}" for way in ("bicubic", "dsr") for name in MEASURES),
    "similarity_gain",
    "rank_gain",
)

ORDERS = {
    "listed": "As listed",
    "psnr": "Worst PSNR",
    "similarity": "Worst similarity",
    "wrong": "Wrongly identified",
    "gain": "Biggest gain by DSR",
    "loss": "Biggest loss by DSR",
}
"""Orders of a survey, with their labels. "wrong" filters for wrongly identified faces."""

NEED_DSR = ("gain", "loss")

FIGURES = {
    "similarity_gain": "Gain in cosine by DSR",
    "rank_gain": "Gain in rank by DSR",
    "similarity_dsr": "Cosine to HR, DSR",
    "similarity_bicubic": "Cosine to HR, bicubic",
    "psnr_db_dsr": "PSNR, DSR",
    "psnr_db_bicubic": "PSNR, bicubic",
    "ssim_dsr": "SSIM, DSR",
    "ssim_bicubic": "SSIM, bicubic",
    "genuine_dsr": "Score of the true person, DSR",
    "genuine_bicubic": "Score of the true person, bicubic",
    "rank_dsr": "Rank of the true person, DSR",
    "rank_bicubic": "Rank of the true person, bicubic",
    "identity": "Name",
}
"""Columns that a survey can be sorted by, with their labels."""

_BATCH = 64
_WORKERS = 2
_MEASURES = 3


@dataclass(frozen=True, eq=False)
class FaceFigures:
    """Figures of one face enlarged by bicubic and by the DSR network: PSNR in dB, SSIM and cosine to HR (3,) float64,
    and the embedding (512,) of each. `dsr` and `dsr_vector` are None where no network is in use."""

    bicubic: NDArray[np.float64]
    bicubic_vector: NDArray[np.float32]
    dsr: NDArray[np.float64] | None = None
    dsr_vector: NDArray[np.float32] | None = None


def _encode(row: FaceFigures) -> Values:
    return (
        row.bicubic.astype("<f8").tobytes(),
        row.bicubic_vector.astype("<f4").tobytes(),
        None if row.dsr is None else row.dsr.astype("<f8").tobytes(),
        None if row.dsr_vector is None else row.dsr_vector.astype("<f4").tobytes(),
    )


def _decode(values: Values) -> FaceFigures:
    bicubic, dsr = (None if one is None else np.frombuffer(one, "<f8") for one in values[::2])
    bicubic_vector, dsr_vector = (None if one is None else np.frombuffer(one, "<f4") for one in values[1::2])
    if any(one is not None and len(one) != _MEASURES for one in (bicubic, dsr)):
        raise ValueError("another format")
    if bicubic is None or bicubic_vector is None:
        raise ValueError("another format")
    return FaceFigures(bicubic, bicubic_vector, dsr, dsr_vector)


FigureCache = VectorCache[FaceFigures]

_FIGURES = RowFormat(
    {"bicubic": "BLOB NOT NULL", "bicubic_vector": "BLOB NOT NULL", "dsr": "BLOB", "dsr_vector": "BLOB"},
    _encode,
    _decode,
)


def figure_cache(folder: Path) -> FigureCache:
    """Return the cache of figures in `folder`."""
    return VectorCache(folder, _FIGURES)


def default_figure_cache(settings: Settings) -> FigureCache:
    """Return the cache of figures of this installation."""
    return figure_cache(settings.data_dir / "cache" / "inspections")


def reference_of_dataset(
    pipeline: Pipeline,
    settings: Settings,
    pictures: Sequence[Picture],
    label: str,
    *,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Reference:
    """Return the HR images of a data set as people to search among; embeddings are cached with those of evaluations."""
    hr = View("aligned")
    hooks = RunHooks(
        progress_events(on_progress), should_stop or NO_HOOKS.should_stop, default_embedding_cache(settings)
    )
    embedded = embed(system_of(pipeline), pictures, [hr], hooks)[hr]
    return reference_of_pictures(pictures, weighed(embedded), label)


def spread(pictures: Sequence[Picture], most: int | None) -> list[Picture]:
    """At most `most` of the pictures, evenly over the list, so that many people are among them; None for all."""
    if most is None or len(pictures) <= most:
        return list(pictures)
    places = np.linspace(0, len(pictures) - 1, most).round().astype(int)
    return [pictures[place] for place in places]


def survey(
    pipeline: Pipeline,
    pictures: Sequence[Picture],
    reduction: Reduction,
    reference: Reference,
    *,
    store: FigureCache | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """A row for each picture, COLUMNS. Figures of DSR are NaN where no network is in use; `taken_for` is the person
    that a wrongly identified face resembles most, "" where it is right or unknown.

    `on_progress(done, total)` counts the faces that aren't cached. Raises what `subject_of_picture` raises, JobStopped.
    """
    key = _key(pipeline, reduction)
    known = store.read(key, [picture.sha256 for picture in pictures]) if store is not None else {}
    todo = list({picture.sha256: picture for picture in pictures if picture.sha256 not in known}.values())
    with ThreadPoolExecutor(_WORKERS) as workers:
        for start in range(0, len(todo), _BATCH):
            if should_stop is not None and should_stop():
                raise JobStopped
            rows = _look(pipeline, todo[start : start + _BATCH], reduction, workers)
            known.update(rows)
            if store is not None:
                store.write(key, rows)
            if on_progress is not None:
                on_progress(min(start + _BATCH, len(todo)), len(todo))
    return _table(pictures, known, reference)


def ordered(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """Sort or filter the rows by one of ORDERS, by DSR's figures where there are some, else by bicubic's.

    Raises SettingsInvalid for an unknown order, or one that needs a DSR where there is none.
    """
    if order not in ORDERS:
        raise SettingsInvalid(f"There is no order '{order}'.", f"Choose one of {', '.join(ORDERS)}.")
    has_dsr = bool(table["similarity_dsr"].notna().any())
    if order in NEED_DSR and not has_dsr and len(table):
        raise SettingsInvalid(
            "Gain and loss compare bicubic with a DSR network, and none is in use.",
            "Activate one (weights use FILE), or train one (train dsr).",
        )
    way = "dsr" if has_dsr else "bicubic"
    if order == "psnr":
        return table.sort_values(f"psnr_db_{way}", kind="stable")
    if order == "similarity":
        return table.sort_values(f"similarity_{way}", kind="stable")
    if order == "wrong":
        return table[table[f"rank_{way}"] > 1].sort_values(f"rank_{way}", ascending=False, kind="stable")
    if order in NEED_DSR:
        # By likeness to HR: a rank moves little among the right, and by hundreds among the hopeless.
        return table.sort_values("similarity_gain", ascending=order == "loss", kind="stable")
    return table


def figures_of(table: pd.DataFrame) -> list[str]:
    """Those of FIGURES that at least one row of a survey has."""
    return [column for column in FIGURES if table[column].notna().any()]


def sorted_by(table: pd.DataFrame, column: str, *, largest_first: bool = False) -> pd.DataFrame:
    """Sort the rows by one of FIGURES, stable, ascending by default; rows without that figure come last.

    Raises SettingsInvalid for another column.
    """
    if column not in FIGURES:
        raise SettingsInvalid(f"Faces can't be sorted by '{column}'.", f"Choose one of {', '.join(FIGURES)}.")
    return table.sort_values(
        column,
        ascending=not largest_first,
        kind="stable",
        na_position="last",
        key=(lambda names: names.str.casefold()) if column == "identity" else None,
    )


def _key(pipeline: Pipeline, reduction: Reduction) -> dict[str, Any]:
    info = pipeline.encoder.info
    return {
        "encoder": info.weights_sha256,
        "precision": info.precision,
        "device": info.device,
        "flip": info.flip_tta,
        "upscaler": pipeline.upscaler.id,
        "size_px": reduction.size_px,
        "degradation": reduction.degradation,
        "seed": reduction.seed if reduction.degradation == "camera" else 0,
        "params": dict(reduction.params or {}),
    }


def _look(
    pipeline: Pipeline, batch: Sequence[Picture], reduction: Reduction, workers: ThreadPoolExecutor
) -> dict[str, FaceFigures]:
    subjects = list(workers.map(lambda picture: subject_of_picture(picture, reduction), batch))
    small = [subject.vlr for subject in subjects]
    hr = np.stack([subject.hr for subject in subjects if subject.hr is not None])
    truth = pipeline.encoder.encode(hr)
    looked = []
    ways: list[Upscaler] = [BicubicUpscaler(), *([pipeline.upscaler] if pipeline.upscaler.id != BICUBIC else [])]
    for upscaler in ways:
        made = upscaler.super_resolve(small)
        vectors = pipeline.encode_as_small(made) if upscaler is pipeline.upscaler else pipeline.encoder.encode(made)
        pixels = list(workers.map(lambda pair: (psnr_db(*pair), ssim(*pair)), zip(made, hr, strict=True)))
        likeness = np.einsum("nd,nd->n", vectors, truth)
        looked.append((np.column_stack([np.array(pixels), likeness.astype(np.float64)]), vectors))
    rows = {}
    for place, picture in enumerate(batch):
        dsr = (looked[1][0][place], looked[1][1][place]) if len(looked) > 1 else (None, None)
        rows[picture.sha256] = FaceFigures(looked[0][0][place], looked[0][1][place], *dsr)
    return rows


def _table(pictures: Sequence[Picture], known: Mapping[str, FaceFigures], reference: Reference) -> pd.DataFrame:
    rows = []
    for picture in pictures:
        one = known[picture.sha256]
        row: dict[str, Any] = {"image": picture.name, "identity": picture.identity, "sha256": picture.sha256}
        for way, measures, vector in (
            ("bicubic", one.bicubic, one.bicubic_vector),
            ("dsr", one.dsr, one.dsr_vector),
        ):
            if measures is None or vector is None:
                row |= {f"{name}_{way}": "" if name == "taken_for" else np.nan for name in MEASURES}
                continue
            [ranking] = reference.search(vector[None], picture.identity, picture.sha256, 1)
            wrong = ranking.rank is not None and ranking.rank > 1
            row |= {
                f"psnr_db_{way}": measures[0],
                f"ssim_{way}": measures[1],
                f"similarity_{way}": measures[2],
                f"rank_{way}": np.nan if ranking.rank is None else float(ranking.rank),
                f"genuine_{way}": np.nan if ranking.genuine is None else ranking.genuine,
                f"taken_for_{way}": ranking.nearest[0].name if wrong and ranking.nearest else "",
            }
        row["similarity_gain"] = row["similarity_dsr"] - row["similarity_bicubic"]
        row["rank_gain"] = row["rank_bicubic"] - row["rank_dsr"]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))
