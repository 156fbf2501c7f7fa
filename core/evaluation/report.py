"""Verification on a pairs file, told whole: protocol, encoder, number of pairs, intervals, failures to acquire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.embedding import MODES, SIZES, Embedded, Mode, Progress, Size, embed
from core.evaluation.intervals import Interval, share_interval, wilson
from core.evaluation.metrics import REJECTED, failed_pairs, measure, measure_all_pairs
from core.evaluation.pairs import Pair, PairsInvalid, Photo, people_by_fold, photos_of, read_pairs, require_photos
from core.evaluation.pictures import Picture, data_sha256, pictures_of_photos
from core.evaluation.report_rows import Pairing, PairsReport, Row
from core.evaluation.scores import Ints, pair_scores, side
from core.evaluation.systems import System, system_of
from core.evaluation.views import View
from core.pipeline import Pipeline

__all__ = ["PairsReport", "Row", "evaluate_pairs"]

OnEvent = Callable[[int, int, str], None]

_WORKERS = 2
_VERSIONS = ("edgeface-studio", "torch", "timm", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Task:
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
    Raises PairsInvalid, and what `embed` raises.
    """
    listed = read_listed(images_root, pairs_file, folds)
    with_hr = [None, *(size for size in dict.fromkeys(sizes) if size is not None)]
    views = [View(mode, size) for mode in modes for size in with_hr]
    system = system_of(pipeline)
    tell = on_event or _ignore
    embedded = embed(system, listed.pictures, views, on_progress=_named(tell, "embedding photographs"))
    task = listed.task(bootstrap, seed)
    return PairsReport(
        listed_protocol(system, listed, task),
        measure_listed(task, embedded, None in sizes, all_pairs=all_pairs, tell=tell),
    )


@dataclass(frozen=True)
class Listed:
    """A pairs file with its photographs."""

    images_root: Path
    pairs_file: Path
    pairs: tuple[Pair, ...]
    photos: tuple[Photo, ...]
    pictures: tuple[Picture, ...]

    def task(self, resamples: int, seed: int) -> Task:
        place = {photo: position for position, photo in enumerate(self.photos)}
        _, people = np.unique([photo.name for photo in self.photos], return_inverse=True)
        return Task(
            a=np.array([place[pair.a] for pair in self.pairs]),
            b=np.array([place[pair.b] for pair in self.pairs]),
            folds=np.array([pair.fold for pair in self.pairs]),
            people=people.astype(np.int64),
            resamples=resamples,
            seed=seed,
        )


def read_listed(images_root: Path, pairs_file: Path, folds: Collection[int] | None, *, aligned: bool = False) -> Listed:
    """The pairs of the folds named, with every photograph (or `aligned` crop) there. Raises PairsInvalid."""
    pairs = read_pairs(pairs_file, folds)
    if not pairs:
        raise PairsInvalid(f"No fold of {pairs_file.name} was chosen.", "Choose at least one.")
    photos = photos_of(pairs)
    require_photos(photos, images_root)
    pictures = pictures_of_photos(photos, images_root, aligned=aligned)
    return Listed(images_root, pairs_file, tuple(pairs), tuple(photos), tuple(pictures))


def measure_listed(
    task: Task, embedded: Mapping[View, Embedded], hr_too: bool, *, all_pairs: bool, tell: OnEvent
) -> tuple[Row, ...]:
    """The rows of listed pairs, then of all pairs, in the order of views; HR-HR where `hr_too`."""
    jobs: list[Callable[[], Row]] = []
    for measured in (_pairs_row, _all_pairs_row) if all_pairs else (_pairs_row,):
        for view, probe in embedded.items():
            hr = embedded[View(view.mode)]
            jobs += [
                _job(measured, task, probe, hr if pairing == "VLR-HR" else probe, pairing)
                for pairing in pairings(view.size_px, hr_too=hr_too)
            ]
    return _run(jobs, tell)


def _ignore(done: int, total: int, what: str) -> None:
    pass


def _named(tell: OnEvent, what: str) -> Progress:
    return lambda done, total: tell(done, total, what)


