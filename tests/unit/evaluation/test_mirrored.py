"""Agreement with the mirror image costs a second encoding: it is measured only where it was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.evaluation.embedding import embed
from core.evaluation.evaluate import evaluate_pictures
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import RunHooks
from core.evaluation.pictures import pictures_of_dataset
from core.evaluation.reject import sample_people
from core.evaluation.systems import system_of
from core.evaluation.vector_cache import embedding_cache
from core.evaluation.views import View
from core.pipeline import Pipeline
from tests.unit.evaluation.sets import small_dataset

VIEWS = [View("aligned"), View("aligned", 16)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return pictures_of_dataset(small_dataset(tmp_path_factory.mktemp("sets") / "small", people=4, each=2, single=1))


@pytest.fixture
def counted(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many crops each way of encoding was given."""
    seen = {"encode_with_norms": 0, "encode_with_agreement": 0}
    for name in seen:
        real = getattr(pipeline.encoder, name)

        def counting(crops: Any, *args: Any, _name: str = name, _real: Any = real, **options: Any) -> Any:
            seen[_name] += len(crops)
            return _real(crops, *args, **options)

        monkeypatch.setattr(pipeline.encoder, name, counting)
    return seen


def test_whole_people_are_sampled_whoever_else_is_there() -> None:
    names = [name for name in "abcdef" for _ in range(10)] + ["alone"]
    some = sample_people(names, 30)
    taken = {name for name, there in zip(names, some, strict=True) if there}
    assert some.sum() == 30 and len(taken) == 3 and "alone" not in taken
    assert {n for n, t in zip(names, sample_people(names, 20), strict=True) if t} < taken
    assert sample_people(names, 1).sum() == 20, "two people at least: there are impostors then"
    assert sample_people(["x"], 10).sum() == 0


def test_only_the_small_views_of_those_named_are_encoded_twice(pipeline, pictures, counted, tmp_path) -> None:
    store = embedding_cache(tmp_path)
    plain = embed(system_of(pipeline), pictures, VIEWS, RunHooks(store=store))
    assert counted == {"encode_with_norms": 18, "encode_with_agreement": 0}
    assert (plain[VIEWS[1]].measure("norm") > 0).all()
    assert np.isnan(plain[VIEWS[1]].measure("mirror_agreement")).all()
    named = {pictures[0].sha256, pictures[1].sha256}
    again = embed(system_of(pipeline), pictures, VIEWS, RunHooks(store=store), mirrored=named)
    assert counted == {"encode_with_norms": 18, "encode_with_agreement": 2}, "the rest was kept"
    agreement = again[VIEWS[1]].measure("mirror_agreement")
    assert np.isfinite(agreement[:2]).all() and np.isnan(agreement[2:]).all()
    assert np.isnan(again[VIEWS[0]].measure("mirror_agreement")).all()
    for name in ("vectors", "quality"):
        found, before = (getattr(each[VIEWS[1]], name)[:, :-1] for each in (again, plain))
        assert found == pytest.approx(before, rel=1e-3, abs=1e-5, nan_ok=True)
    embed(system_of(pipeline), pictures, VIEWS, RunHooks(store=store), mirrored=named)
    assert counted == {"encode_with_norms": 18, "encode_with_agreement": 2}, "and now all is"


def test_with_flip_it_comes_with_every_picture(pipeline, pictures, counted, monkeypatch) -> None:
    monkeypatch.setattr(pipeline.encoder, "info", replace(pipeline.encoder.info, flip_tta=True))
    flipped = embed(system_of(pipeline), pictures, VIEWS)
    assert counted == {"encode_with_norms": 0, "encode_with_agreement": 18}
    assert np.isfinite(flipped[VIEWS[0]].measure("mirror_agreement")).all()


def test_the_curve_of_rejection_is_drawn_by_the_sample(pipeline, pictures) -> None:
    plan = Plan(sizes=(None, 16), bootstrap=0, sr_images=0, sections=("verification", "reject"), reject_images=4)
    curve = evaluate_pictures([system_of(pipeline)], pictures, plan, data={}).table("reject")
    whole = curve[curve["rejected"] == 0]
    measures = ["recognisability", "mirror agreement", "sharpness", "norm"]
    assert whole["measure"].tolist() == measures * 2, "data sets' crops have no detection score"
    assert set(whole["images"]) == {4} and whole.groupby("pairing")["eer"].nunique().tolist() == [1, 1]
    every = evaluate_pictures([system_of(pipeline)], pictures, plan.model_copy(update={"reject_images": 0}), data={})
    assert set(every.table("reject").query("rejected == 0")["images"]) == {9}
    assert "mirror agreement" not in set(every.table("reject")["measure"])
    without = plan.model_copy(update={"sections": ("verification",)})
    assert evaluate_pictures([system_of(pipeline)], pictures, without, data={}).table("reject").empty
