"""Pooled frames measured: people who are enough, noise that averages away, weights from what was kept, words."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.evaluation import pooling
from core.evaluation.embedding import Embedded
from core.evaluation.evaluation_spec import Plan
from core.evaluation.pictures import pictures_of_dataset
from core.evaluation.pooling import PLAIN, WEIGHTED, evaluate_pooling, weights_of
from core.evaluation.systems import system_of
from core.evaluation.vector_cache import QUALITY
from core.evaluation.views import View
from core.pipeline import Pipeline
from tests.unit.evaluation.sets import small_dataset

PEOPLE, EACH, DIM = 12, 7, 64


def noisy(noise: float, seed: int, *, quality: float = 48.0) -> tuple[Embedded, np.ndarray]:
    """Unit vectors about a direction for each person, with as much noise as asked for."""
    random = np.random.default_rng(seed)
    people = np.repeat(np.arange(PEOPLE), EACH)
    centres = np.random.default_rng(1).normal(size=(PEOPLE, DIM))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = centres[people] + noise * random.normal(size=(len(people), DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    measures = np.full((len(people), len(QUALITY)), np.nan, np.float32)
    measures[:, QUALITY.index("probe_px")], measures[:, QUALITY.index("sharpness")] = quality, 1.0
    yes = np.ones(len(people), bool)
    return Embedded("aligned", 16, vectors, yes, yes, measures), people


def rows_of(noise: float, **plan: object) -> dict[tuple[int, str], dict]:
    gallery, people = noisy(0.05, 2)
    probe, _ = noisy(noise, 3)
    told = pooling._rows(View("aligned", 16), gallery, probe, people, [1, 3, 6], 5, Plan(sizes=(16,), **plan))
    return {(row["frames"], row["pooling"]): row for row in told}


def test_pooling_averages_noise_away() -> None:
    rows = rows_of(0.45, bootstrap=40)
    errors = [rows[(1, "one frame")]["eer"], rows[(3, WEIGHTED)]["eer"], rows[(6, WEIGHTED)]["eer"]]
    assert errors[0] > errors[1] > errors[2]
    assert rows[(6, WEIGHTED)]["rank1"] > rows[(1, "one frame")]["rank1"]
    six = rows[(6, WEIGHTED)]
    assert six["eer_change"] == pytest.approx(errors[2] - errors[0])
    assert six["eer_change_low"] <= six["eer_change"] <= six["eer_change_high"] < 0
    assert (six["people"], six["gallery"], six["probes"]) == (PEOPLE, PEOPLE, 5 * PEOPLE)


def test_equal_quality_makes_both_ways_alike() -> None:
    rows = rows_of(0.45, bootstrap=0)
    assert rows[(6, WEIGHTED)]["eer"] == pytest.approx(rows[(6, PLAIN)]["eer"])
    assert rows[(6, WEIGHTED)]["eer_low"] is None


def test_without_noise_nobody_is_mistaken() -> None:
    assert all(row["eer"] == 0 and row["rank1"] == 1 for row in rows_of(0.0, bootstrap=0).values())


def test_weights_follow_the_measures_that_were_kept() -> None:
    one, _ = noisy(0.1, 0, quality=16.0)
    assert weights_of(one) == pytest.approx(np.full(PEOPLE * EACH, 1 / 3))
    one.quality[0, QUALITY.index("yaw_deg")] = 60.0
    assert weights_of(one)[0] == pytest.approx(1 / 6)
    one.quality[1, QUALITY.index("recognisability")] = 0.7
    assert weights_of(one)[:3] == pytest.approx([1 / 6, 0.7, 1 / 3])


def test_too_few_pictures_are_said() -> None:
    gallery, people = noisy(0.1, 2)
    with pytest.raises(SettingsInvalid, match="0 people have more than 7 usable pictures at 16 px"):
        pooling._rows(View("aligned", 16), gallery, gallery, people, [1, 7], 1, Plan(sizes=(16,)))


def test_a_data_set_is_measured_end_to_end(pipeline: Pipeline, tmp_path) -> None:
    pictures = pictures_of_dataset(small_dataset(tmp_path / "small", people=3, each=3), "test")
    found = evaluate_pooling(
        system_of(pipeline),
        pictures,
        Plan(sizes=(16,), modes=("aligned",), bootstrap=10),
        data={"data": "small"},
        frames=(1, 2),
        draws=2,
    )
    table = found.table("pooling")
    assert (
        list(table["frames"]) == [1, 2, 2] * 2
        and list(table["probe"][::3]) == ["HR", "16 px"]
        and (table["gallery"] == table["gallery"][0]).all()
    )
    assert "16 px, 2 frames" in found.text