def _job(
    measured: Callable[[Task, Embedded, Embedded, Pairing], Row],
    task: Task,
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


def pairings(size: Size, *, hr_too: bool) -> list[Pairing]:
    """What the probes of a size meet."""
    if size is not None:
        return ["VLR-VLR", "VLR-HR"]
    return ["HR-HR"] if hr_too else []


def listed_scores(
    task: Task, probe: Embedded, other: Embedded, pairing: Pairing
) -> tuple[NDArray[np.float64], NDArray[np.bool_], Ints, Ints, Ints]:
    """(scores, acquired on both sides, first person, second person, fold) of the listed pairs; VLR-HR: each twice."""
    a, b, folds = task.a, task.b, task.folds
    if pairing == "VLR-HR":
        a, b, folds = np.r_[a, b], np.r_[b, a], np.r_[folds, folds]
    scores = pair_scores(probe.vectors[a], other.vectors[b])
    return scores, probe.acquired[a] & other.acquired[b], task.people[a], task.people[b], folds


def _pairs_row(task: Task, probe: Embedded, other: Embedded, pairing: Pairing) -> Row:
    scores, there, first, second, folds = listed_scores(task, probe, other, pairing)
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
    with_failures = figures
    if not there.all():
        every = np.where(there, scores, REJECTED)
        with_failures = measure(every, same, (first, second), folds=folds, resamples=task.resamples, seed=task.seed)
    return Row("pairs file", probe.mode, probe.size_px, pairing, *_failures(probe, task), figures, with_failures)


def _all_pairs_row(task: Task, probe: Embedded, other: Embedded, pairing: Pairing) -> Row:
    ordered = pairing == "VLR-HR"
    left, right = (side(one.vectors, task.people) for one in (probe, other))
    acquired = left.only(probe.acquired[left.photos]), right.only(other.acquired[right.photos])
    failed = failed_pairs(left, *acquired, ordered=ordered)
    figures = measure_all_pairs(*acquired, ordered=ordered, resamples=task.resamples, seed=task.seed)
    with_failures = (
        measure_all_pairs(*acquired, ordered=ordered, resamples=0, failed=failed) if any(failed) else figures
    )
    return Row("all pairs", probe.mode, probe.size_px, pairing, *_failures(probe, task), figures, with_failures)


def _failures(probe: Embedded, task: Task) -> tuple[float, Interval, float]:
    failed = ~probe.acquired
    interval = share_interval(failed, task.people, resamples=task.resamples, seed=task.seed)
    return float(failed.mean()), interval or wilson(int(failed.sum()), len(failed)), float(1 - probe.found.mean())


def _require_both_kinds(same: NDArray[np.bool_], probe: Embedded) -> None:
    if same.all() or not same.any():
        size = f"{probe.size_px} px" if probe.size_px else "HR"
        raise PairsInvalid(
            f"At {size}, {probe.mode}, no {'different' if same.any() else 'same'} pair has a face in both photographs.",
            "Choose photographs with faces, or a larger size.",
        )


def listed_protocol(system: System, listed: Listed, task: Task) -> dict[str, Any]:
    """What a reader needs to make the rows again."""
    said = system.protocol()
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": "verification on listed pairs and on all pairs; accept when cosine >= threshold",
        "data": listed.images_root.resolve().parent.name,
        "data_sha256": data_sha256(listed.pictures),
        "pairs_file": listed.pairs_file.name,
        "folds": sorted({pair.fold for pair in listed.pairs}),
        "people_in_several_folds": _people_in_several_folds(listed.pairs),
        "pairs": len(listed.pairs),
        "photographs": len(listed.photos),
        "people": len({photo.name for photo in listed.photos}),
        "encoder": said.get("encoder", said["name"]),
        "official": said.get("official"),
        "weights_sha256": said["weights_sha256"],
        "precision": said.get("precision"),
        "upscaler": said["upscaler"],
        "upscaler_id": said["upscaler_id"],
        "flip_tta": said["flip_tta"],
        "bootstrap": task.resamples,
        "seed": task.seed,
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _people_in_several_folds(pairs: Sequence[Pair]) -> int:
    """0 in an honest file: thresholds are chosen on other people than they are tried on."""
    folds = list(people_by_fold(pairs).values())
    return sum(len(people) for people in folds) - len(set().union(*folds))
