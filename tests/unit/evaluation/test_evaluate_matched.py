"""Matched templates measured: rank-1 by hand, the paired interval by hand, files and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.evaluation.embedding import embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import RunHooks
from core.evaluation.identification import Outcomes
from core.evaluation.matched import HR_ONLY, KINDS, _rows, evaluate_matched
from core.evaluation.pictures import codes_of, pictures_of_dataset
from core.evaluation.report_files import write_evaluation
from core.evaluation.result import Evaluation, read_evaluation
from core.evaluation.systems import system_of
from core.evaluation.table_format import compact
from core.evaluation.vector_cache import EmbeddingCache, embedding_cache
from core.evaluation.views import View
from core.pipeline import Pipeline
from tests.unit.evaluation.sets import small_dataset

PLAN = Plan(sizes=(16,), bootstrap=50)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory):
    """Four people with two pictures, one with a single one."""
    return pictures_of_dataset(small_dataset(tmp_path_factory.mktemp("matched") / "small", people=4, each=2), "test")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingCache:
    return embedding_cache(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def evaluation(pipeline: Pipeline, pictures, store: EmbeddingCache) -> Evaluation:
    return evaluate_matched(system_of(pipeline), pictures, PLAN, data={"data": "small"}, hooks=RunHooks(store=store))


def by_hand(pipeline: Pipeline, pictures, store: EmbeddingCache, sizes: tuple[int | None, ...]) -> float:
    """Rank-1 of 16 px probes: each person's score is the highest cosine over their means, the own picture left out."""
    views = [View("aligned", px) for px in (None, 32, 24, 16)]
    embedded = embed(system_of(pipeline), pictures, views, RunHooks(store=store))
    vectors = {px: embedded[View("aligned", px)].vectors for px in (None, 32, 24, 16)}
    people, _ = codes_of(pictures)
    hits = []
    for probe, person in enumerate(people):
        if (people == person).sum() < 2:
            continue
        scores = {}
        for other in np.unique(people):
            rows = [row for row in np.flatnonzero(people == other) if row != probe]
            means = [vectors[px][rows].mean(axis=0) for px in sizes]
            scores[other] = max(vectors[16][probe] @ mean / np.linalg.norm(mean) for mean in means)
        hits.append(max(scores, key=scores.__getitem__) == person)
    return float(np.mean(hits))


def test_rank_1_is_what_a_loop_finds(pipeline: Pipeline, pictures, store, evaluation: Evaluation) -> None:
    table = evaluation.table("matched")
    small = table[table["probe"] == "16 px"].set_index("templates")["rank1"]
    for name, sizes in KINDS.items():
        assert small[name] == pytest.approx(by_hand(pipeline, pictures, store, (None, *sizes))), name


def test_both_kinds_stand_side_by_side_with_their_difference(evaluation: Evaluation) -> None:
    table = evaluation.table("matched")
    assert table["probe"].tolist() == ["HR"] * 3 + ["16 px"] * 3
    assert table["templates"].tolist() == [*KINDS] * 2
    assert (table["probes"] == 8).all() and (table["identities"] == 5).all()
    before = table[table["templates"] == HR_ONLY]["rank1"].to_numpy()
    for name in list(KINDS)[1:]:
        some = table[table["templates"] == name]
        assert some["rank1_change"].to_numpy() == pytest.approx(some["rank1"].to_numpy() - before)
    assert "16 px" in evaluation.text
    assert "templates" in compact("matched", table).columns


def searched(people: int, each: int, lift: float) -> Outcomes:
    """Everybody found first, with scores around 0.5 + `lift` against 0.3 for others."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(people), each)
    genuine, impostor = rng.normal(0.5 + lift, 0.1, len(person)), rng.normal(0.3, 0.1, len(person))
    rank = np.where(genuine > impostor, 1, 2)
    return Outcomes(person, np.arange(len(person)), genuine, impostor, (person + 1) % people, rank)


@pytest.mark.parametrize(("people", "each", "told"), [(400, 3, True), (10, 120, False), (400, 2, False)])
def test_names_at_an_fpir_are_told_where_people_and_photographs_are_enough(people: int, each: int, told: bool) -> None:
    outcomes = {name: searched(people, each, 0.05 * number) for number, name in enumerate(KINDS)}
    rows = _rows(View("aligned", 16), outcomes, PLAN)
    assert [row["threshold"] is not None for row in rows] == [told] * 3
    for row in rows[1:]:
        assert row["rank1_change_low"] <= row["rank1_change"] <= row["rank1_change_high"]
        if told:
            assert row["dir_change"] == pytest.approx(row["dir"] - rows[0]["dir"])
            assert row["dir_low"] < row["dir"] < row["dir_high"] and row["dir_change_low"] > 0
        else:
            assert [row[name] for name in ("dir", "dir_low", "dir_change", "dir_change_high")] == [None] * 4


def test_what_cannot_be_told_is_said_so(evaluation: Evaluation) -> None:
    assert "and undetermined" in evaluation.text and evaluation.table("matched")["threshold"].isna().all()


def test_it_is_written_and_read_again(evaluation: Evaluation, tmp_path: Path) -> None:
    write_evaluation(evaluation, tmp_path)
    again = read_evaluation(tmp_path)
    assert again.kind == "matched"
    assert again.table("matched")["rank1"].tolist() == pytest.approx(evaluation.table("matched")["rank1"].tolist())
    assert "resolution-matched" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_people_with_one_picture_each_cannot_be_measured(pipeline: Pipeline, pictures) -> None:
    alone = list({picture.identity: picture for picture in pictures}.values())
    with pytest.raises(SettingsInvalid, match="two pictures"):
        evaluate_matched(system_of(pipeline), alone, PLAN, data={})
