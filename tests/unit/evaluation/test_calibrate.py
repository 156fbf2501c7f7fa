"""Thresholds from one's own data: chosen on some people, tried on others, kept in the gallery, used by probe size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.degrade import seed_for
from core.errors import SettingsInvalid
from core.evaluation import calibrate as module
from core.evaluation.calibrate import CalibrationSets, Goal, calibrate, halves, size_ranges
from core.evaluation.embedding import Embedded
from core.evaluation.evaluation_spec import Plan
from core.evaluation.open_set import GalleryDesign, run_trial
from core.evaluation.pictures import Picture
from core.evaluation.vector_cache import QUALITY
from core.evaluation.views import View
from core.images import vlr_size
from tests.unit.evaluation.sets import SYSTEM

PLAN = Plan(sizes=(None, 16), bootstrap=100)


def crowd(people: int, each: int, prefix: str) -> list[Picture]:
    return [
        Picture(Path("x"), f"{prefix}{person}", f"{prefix}{person}_{i}", True, f"{prefix}{person}_{i}")
        for person in range(people)
        for i in range(each)
    ]


@pytest.fixture()
def known_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings by arithmetic: a direction a person, more noise at 16 px. What is tested is what is made of them."""

    def embedded(system, pictures, views, *hooks, **options):
        out = {}
        for view in views:
            rows = []
            for picture in pictures:
                own = np.random.default_rng(seed_for(0, picture.identity)).normal(size=32)
                rng = np.random.default_rng(seed_for(1, picture.name, view.size_px))
                vector = own + (0.5 if view.size_px is None else 0.9) * rng.normal(size=32)
                rows.append(vector / np.linalg.norm(vector))
            there = np.ones(len(rows), bool)
            quality = np.full((len(rows), len(QUALITY)), np.nan, np.float32)
            out[view] = Embedded(view.mode, view.size_px, np.array(rows, np.float32), there, there, quality)
        return out

    monkeypatch.setattr(module, "embed", embedded)


