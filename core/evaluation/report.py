"""Verification on a pairs file, told whole: protocol, encoder, number of pairs, intervals, failures to acquire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.figures import REJECTED, failed_pairs, measure, measure_all_pairs
from core.evaluation.pairs import Pair, PairsInvalid, Photo, people_by_fold, photos_of, read_pairs, require_photos
from core.evaluation.protocol import MODES, SIZES, Embedded, Mode, Progress, Size, embed_photographs
from core.evaluation.scores import Ints, pair_scores, side
from core.evaluation.table import Pairing, PairsReport, Row
from core.evaluation.verification import wilson
from core.pipeline import Pipeline

__all__ = ["PairsReport", "Row", "evaluate_pairs"]

OnEvent = Callable[[int, int, str], None]

_WORKERS = 2
_VERSIONS = ("edgeface-studio", "torch", "timm", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class _Task:
    """What the rows are measured on: listed pairs as positions among the photographs, and how to resample."""

    a: Ints
    b: Ints
    folds: Ints
    people: Ints
    resamples: int
    seed: int


def evaluate_pairs(
    images_root: Path,
    pairs_file: Path,
    *,
    pipeline: Pipeline,
    folds: Collection[int] | None = None,
    sizes: Sequence[Size] = SIZES,
    modes: Sequence[Mode] = MODES,
    on_event: OnEvent | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    all_pairs: bool = True,
) -> PairsReport:
    """Verification on a pairs file, at every size (None: HR), VLR-VLR and VLR-HR, aligned and end to end.

    VLR-HR takes each pair twice, either side small. `all_pairs` adds the figures of every pair of the photographs
    that the chosen folds name: every cross-person pair is an impostor pair. `bootstrap` resamples of people give the
    intervals (0: none). `on_event(done, total, what)` tells of progress.
    Raises PairsInvalid, and what `embed_photographs` raises.
    """
    tell = on_event or _ignore
    pairs = read_pairs(pairs_file, folds)
    if not pairs:
        raise PairsInvalid(f"No fold of {pairs_file.name} was chosen.", "Choose at least one.")
    photos = photos_of(pairs)
    require_photos(photos, images_root)
    with_hr = [None, *(size for size in dict.fromkeys(sizes) if size is not None)]
    embedded = embed_photographs(
        pipeline,
        [photo.path(images_root) for photo in photos],
        sizes=with_hr,
        modes=modes,
        on_progress=_named(tell, "embedding photographs"),
    )
    task = _task(pairs, photos, bootstrap, seed)
    jobs: list[Callable[[], Row]] = []
    for measured in (_pairs_row, _all_pairs_row) if all_pairs else (_pairs_row,):
        for (mode, size), probe in embedded.items():
            hr = embedded[mode, None]
            for pairing in _pairings(size, sizes):
                jobs.append(_job(measured, task, probe, hr if pairing == "VLR-HR" else probe, pairing))
    return PairsReport(_protocol(pipeline, images_root, pairs_file, pairs, photos, task), _run(jobs, tell))


def _ignore(done: int, total: int, what: str) -> None:
    pass


def _named(tell: OnEvent, what: str) -> Progress:
    return lambda done, total: tell(done, total, what)


def _job(
    measured: Callable[[_Task, Embedded, Embedded, Pairing], Row],
    task: _Task,
    probe: Embedded,
    other: Embedded,
    pairing: Pairing,
) -> Callable[[], Row]:
    return lambda: measured(task, probe, other, pairing)


def _run(jobs: Sequence[Callable[[], Row]], tell: OnEvent) -> tuple[Row, ...]:
    """The rows in order, two at a time. When one fails, or the user interrupts, those not yet begun are dropped."""
    rows: list[Row] = []
    workers = ThreadPoolExecutor(_WORKERS)
    try:
        for row in workers.map(lambda job: job(), jobs):
            rows.append(row)
            tell(len(rows), len(jobs), "measuring")
    finally:
        workers.shutdown(cancel_futures=True)
    return tuple(rows)


def _pairings(size: Size, sizes: Sequence[Size]) -> list[Pairing]:
    if size is not None:
        return ["VLR-VLR", "VLR-HR"]
    return ["HR-HR"] if None in sizes else []


def _task(pairs: Sequence[Pair], photos: Sequence[Photo], resamples: int, seed: int) -> _Task:
    place = {photo: position for position, photo in enumerate(photos)}
    _, people = np.unique([photo.name for photo in photos], return_inverse=True)
    return _Task(
        a=np.array([place[pair.a] for pair in pairs]),
        b=np.array([place[pair.b] for pair in pairs]),
        folds=np.array([pair.fold for pair in pairs]),
        people=people.astype(np.int64),
        resamples=resamples,
        seed=seed,
    )


def _pairs_row(task: _Task, probe: Embedded, other: Embedded, pairing: Pairing) -> Row:
    a, b, folds = task.a, task.b, task.folds
    if pairing == "VLR-HR":
        a, b, folds = np.r_[a, b], np.r_[b, a], np.r_[folds, folds]
    scores = pair_scores(probe.vectors[a], other.vectors[b])
    there = probe.acquired[a] & other.acquired[b]
    first, second = task.people[a], task.people[b]
    same = first == second
    _require_both_kinds(same[there], probe)
    figures = measure(
        scores[there],
        same[there],
        (first[there], second[there]),
        folds=folds[there],
        resamples=task.resamples,
        seed=task.seed,
    )
    with_failures = measure(
        np.where(there, scores, REJECTED), same, (first, second), folds=folds, resamples=0
    )  # fmt: skip
    return Row("pairs file", probe.mode, probe.size_px, pairing, *_failures(probe), figures, with_failures)


def _all_pairs_row(task: _Task, probe: Embedded, other: Embedded, pairing: Pairing) -> Row:
    ordered = pairing == "VLR-HR"
    left, right = (side(one.vectors, task.people) for one in (probe, other))
    acquired = left.only(probe.acquired[left.photos]), right.only(other.acquired[right.photos])
    failed = failed_pairs(left, *acquired, ordered=ordered)
    figures = measure_all_pairs(*acquired, ordered=ordered, resamples=task.resamples, seed=task.seed)
    with_failures = (
        measure_all_pairs(*acquired, ordered=ordered, resamples=0, failed=failed) if any(failed) else figures
    )
    return Row("all pairs", probe.mode, probe.size_px, pairing, *_failures(probe), figures, with_failures)


def _failures(probe: Embedded) -> tuple[float, tuple[float, float], float]:
    failed, count = int((~probe.acquired).sum()), len(probe.acquired)
    return failed / count, wilson(failed, count), float(1 - probe.found.mean())


def _require_both_kinds(same: NDArray[np.bool_], probe: Embedded) -> None:
    if same.all() or not same.any():
        size = f"{probe.size_px} px" if probe.size_px else "HR"
        raise PairsInvalid(
            f"At {size}, {probe.mode}, no {'different' if same.any() else 'same'} pair has a face in both photographs.",
            "Choose photographs with faces, or a larger size.",
        )


def _protocol(
    pipeline: Pipeline, images_root: Path, pairs_file: Path, pairs: Sequence[Pair], photos: Sequence[Photo], task: _Task
) -> dict[str, Any]:
    info = pipeline.encoder.info
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": "verification on listed pairs and on all pairs; accept when cosine >= threshold",
        "data": images_root.resolve().parent.name,
        "pairs_file": pairs_file.name,
        "folds": sorted({pair.fold for pair in pairs}),
        "people_in_several_folds": _people_in_several_folds(pairs),
        "pairs": len(pairs),
        "photographs": len(photos),
        "people": len({photo.name for photo in photos}),
        "encoder": info.variant,
        "official": info.official,
        "weights_sha256": info.weights_sha256,
        "precision": info.precision,
        "upscaler": pipeline.upscaler.name,
        "upscaler_id": pipeline.upscaler.id,
        "flip_tta": info.flip_tta,
        "bootstrap": task.resamples,
        "seed": task.seed,
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _people_in_several_folds(pairs: Sequence[Pair]) -> int:
    """0 in an honest file: thresholds are chosen on other people than they are tried on."""
    folds = list(people_by_fold(pairs).values())
    return sum(len(people) for people in folds) - len(set().union(*folds))
