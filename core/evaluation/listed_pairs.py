"""Verification on a pairs file: the listed pairs, every pair of their photographs, and the protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.embedding import Embedded
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.intervals import Interval
from core.evaluation.metrics import REJECTED, measure, measure_all_pairs
from core.evaluation.pairs import Pair, PairsInvalid, Photo, people_by_fold, photos_of, read_pairs, require_photos
from core.evaluation.pictures import Picture, pictures_of_photos
from core.evaluation.scores import Ints, pair_scores, side
from core.evaluation.verification_rows import Pairing, Row, failures
from core.evaluation.views import Size, View

_WORKERS = 2


@dataclass(frozen=True)
class PairTask:
    """Listed pairs as positions (N,) among the photographs, the people (P,) of the photographs, and the bootstrap."""

    a: Ints
    b: Ints
    folds: Ints
    people: Ints
    resamples: int
    seed: int


@dataclass(frozen=True)
class PairsSource:
    """A pairs file and the photographs that it names: which folds (None: all), whether every pair of the photographs is
    measured besides the listed ones, and whether the images are crops that are aligned already."""

    images_root: Path
    pairs_file: Path
    folds: Collection[int] | None = None
    all_pairs: bool = True
    aligned: bool = False


@dataclass(frozen=True)
class ListedPairs:
    """The pairs and photographs of a `PairsSource`, read."""

    source: PairsSource
    pairs: tuple[Pair, ...]
    photos: tuple[Photo, ...]
    pictures: tuple[Picture, ...]

    def task(self, resamples: int, seed: int) -> PairTask:
        """The pairs as positions among the photographs."""
        place = {photo: position for position, photo in enumerate(self.photos)}
        _, people = np.unique([photo.name for photo in self.photos], return_inverse=True)
        return PairTask(
            a=np.array([place[pair.a] for pair in self.pairs]),
            b=np.array([place[pair.b] for pair in self.pairs]),
            folds=np.array([pair.fold for pair in self.pairs]),
            people=people.astype(np.int64),
            resamples=resamples,
            seed=seed,
        )


def read_listed(source: PairsSource) -> ListedPairs:
    """Read the pairs of the chosen folds and find their photographs. Raises PairsInvalid when one is missing."""
    pairs = read_pairs(source.pairs_file, source.folds)
    if not pairs:
        raise PairsInvalid(f"No fold of {source.pairs_file.name} was chosen.", "Choose at least one.")
    photos = photos_of(pairs)
    require_photos(photos, source.images_root)
    pictures = pictures_of_photos(photos, source.images_root, aligned=source.aligned)
    return ListedPairs(source, tuple(pairs), tuple(photos), tuple(pictures))


def measure_listed(
    task: PairTask, embedded: Mapping[View, Embedded], hooks: RunHooks = NO_HOOKS, *, hr_too: bool, all_pairs: bool
) -> tuple[Row, ...]:
    """Measure the listed pairs, then all pairs, in the order of the views; HR-HR only where `hr_too`.

    VLR-HR takes each pair twice, with either side small. Raises PairsInvalid where no pair of a kind has a face in both
    photographs.
    """
    jobs: list[Callable[[], Row]] = []
    for measured in (_pairs_row, _all_pairs_row) if all_pairs else (_pairs_row,):
        for view, probe in embedded.items():
            hr = embedded[View(view.mode)]
            jobs += [
                _job(measured, task, probe, hr if pairing == "VLR-HR" else probe, pairing)
                for pairing in pairings(view.size_px, hr_too=hr_too)
            ]
    return _run(jobs, hooks)


def _job(
    measured: Callable[[PairTask, Embedded, Embedded, Pairing], Row],
    task: PairTask,
    probe: Embedded,
    other: Embedded,
    pairing: Pairing,
) -> Callable[[], Row]:
    return lambda: measured(task, probe, other, pairing)


def _run(jobs: Sequence[Callable[[], Row]], hooks: RunHooks) -> tuple[Row, ...]:
    """Measure two rows at a time, and return them in order. Rows that have not begun are dropped on an error."""
    rows: list[Row] = []
    workers = ThreadPoolExecutor(_WORKERS)
    try:
        for row in workers.map(lambda job: job(), jobs):
            rows.append(row)
            hooks.progress("measuring", len(rows), len(jobs))
    finally:
        workers.shutdown(cancel_futures=True)
    return tuple(rows)


def pairings(size: Size, *, hr_too: bool) -> list[Pairing]:
    """The pairings in which probes of a size are measured."""
    if size is not None:
        return ["VLR-VLR", "VLR-HR"]
    return ["HR-HR"] if hr_too else []


def listed_scores(
    task: PairTask, probe: Embedded, other: Embedded, pairing: Pairing
) -> tuple[NDArray[np.float64], NDArray[np.bool_], Ints, Ints, Ints]:
    """(scores, acquired on both sides, first person, second person, fold) of the listed pairs; VLR-HR: each twice."""
    a, b, folds = task.a, task.b, task.folds
    if pairing == "VLR-HR":
        a, b, folds = np.r_[a, b], np.r_[b, a], np.r_[folds, folds]
    scores = pair_scores(probe.vectors[a], other.vectors[b])
    return scores, probe.acquired[a] & other.acquired[b], task.people[a], task.people[b], folds


def _pairs_row(task: PairTask, probe: Embedded, other: Embedded, pairing: Pairing) -> Row:
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


def _all_pairs_row(task: PairTask, probe: Embedded, other: Embedded, pairing: Pairing) -> Row:
    ordered = pairing == "VLR-HR"
    left, right = (side(one.vectors, task.people) for one in (probe, other))
    acquired = left.only(probe.acquired[left.photos]), right.only(other.acquired[right.photos])
    found = measure_all_pairs(*acquired, ordered=ordered, everyone=left, resamples=task.resamples, seed=task.seed)
    return Row("all pairs", probe.mode, probe.size_px, pairing, *_failures(probe, task), *found)


def _failures(probe: Embedded, task: PairTask) -> tuple[float, Interval, float]:
    return failures(probe.acquired, probe.found, task.people, resamples=task.resamples, seed=task.seed)


def _require_both_kinds(same: NDArray[np.bool_], probe: Embedded) -> None:
    if same.all() or not same.any():
        size = f"{probe.size_px} px" if probe.size_px else "HR"
        raise PairsInvalid(
            f"At {size}, {probe.mode}, no {'different' if same.any() else 'same'} pair has a face in both photographs.",
            "Choose photographs with faces, or a larger size.",
        )


def listed_protocol(listed: ListedPairs) -> dict[str, Any]:
    """Facts of the pairs and their photographs, for the protocol."""
    return {
        "protocol": "verification on listed pairs and on all pairs; accept when cosine >= threshold",
        "pictures": len(listed.pictures),
        "data": listed.source.images_root.resolve().parent.name,
        "pairs_file": listed.source.pairs_file.name,
        "folds": sorted({pair.fold for pair in listed.pairs}),
        "people_in_several_folds": _people_in_several_folds(listed.pairs),
        "pairs": len(listed.pairs),
        "people": len({photo.name for photo in listed.photos}),
    }


def _people_in_several_folds(pairs: Sequence[Pair]) -> int:
    """0 where every fold's threshold is chosen on people of the other folds alone."""
    folds = list(people_by_fold(pairs).values())
    return sum(len(people) for people in folds) - len(set().union(*folds))
