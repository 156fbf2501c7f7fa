"""Galleries drawn with strangers left, thresholds by FPIR, and what grows with the gallery."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.evaluation.bootstrap import draw_people
from core.evaluation.embedding import Embedded
from core.evaluation.identification import Outcomes, identified, threshold_at
from core.evaluation.intervals import share_interval
from core.evaluation.open_set import GalleryDesign, draw_gallery, gallery_sizes, open_set_rows, run_trial
from core.evaluation.open_set_interval import dir_draws
from core.evaluation.vector_cache import QUALITY


def embedded(vectors: np.ndarray, acquired: np.ndarray | None = None) -> Embedded:
    there = np.ones(len(vectors), bool) if acquired is None else acquired
    quality = np.full((len(vectors), len(QUALITY)), np.nan, np.float32)
    return Embedded("aligned", 16, vectors * there[:, None], there, there, quality)


def crowd(people: int, each: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(vectors, people): `each` photographs of everybody, around a direction of their own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 24))
    vectors = np.repeat(centres, each, axis=0) + noise * rng.normal(size=(people * each, 24))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit, np.repeat(np.arange(people), each)


def test_a_gallery_holds_its_people_and_leaves_probes_and_strangers() -> None:
    people = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    draw = draw_gallery(people, np.ones(8, bool), 2, enrol=2, seed=1)
    enrolled = set(people[draw.enrolled])
    assert len(enrolled) == 2 and 2 not in enrolled, "those with several photographs go first"
    assert set(people[draw.mated]) == enrolled, "everybody keeps a probe"
    assert not set(people[draw.strangers]) & enrolled
    assert sorted([*draw.enrolled, *draw.mated, *draw.strangers]) == list(range(8))


@pytest.mark.parametrize("size", [0, 4, 100])
def test_a_gallery_without_strangers_is_refused(size: int) -> None:
    with pytest.raises(SettingsInvalid, match="no strangers"):
        draw_gallery(np.array([0, 0, 1, 2, 3]), np.ones(5, bool), size)


def test_photographs_that_were_not_acquired_are_never_enrolled() -> None:
    people = np.repeat(np.arange(6), 3)
    usable = np.ones(18, bool)
    usable[[0, 3, 6]] = False
    for seed in range(5):
        assert usable[draw_gallery(people, usable, 3, enrol=3, seed=seed).enrolled].all()


def test_the_threshold_gives_the_target_and_grows_with_the_gallery() -> None:
    vectors, people = crowd(120, 3, 0.6)
    one = embedded(vectors)
    trials = [run_trial(people, one, one, GalleryDesign(size, draws=4)) for size in (5, 20, 60)]
    thresholds = []
    for trial in trials:
        threshold = trial.threshold(0.1)
        assert threshold is not None
        thresholds.append(threshold)
        assert trial.fpir(threshold) <= 0.1
        assert trial.fpir(np.nextafter(threshold, -1)) <= 0.1 + 2 / len(trial.tops)
    assert thresholds == sorted(thresholds), "the best of more scores is higher"


def test_too_few_strangers_tell_no_threshold() -> None:
    vectors, people = crowd(20, 3, 0.5)
    one = embedded(vectors)
    trial = run_trial(people, one, one, GalleryDesign(8, draws=30))
    assert trial.strangers == 60, "draws repeat photographs; those different ones count"
    assert trial.threshold(0.5) is not None and trial.threshold(0.1) is None, "20 people, 30 are needed"
    rows = open_set_rows(trial, (0.5, 0.1), resamples=20)
    assert rows[1]["threshold"] is None and rows[1]["dir"] is None
    assert rows[0]["dir"] == pytest.approx(1 - rows[0]["fnir"])  # type: ignore[operator]
    assert rows[0]["dir_low"] <= rows[0]["dir"] <= rows[0]["dir_high"]  # type: ignore[operator]


def test_photographs_of_few_people_tell_no_threshold() -> None:
    vectors, people = crowd(10, 120, 0.5)
    one = embedded(vectors)
    trial = run_trial(people, one, one, GalleryDesign(3, draws=10))
    assert (trial.strangers, trial.stranger_people) == (1200, 10)
    assert trial.threshold(0.01) is None and trial.threshold(0.01, 0.9) is None
    assert trial.threshold(0.5) is not None


def test_the_interval_of_dir_includes_the_thresholds_error() -> None:
    vectors, people = crowd(80, 3, 0.6)
    one = embedded(vectors)
    trial = run_trial(people, one, one, GalleryDesign(60, draws=3))
    [row] = open_set_rows(trial, (0.1,), resamples=400)
    low, high = row["dir_low"], row["dir_high"]
    mated = trial.outcomes.only(trial.outcomes.mated)
    held_still = share_interval(identified(mated, row["threshold"]), mated.person, resamples=400)  # type: ignore[arg-type]
    assert held_still is not None and low < row["dir"] < high  # type: ignore[operator]
    assert high - low > 1.2 * (held_still[1] - held_still[0])  # type: ignore[operator]


def test_every_resample_chooses_its_threshold_as_the_whole_does() -> None:
    """By hand: strangers A (0.9), B (0.5), C (0.4) and a mated M (0.6), rank 1; a third of strangers may be named."""
    mated = Outcomes(np.array([3]), np.array([0]), np.array([0.6]), np.array([0.1]), np.array([0]), np.array([1]))
    tops, whose = np.array([0.5, 0.9, 0.4]), np.array([1, 0, 2])
    drawn = dir_draws(mated, tops, whose, 1 / 3, resamples=300, seed=1)
    counts = draw_people(4, 300, 1)
    expected = []
    for a, b, c, m in counts.T:
        if m == 0 or a + b + c == 0:
            continue
        scores = np.repeat([0.9, 0.5, 0.4], [int(a), int(b), int(c)])
        expected.append(float(threshold_at(scores, 1 / 3) <= 0.6))
    assert drawn.tolist() == expected and 0 < np.mean(expected) < 1


def test_a_failure_to_acquire_is_an_error_of_the_enrolled_and_none_of_strangers() -> None:
    vectors, people = crowd(60, 3, 0.3)
    there = np.ones(180, bool)
    there[::9] = False
    trial = run_trial(people, embedded(vectors, there), embedded(vectors), GalleryDesign(20, draws=2))
    assert trial.missed_mated > 0 and trial.missed_strangers > 0
    assert trial.fnir(0.3, with_missed=True) > trial.fnir(0.3)


def test_sizes_worth_a_row_leave_half_of_the_people() -> None:
    assert gallery_sizes(np.arange(250)) == [10, 30, 100]
    assert gallery_sizes(np.arange(3)) == [1]
    assert gallery_sizes(np.arange(10_000), 400) == [10, 30, 100, 300]
