"""People alike: the same as plain pairs where all have equally many photographs, and nobody outweighs anybody else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.bootstrap import draw_people, resample_all_pairs
from core.evaluation.compare_runs import compare_evaluations
from core.evaluation.metrics import Figures, measure, measure_all_pairs
from core.evaluation.people_alike import equal_pairs, people_alike, weighted_roc
from core.evaluation.plots import resolution_chart
from core.evaluation.report_html import report_html
from core.evaluation.result import Evaluation, resolution_table
from core.evaluation.scores import Side, count_genuine, count_pairs, side, sorted_scores
from core.evaluation.table_format import screen
from core.evaluation.verification import (
    FARS,
    Roc,
    area_under,
    equal_error_rate,
    roc,
    roc_of_sorted,
    tar_at_far,
)
from core.evaluation.verification_rows import Row, row_values

SIZES = st.lists(st.integers(1, 7), min_size=3, max_size=9).filter(lambda sizes: max(sizes) > 1)
MANY = 10**9


def rows_of(sizes: list[int], seed: int, spread: float = 1.6) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows (N, 512) of so many photographs of each person, alike within a person, and their people (N,)."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(len(sizes)), sizes)
    rows = rng.normal(size=(len(sizes), 512))[who] + spread * rng.normal(size=(len(who), 512)) * 2
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), who


def sides(sizes: list[int], seed: int, *, ordered: bool) -> tuple[Side, Side]:
    rows, who = rows_of(sizes, seed)
    one = side(rows, who)
    return one, side(rows_of(sizes, seed, spread=1.2)[0], who) if ordered else one


def listed(probe: Side, other: Side, *, ordered: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair written out: (scores, people of both sides), each (N,)."""
    scores = probe.vectors @ other.vectors.T
    wanted = probe.photos[:, None] != other.photos[None] if ordered else np.triu(np.ones(scores.shape, bool), 1)
    i, j = np.nonzero(wanted)
    return scores[i, j].astype(np.float64), probe.people[i], other.people[j]


