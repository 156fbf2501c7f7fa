"""Spread, effective rank and similarities, re-derived by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.diagnostics.cloud import Cloud
from core.diagnostics.similarity import (
    by_person,
    by_size,
    nearest_people,
    people_matrix,
    small_against_hr,
    strangers_by_size,
)
from core.diagnostics.spread import effective_rank, spread_of
from core.errors import SettingsInvalid


def unit(rows):
    rows = np.asarray(rows, dtype=np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def cloud(seed=0, people=5, each=3, sizes=("HR", "16 px"), dim=16):
    """`people` with `each` photographs, each in every view; small ones are their HR with noise."""
    random = np.random.default_rng(seed)
    rows, vectors = [], []
    centres = random.normal(size=(people, dim))
    photo = 0
    hr = {}
    for person in range(people):
        for _ in range(each):
            base = unit(centres[person] + 0.5 * random.normal(size=dim))
            for view in sizes:
                vector = base if view == "HR" else unit(base + 0.3 * random.normal(size=dim) / np.sqrt(dim))
                hr.setdefault(photo, len(rows) if view == "HR" else -1)
                rows.append((f"p{person}", f"{photo}.png", view, hr[photo], photo, "", -1, -1))
                vectors.append(vector)
            photo += 1
    columns = ["identity", "image", "view", "hr", "photo", "path", "template", "owner"]
    return Cloud(np.stack(vectors), pd.DataFrame(rows, columns=columns), f"seed {seed}")


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(2, 40))
def test_effective_rank_counts_the_directions_of_equal_variance(directions, copies):
    """k orthogonal directions used alike, both ways, have effective rank k."""
    rows = np.repeat(np.concatenate([np.eye(12)[:directions], -np.eye(12)[:directions]]), copies, axis=0)
    assert effective_rank(rows.astype(np.float32)) == pytest.approx(directions, rel=1e-4)


def test_effective_rank_of_a_collapse_is_one_and_of_nan_is_nan():
    assert effective_rank(np.ones((10, 8), np.float32)) == 1.0
    assert np.isnan(effective_rank(np.full((3, 8), np.nan, np.float32)))


def test_spread_takes_one_embedding_a_person_for_cosines_between_people():
    vectors = unit([[1, 0, 0], [1, 0.01, 0], [0, 1, 0], [0, 0.6, 0.8]])
    spread = spread_of(vectors, np.array([0, 0, 1, 2]))
    chosen = vectors[[0, 2, 3]].astype(np.float64)
    cosines = [abs(float(a @ b)) for n, a in enumerate(chosen) for b in chosen[n + 1 :]]
    assert spread.between.mean_abs_cosine == pytest.approx(np.mean(cosines))
    assert spread.ceiling == pytest.approx(1 / np.sqrt(3)) and (spread.count, spread.people) == (4, 3)
    np.testing.assert_allclose(spread.stds, vectors.astype(np.float64).std(axis=0))


def test_the_matrix_is_the_mean_over_pairs_and_leaves_a_photograph_with_itself_out():
    made = cloud(sizes=("HR",))
    matrix = people_matrix(made, ["p1", "p3"])
    own, other = made.vectors[3:6].astype(np.float64), made.vectors[9:12].astype(np.float64)
    assert matrix.loc["p1", "p3"] == pytest.approx(float((own @ other.T).mean()))
    assert matrix.loc["p1", "p1"] == pytest.approx(float((own @ own.T)[np.triu_indices(3, 1)].mean()))
    assert np.isnan(people_matrix(cloud(each=1, sizes=("HR",)), ["p1"]).iloc[0, 0])


@pytest.mark.parametrize("names", [[], ["nobody"], [f"p{n}" for n in range(50)]])
def test_a_matrix_that_cannot_be_is_refused(names):
    with pytest.raises(SettingsInvalid):
        people_matrix(cloud(), names)


def test_the_nearest_people_come_nearest_first():
    made = cloud(people=4, sizes=("HR",))
    near = nearest_people(made, "p2", 3)
    means = {f"p{n}": unit(made.vectors[3 * n : 3 * n + 3].sum(axis=0)) for n in range(4)}
    scores = {name: float(mean @ means["p2"]) for name, mean in means.items() if name != "p2"}
    assert near == ["p2", *sorted(scores, key=scores.get, reverse=True)[:2]]


def test_small_faces_are_held_against_their_own_hr_and_strangers_against_others():
    made = cloud(people=3)
    pairs = small_against_hr(made)
    assert pairs["similarity"].tolist() == pytest.approx(
        [float(made.vectors[row] @ made.vectors[row - 1]) for row in range(1, len(made), 2)], abs=1e-6
    )
    who = made.table["identity"].to_numpy()
    full, small = np.arange(0, len(made), 2), np.arange(1, len(made), 2)
    others = [float(made.vectors[a] @ made.vectors[b]) for a in small for b in full if who[a] != who[b]]
    strangers = strangers_by_size(made)
    assert strangers["16 px"] == pytest.approx(np.mean(others), abs=1e-6)
    [row] = by_size(pairs, strangers).to_dict("records")
    assert (row["view"], row["pairs"], row["people"]) == ("16 px", 9, 3)
    assert row["mean"] == pytest.approx(pairs["similarity"].mean()) and row["lowest"] == pairs["similarity"].min()


def test_people_come_with_their_worst_face_lowest_mean_first():
    pairs = small_against_hr(cloud(people=3))
    table = by_person(pairs)
    assert table["mean"].is_monotonic_increasing and len(table) == 3
    for row in table.to_dict("records"):
        own = pairs[pairs["identity"] == row["identity"]]
        assert (row["images"], row["lowest"]) == (3, own["similarity"].min())
        assert row["row"] == own.loc[own["similarity"].idxmin(), "row"]
    assert by_person(pairs.head(0)).empty