@pytest.fixture()
def small_alike(known_vectors: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where everything at 16 px also has something in common."""
    embedded = module.embed
    common = np.random.default_rng(7).normal(size=32)

    def alike(*args, **options):
        out = embedded(*args, **options)
        for view, one in out.items():
            if view.size_px is not None:
                rows = one.vectors + 0.8 * common / np.linalg.norm(common)
                vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
                out[view] = replace(one, vectors=vectors)
        return out

    monkeypatch.setattr(module, "embed", alike)


@pytest.mark.parametrize(
    ("goal", "rate"),
    [(Goal("far", 0.01, confidence=0), "far"), (Goal("fpir", 0.1, 20, draws=5, confidence=0), "fpir")],
)
def test_what_was_chosen_on_some_holds_on_others(known_vectors: None, goal: Goal, rate: str) -> None:
    evaluation, points = calibrate(
        SYSTEM, CalibrationSets(crowd(60, 3, "a"), crowd(60, 3, "b")), goal, PLAN, run="evaluate/x"
    )
    assert [(p.probe_px_min, p.probe_px_max) for p in points] == [
        (pytest.approx(40), pytest.approx(10_000)),
        (0, 40),
    ]
    assert {(p.measure, p.target, p.gallery_size, p.run) for p in points} == {
        (goal.measure, goal.target, goal.gallery_size, "evaluate/x")
    }
    tried = evaluation.table("calibration")
    assert (tried[rate] < 4 * goal.target).all() and (tried[rate] > goal.target / 6).all()
    low, high = tried[f"{rate}_low"], tried[f"{rate}_high"]
    assert ((low <= tried[rate]) & (tried[rate] <= high)).all()
    assert {"failure_to_acquire", "threshold"} <= set(tried)
    assert (tried["failure_to_acquire"] == 0).all() and tried["failure_to_acquire_high"].between(0.01, 0.2).all()
    assert set(tried["probe"]) == {"HR", "16 px"}
    assert evaluation.protocol["calibrated_on"] == {"people": 60, "pictures": 180}


def test_people_in_both_halves_are_refused_and_those_the_weights_know_left_out(known_vectors: None) -> None:
    with pytest.raises(SettingsInvalid, match="60 people would choose"):
        calibrate(SYSTEM, CalibrationSets(crowd(60, 3, "a"), crowd(60, 3, "a")), Goal("far", 0.01), PLAN)
    evaluation, _ = calibrate(
        SYSTEM, CalibrationSets(crowd(60, 3, "a"), crowd(60, 3, "b"), {"a1", "b2", "b3"}), Goal("far", 0.01), PLAN
    )
    assert evaluation.protocol["calibrated_on"]["people"] == 59
    assert evaluation.protocol["reported_on"]["people"] == 58


def test_too_few_to_tell_give_no_threshold(known_vectors: None) -> None:
    evaluation, points = calibrate(
        SYSTEM, CalibrationSets(crowd(8, 3, "a"), crowd(8, 3, "b")), Goal("fpir", 0.01, 3), PLAN
    )
    assert points == [] and evaluation.table("thresholds")["threshold"].isna().all()
    assert evaluation.text.endswith("16 px not enough data."), "no rate is claimed without a threshold"


@pytest.mark.parametrize("wrong", [("fpir", 0.01, 0), ("fpir", 0.0, 5), ("far", 1.0, 0), ("eer", 0.1, 5)])
def test_goals_that_mean_nothing(wrong: tuple) -> None:
    with pytest.raises(SettingsInvalid):
        Goal(*wrong)


@pytest.mark.parametrize(
    "wrong", [{"templates": "HR,20"}, {"confidence": 1.0}, {"confidence": -0.1}, {"frames": 0}, {"enrol": 0}]
)
def test_galleries_and_probes_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(SettingsInvalid):
        Goal("fpir", 0.01, 5, **wrong)


def test_many_photographs_of_few_people_tell_no_threshold(known_vectors: None) -> None:
    few = Goal("fpir", 0.01, 3, draws=5, confidence=0)
    evaluation, points = calibrate(
        SYSTEM, CalibrationSets(crowd(10, 120, "a"), crowd(10, 3, "b")), few, Plan(sizes=(None,))
    )
    [row] = evaluation.table("thresholds").to_dict("records")
    assert points == [] and (row["made_of"], row["people"]) == (1200, 10)
    pairs, points = calibrate(
        SYSTEM,
        CalibrationSets(crowd(10, 40, "a"), crowd(10, 3, "b")),
        Goal("far", 0.01, confidence=0),
        Plan(sizes=(None,)),
    )
    assert points == [], "78,000 pairs of photographs, 45 of people"
    assert pairs.table("thresholds")["people"].tolist() == [45]


def test_a_confidence_makes_thresholds_stricter_and_is_said(known_vectors: None) -> None:
    found = {}
    for confidence in (0.0, 0.9, 0.99):
        for measure, size in (("fpir", 20), ("far", 0)):
            goal = Goal(measure, 0.1, size, draws=5, confidence=confidence)
            evaluation, points = calibrate(SYSTEM, CalibrationSets(crowd(80, 3, "a"), crowd(60, 3, "b")), goal, PLAN)
            found[measure, confidence] = [point.threshold for point in points]
            assert {point.confidence for point in points} == {confidence}
            assert (f"{confidence * 100:g} % confidence" in evaluation.text) is (confidence > 0)
            assert ("expect somewhat more of others" in evaluation.text) is (confidence == 0)
    for measure in ("fpir", "far"):
        assert all(a < b < c for a, b, c in zip(*(found[measure, sure] for sure in (0.0, 0.9, 0.99)), strict=True))


# Template kinds ------------------------------------------------------------------------------------------------------


def test_a_threshold_is_for_the_templates_that_it_was_calibrated_with(small_alike: None) -> None:
    """Small faces are alike here as they are in truth, so that a matched template lets every small stranger in."""
    plan = Plan(sizes=(16,), bootstrap=50)
    points, met = {}, {}
    for templates in ("HR", "16", "HR,16"):
        goal = Goal("fpir", 0.1, 20, draws=5, templates=templates, confidence=0)
        evaluation, [points[templates]] = calibrate(
            SYSTEM, CalibrationSets(crowd(80, 3, "a"), crowd(80, 3, "b")), goal, plan
        )
        [tried] = evaluation.table("calibration").to_dict("records")
        met[templates] = tried["fpir"]
        assert tried["templates"] == templates == points[templates].templates
    assert all(rate < 0.2 for rate in met.values()), "each about meets its aim on its own templates"
    assert points["HR,16"].threshold > points["HR"].threshold + 0.1
    people, embedded = (
        np.repeat(np.arange(80), 3),
        module.embed(SYSTEM, crowd(80, 3, "b"), [View("aligned"), View("aligned", 16)]),
    )
    hr, small = embedded[View("aligned")], embedded[View("aligned", 16)]
    trial = run_trial(people, small, hr, GalleryDesign(20, draws=5), kinds=[hr, small])
    assert trial.fpir(points["HR"].threshold) > 0.4, "the fault: a threshold for HR where matched ones are enrolled"


def test_how_many_photographs_were_enrolled_goes_with_the_threshold(known_vectors: None) -> None:
    goal = Goal("fpir", 0.1, 20, enrol=3, draws=3, confidence=0)
    evaluation, points = calibrate(SYSTEM, CalibrationSets(crowd(60, 3, "a"), crowd(60, 5, "b")), goal, PLAN)
    assert {point.photographs for point in points} == {2}, "one of three stays a probe"
    assert set(evaluation.table("thresholds")["photographs"]) == {2.0}
    assert set(evaluation.table("calibration")["photographs"]) == {3.0}


def test_thresholds_for_pooled_frames_are_made_of_pooled_probes(known_vectors: None) -> None:
    goals = [Goal("fpir", 0.1, 20, draws=5, confidence=0, frames=frames) for frames in (1, 3)]
    made = [calibrate(SYSTEM, CalibrationSets(crowd(60, 8, "a"), crowd(60, 8, "b")), goal, PLAN) for goal in goals]
    rows = [evaluation.table("thresholds").to_dict("records") for evaluation, _ in made]
    each = [{row["made_of"] / row["people"] for row in some} for some in rows]
    assert each == [{8.0}, {2.0}], "of eight pictures a person two probes of three, and two are left over"
    assert [{point.frames for point in points} for _, points in made] == [{1}, {3}]
    one, three = (evaluation.table("calibration").set_index("probe").loc["16 px", "dir"] for evaluation, _ in made)
    assert one < three, "three pictures find more than one"
    assert "probes pooled from 3 frames" in made[1][0].text


def test_every_probe_falls_into_the_range_of_its_size() -> None:
    ranges = size_ranges((None, 32, 24, 16))
    for px in np.arange(9, 200, 0.25):
        inside = [size for size, (low, high) in ranges.items() if low <= px <= high]
        assert len(inside) == 1
        assert inside[0] == vlr_size(float(px)) or px in (20, 28), "halfway either one is as good"


def test_hr_alone_says_nothing_about_small_probes() -> None:
    assert size_ranges((None,)) == {None: (40.0, 10_000.0)}
    assert size_ranges((16,)) == {16: (0.0, 40.0)}
    assert size_ranges((48, 16)) == {16: (0.0, 32.0), 48: (pytest.approx(32), 60.0)}


def test_halves_share_nobody_and_stay_when_others_come() -> None:
    people = {f"p{i}" for i in range(200)}
    first, second = halves(people, 3)
    assert not first & second and first | second == people and 60 < len(first) < 140
    assert halves(people | {"new"}, 3)[0] - {"new"} == first


def test_views_of_a_plan_begin_with_hr() -> None:
    plan = Plan(sizes=(16,), modes=("aligned", "end to end"), degradations=("bicubic", "camera"))
    views = plan.views()
    assert views[0] == View("aligned") and views[3] == View("end to end") and len(views) == 6
    assert not plan.wants(views[0]) and plan.wants(views[1])