def weights_by_hand(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 / how many of the listed pairs have the same two people."""
    names = first * 1000 + second
    _, place, counts = np.unique(names, return_inverse=True, return_counts=True)
    return 1 / counts[place]


def curve_alike(probe: Side, other: Side, *, ordered: bool) -> Roc:
    genuine = sorted_scores(probe, other, ordered=ordered)[0]
    return weighted_roc(probe, other, genuine, people_alike(probe, other, ordered=ordered), ordered=ordered)


@given(SIZES, st.integers(0, 1000), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_curve_is_that_of_its_pairs_written_out(sizes: list[int], seed: int, ordered: bool) -> None:
    probe, other = sides(sizes, seed, ordered=ordered)
    scores, first, second = listed(probe, other, ordered=ordered)
    expected = roc(scores, first == second, weights_by_hand(first, second))
    found = curve_alike(probe, other, ordered=ordered)
    # Products of other shapes round differently: a pair may change places with one of nearly the same score.
    assert equal_error_rate(found) == pytest.approx(equal_error_rate(expected), abs=1e-4)
    assert area_under(found) == pytest.approx(area_under(expected), abs=1e-4)
    for far in (0.3, 0.1):
        below, above = (tar_at_far(expected, far + shift, MANY) for shift in (-1e-6, 1e-6))
        assert below - 1e-9 <= tar_at_far(found, far, MANY) <= above + 1e-9


@given(st.integers(2, 8), st.integers(2, 6), st.integers(0, 1000), st.booleans())
@settings(deadline=None, max_examples=60)
def test_with_equally_many_photographs_the_figures_are_the_plain_ones(
    people: int, each: int, seed: int, ordered: bool
) -> None:
    probe, other = sides([each] * people, seed, ordered=ordered)
    genuine, impostor = sorted_scores(probe, other, ordered=ordered)
    plain = roc_of_sorted(genuine, impostor)
    alike = curve_alike(probe, other, ordered=ordered)
    assert equal_error_rate(alike) == pytest.approx(equal_error_rate(plain), abs=1e-12)
    assert area_under(alike) == pytest.approx(area_under(plain), abs=1e-12)
    assert [tar_at_far(alike, far, MANY) for far in (0.5, 0.1, *FARS)] == pytest.approx(
        [tar_at_far(plain, far, MANY) for far in (0.5, 0.1, *FARS)]
    )
    figures = measure_all_pairs(probe, other, ordered=ordered, resamples=0)
    assert figures.alike.genuine == people
    assert figures.alike.impostor == people * (people - 1) // (1 if ordered else 2)
    worth = people_alike(probe, other, ordered=ordered).impostor_pairs(ordered=ordered)[1]
    assert worth == pytest.approx(count_pairs(probe, other, ordered=ordered)[1]), "as many as there are"


@given(SIZES, st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_the_same_photographs_again_change_nothing_between_people(sizes: list[int], seed: int) -> None:
    """A person's photographs, each put in three times more, bring three times the impostor pairs and no weight."""
    rows, who = rows_of(sizes, seed)
    again = np.r_[np.arange(len(who)), np.repeat(np.nonzero(who == 0)[0], 3)]
    once, more = side(rows, who), side(rows[again], who[again])
    far = []
    for one in (once, more):
        weights = people_alike(one, one, ordered=False)
        scores, first, second = listed(one, one, ordered=False)
        apart = first != second
        of_pair = weights.probe[first[apart]] * weights.other[second[apart]]
        assert of_pair.sum() == pytest.approx(len(sizes) * (len(sizes) - 1) / 2)
        far.append(of_pair[scores[apart] >= 0.05].sum())
    assert far[0] == pytest.approx(far[1], abs=1e-6)


def test_one_person_with_many_photographs_does_not_decide() -> None:
    """A hundred people who are recognised, and one with 60 photographs who isn't: 1 of 101, and most plain pairs."""
    rng = np.random.default_rng(0)
    who = np.r_[np.repeat(np.arange(100), 2), np.full(60, 100)]
    rows = rng.normal(size=(101, 512))[who] + 0.3 * rng.normal(size=(len(who), 512))
    rows[who == 100] = rng.normal(size=(60, 512))
    one = side((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), who)
    figures = measure_all_pairs(one, one, ordered=False, resamples=0)
    plain, alike = figures.plain.tar[0.01][0], figures.alike.tar[0.01][0]
    assert plain is not None and plain < 0.1, "1,770 of 1,870 genuine pairs are his"
    assert alike is not None and 0.99 <= alike < 0.992
    assert figures.plain.eer > 0.2 and figures.alike.eer < 0.011


def test_a_small_example_by_hand() -> None:
    """Angles in a plane: A at 0, 10 and 90 degrees, B at 40 and 50.

    A's pairs 10, 80 and 90 degrees apart count 1/3 each, B's at 10 degrees counts 1. The six pairs of A and B, 40, 50,
    30, 40, 50 and 40 degrees apart, count 1/6 each. From the best score on: 4/6 of TAR at no FAR, then all FAR, then
    the rest of TAR.
    """
    angles = np.deg2rad([0, 10, 90, 40, 50])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    one = side(rows, np.array([0, 0, 0, 1, 1]))
    weights = people_alike(one, one, ordered=False)
    assert weights.genuine.tolist() == pytest.approx([1 / 3, 1]) and weights.probe.tolist() == pytest.approx(
        [1 / 3, 1 / 2]
    )
    assert weights.impostor_pairs(ordered=False) == (1, pytest.approx(6))
    curve = curve_alike(one, one, ordered=False)
    assert tar_at_far(curve, 1e-6, MANY) == pytest.approx((1 + 1 / 3) / 2)
    assert area_under(curve) == pytest.approx(2 / 3)
    assert equal_error_rate(curve) == pytest.approx(1 / 3)
    genuine, impostor = sorted_scores(one, one, ordered=False)
    assert equal_error_rate(roc_of_sorted(genuine, impostor)) == pytest.approx(1 / 2), "plain: 2 of 4"


def test_people_on_one_side_only_and_with_one_photograph() -> None:
    rows, who = rows_of([3, 2, 1], 0)
    one = side(rows, who)
    probe, other = one.only(one.photos != 5), one.only(one.photos > 1)  # C has no probe, A one photograph opposite
    weights = people_alike(probe, other, ordered=True)
    assert count_genuine(probe, other, ordered=True).tolist() == [2, 2, 0]
    assert weights.genuine.tolist() == [0.5, 0.5, 0]
    assert weights.probe.tolist() == pytest.approx([1 / 3, 1 / 2, 0])
    assert weights.other.tolist() == pytest.approx([1, 1 / 2, 1])
    assert weights.impostor_pairs(ordered=True)[0] == 4, "A-B, A-C, B-A, B-C"
    with pytest.raises(ValueError, match="genuine and impostor"):
        lone = one.only(one.people == 0)
        curve_alike(lone, lone, ordered=False)


@pytest.mark.parametrize("ordered", [False, True])
def test_resamples_in_bins_are_those_of_pairs_written_out(ordered: bool) -> None:
    rng = np.random.default_rng(1)
    sizes = [40, 12, *rng.integers(1, 6, 38)]
    probe, other = sides(sizes, 3, ordered=ordered)
    scores, first, second = listed(probe, other, ordered=ordered)
    counts = draw_people(len(sizes), 60, 0)
    impostor = sorted_scores(probe, other, ordered=ordered)[1]
    weights = people_alike(probe, other, ordered=ordered)
    plain, binned = resample_all_pairs(
        probe, other, counts, impostor, (equal_pairs(len(sizes)), weights), ordered=ordered
    )
    by_hand = weights_by_hand(first, second)
    expected = []
    for column in counts.T:
        drawn = np.where(first == second, column[first], column[first] * column[second])
        expected.append(equal_error_rate(roc(scores, first == second, by_hand * drawn)))
    assert binned.mated.tolist() == pytest.approx([float(size > 1) for size in sizes])
    assert plain.mated.sum() == (first == second).sum()
    np.testing.assert_allclose(binned.eer, expected, atol=0.004)
    assert np.std(plain.eer) != pytest.approx(np.std(binned.eer), rel=0.05), "not the plain resamples"


def table_of(spread_of_one: int, *, resamples: int = 40) -> pd.DataFrame:
    """The verification table of an evaluation at 16 px, of people of whom one has so many photographs."""
    probe, other = sides([spread_of_one, *[3] * 30], 2, ordered=True)
    found = measure_all_pairs(probe, other, ordered=True, resamples=resamples)
    row = Row("all pairs", "aligned", 16, "VLR-HR", 0.0, (0, 0.1), 0.0, found.plain, found.with_failures, found.alike)
    view = {"system": "a", "degradation": "bicubic", "size_px": 16}
    return pd.DataFrame([view | row_values(row, "")])


def evaluation_of(table: pd.DataFrame) -> Evaluation:
    return Evaluation("dataset", "t", "", {"data_sha256": "0", "systems": [{"label": "a"}]}, {"verification": table})


def test_tables_hold_both_measures_with_intervals_and_read_as_such() -> None:
    [row] = (table := table_of(20)).to_dict("records")
    assert row["genuine_alike"] == 31 and row["impostor_alike"] == 31 * 30
    assert row["genuine"] == 20 * 19 + 30 * 6
    assert row["eer_alike"] != row["eer"] and row["eer_alike_low"] < row["eer_alike"] < row["eer_alike_high"]
    assert row["tar_at_far_0.01_alike_low"] < row["tar_at_far_0.01_alike"] < row["tar_at_far_0.01_alike_high"]
    shown = screen("verification", table)
    assert shown["EER, people alike"].iloc[0].startswith(f"{row['eer_alike'] * 100:.2f} [")
    assert {"TAR at FAR 1, people alike", "people with genuine pairs", "pairs of two people"} <= set(shown)
    listed_row = Row("pairs file", "aligned", 16, "VLR-HR", 0.0, (0, 0.1), 0.0, *[measured_pairs()] * 2)
    assert row_values(listed_row, "1")["eer_alike"] is None, "a list of pairs has its own"


def measured_pairs() -> Figures:
    scores, same = np.array([0.9, 0.2, 0.8, 0.1]), np.array([True, False] * 2)
    people = np.array([0, 1, 2, 3])
    return measure(scores, same, (people, np.where(same, people, people + 9)), resamples=0)


def test_results_of_before_open_and_compare_without_people_alike() -> None:
    both = evaluation_of(table_of(20))
    before = evaluation_of(both.table("verification").filter(regex="^(?!.*_alike)"))
    assert "eer_alike" not in resolution_table(before) and "eer" in resolution_table(before)
    assert {"eer_alike_low", "tar_alike"} <= set(resolution_table(both))
    change = compare_evaluations(before, both).table("change")
    assert (change["eer_change"] == 0).all() and not [column for column in change if "alike" in column]
    change = compare_evaluations(both, both).table("change")
    assert (change["eer_alike_change"] == 0).all() and "EER, people alike before" in screen("change", change)
    for one, charts in ((before, 0), (both, 1)):
        assert report_html(one).count("People alike: every person") == 1
        table = pd.concat([resolution_table(one), resolution_table(one).assign(size_px=32)])
        drawn = [name for name in ("eer", "eer_alike") if name in table]
        assert len(drawn) == 1 + charts
        for name in drawn:
            title = resolution_chart(table, name, ("system",)).layout.yaxis.title.text
            assert title == f"Equal error rate{', people alike' if name == 'eer_alike' else ''}, %"


def test_the_interval_of_people_alike_holds_the_figure() -> None:
    probe, other = sides([30, *[3] * 60], 5, ordered=False)
    alike = measure_all_pairs(probe, other, ordered=False, resamples=200).alike
    assert alike.eer_interval is not None and alike.eer_interval[0] < alike.eer < alike.eer_interval[1]
    share, interval = alike.tar[0.01]
    assert share is not None and interval is not None and interval[0] < share < interval[1]
