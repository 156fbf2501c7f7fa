"""Verification on a pairs file: its rows and what they are measured on; and the official weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.evaluation.embedding import embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.intervals import wilson
from core.evaluation.listed_pairs import PairsSource, measure_listed, read_listed
from core.evaluation.pairs import PairsInvalid, Photo
from core.evaluation.pairs_evaluation import evaluate_listed
from core.evaluation.systems import system_of
from core.evaluation.verification_rows import Row
from core.pipeline import Pipeline, PipelineConfig, build_pipeline
from tests.unit.evaluation.sets import embed_photographs


def rows_of(pipeline: Pipeline, source: PairsSource, plan: Plan, hooks: RunHooks = NO_HOOKS) -> tuple[Row, ...]:
    listed = read_listed(source)
    embedded = embed(system_of(pipeline), listed.pictures, plan.views(), hooks)
    task = listed.task(plan.bootstrap, plan.seed)
    return measure_listed(task, embedded, hooks, hr_too=None in plan.sizes, all_pairs=source.all_pairs)


@pytest.fixture(scope="module")
def source(photographs: Path) -> PairsSource:
    return PairsSource(photographs / "images", photographs / "pairs.txt")


@pytest.fixture(scope="module")
def rows(pipeline: Pipeline, source: PairsSource) -> tuple[Row, ...]:
    return rows_of(pipeline, source, Plan(sizes=(None, 16), modes=("aligned", "end to end"), bootstrap=20))


def test_a_row_for_every_mode_size_and_pairing(rows: tuple[Row, ...]) -> None:
    assert [(row.protocol, row.mode, row.probe, row.pairing) for row in rows] == [
        (protocol, mode, *rest)
        for protocol in ("pairs file", "all pairs")
        for mode in ("aligned", "end to end")
        for rest in (("HR", "HR-HR"), ("16 px", "VLR-VLR"), ("16 px", "VLR-HR"))
    ]


def test_vlr_hr_takes_each_pair_with_either_side_small(
    rows: tuple[Row, ...], pipeline: Pipeline, photographs: Path
) -> None:
    paths = [Photo(name, number).path(photographs / "images") for name in ("Ada", "Bo") for number in (1, 2)]
    embedded = embed_photographs(pipeline, paths, sizes=(None, 16), modes=("aligned",))
    hr, small = embedded["aligned", None].vectors, embedded["aligned", 16].vectors
    genuine = [small[0] @ hr[1], small[2] @ hr[3], small[1] @ hr[0], small[3] @ hr[2]]
    impostor = [small[0] @ hr[2], small[1] @ hr[3], small[2] @ hr[0], small[3] @ hr[1]]
    wins = np.subtract.outer(genuine, impostor)
    row = next(row for row in rows if row.pairing == "VLR-HR")
    assert (row.figures.genuine, row.figures.impostor) == (4, 4)
    assert row.figures.auc == pytest.approx((wins > 0).mean() + (wins == 0).mean() / 2)
    every = next(row for row in rows if row.pairing == "VLR-HR" and row.protocol == "all pairs")
    assert (every.figures.genuine, every.figures.impostor) == (4, 8)


def test_a_small_size_alone_still_meets_hr(pipeline: Pipeline, photographs: Path) -> None:
    source = PairsSource(photographs / "images", photographs / "pairs.txt", all_pairs=False)
    rows = rows_of(pipeline, source, Plan(sizes=(16,), bootstrap=0))
    assert [row.pairing for row in rows] == ["VLR-VLR", "VLR-HR"]
    assert rows[0].figures.eer_interval is None


def test_failures_to_acquire_are_left_out_and_counted_as_rejected(
    pipeline: Pipeline, photographs: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "pairs.txt"
    listed.write_text("1\t2\nAda\t1\t2\nAda\t1\t3\nAda\t1\tBo\t1\nAda\t3\tBo\t1\n", encoding="utf-8")
    plan = Plan(sizes=(None,), modes=("end to end",), bootstrap=0)
    pairs, every = rows_of(pipeline, PairsSource(photographs / "images", listed), plan)
    # 4 photographs, one of them blank: of 2 genuine and 2 impostor pairs one each is left.
    assert pairs.failure_to_acquire == every.failure_to_acquire == pairs.no_face == 0.25
    assert pairs.failure_interval == wilson(1, 4)
    assert (pairs.figures.genuine, pairs.figures.impostor) == (1, 1)
    assert (pairs.with_failures.genuine, pairs.with_failures.impostor) == (2, 2)
    # Of all 6 pairs of Ada 1, 2, 3 and Bo 1 the blank one takes 2 genuine and 1 impostor pair.
    assert (every.figures.genuine, every.figures.impostor) == (1, 2)
    assert (every.with_failures.genuine, every.with_failures.impostor) == (3, 3)
    assert every.with_failures.tar[0.01] == (None, None)


def test_a_kind_without_any_face_is_told(pipeline: Pipeline, photographs: Path, tmp_path: Path) -> None:
    listed = tmp_path / "pairs.txt"
    listed.write_text("1\t1\nAda\t1\t3\nAda\t1\tBo\t1\n", encoding="utf-8")
    with pytest.raises(PairsInvalid, match="no same pair has a face in both photographs"):
        rows_of(pipeline, PairsSource(photographs / "images", listed), Plan(sizes=(None,), bootstrap=0))


def test_missing_photographs_and_folds_are_told_first(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(PairsInvalid, match="4 of 4 photographs aren't there"):
        read_listed(PairsSource(tmp_path, photographs / "pairs.txt"))
    with pytest.raises(PairsInvalid, match="No fold"):
        read_listed(PairsSource(photographs / "images", photographs / "pairs.txt", folds=[]))


def test_progress_counts_photographs_and_rows(pipeline: Pipeline, source: PairsSource) -> None:
    events: list[dict[str, object]] = []
    rows_of(
        pipeline,
        source,
        Plan(sizes=(None,), bootstrap=0),
        RunHooks(on_event=lambda kind, **data: events.append({"kind": kind, **data})),
    )
    assert [(event["step"], event["done"], event["total"]) for event in events] == [
        ("embed", 4, 4),
        ("measuring", 1, 2),
        ("measuring", 2, 2),
    ]
    assert {event["kind"] for event in events} == {"progress"}


def test_an_evaluation_holds_every_row_with_its_protocol(
    pipeline: Pipeline, source: PairsSource, rows: tuple[Row, ...], photographs: Path
) -> None:
    plan = Plan(sizes=(None, 16), modes=("aligned", "end to end"), bootstrap=20)
    evaluation = evaluate_listed(source, [system_of(pipeline)], plan)
    facts = evaluation.protocol
    assert facts["data"] == photographs.name and facts["pairs_file"] == "pairs.txt"
    assert (facts["folds"], facts["pairs"], facts["pictures"], facts["people"]) == ([1], 4, 4, 2)
    assert facts["people_in_several_folds"] == 0
    [system] = facts["systems"]
    assert system["encoder"] == "edgeface_xxs" and system["weights_sha256"] == "0" * 64
    assert (system["upscaler"], system["flip_tta"]) == ("bicubic", False)
    assert (facts["plan"]["bootstrap"], facts["plan"]["seed"]) == (20, 0)
    assert set(facts["versions"]) >= {"edgeface-studio", "torch", "timm", "numpy"}
    table = evaluation.table("verification")
    assert table["eer"].tolist() == pytest.approx([row.figures.eer for row in rows])
    assert list(table["pairing"]) == [row.pairing for row in rows]
    assert list(table["probe"]) == [row.probe for row in rows] and list(table["mode"]) == [row.mode for row in rows]
    assert table["tar_at_far_0.01"].isna().all(), "too few impostor pairs"
    assert table["accuracy"].isna().all(), "one fold: no other to choose the threshold on"


@pytest.fixture(scope="module")
def official(shared_dir: Path) -> Pipeline:
    return build_pipeline(PipelineConfig(weights=shared_dir / "weights" / "edgeface_xxs_q.pt"))


@pytest.mark.shared
def test_official_weights_on_one_fold(official: Pipeline, shared_dir: Path) -> None:
    lfw = shared_dir / "data" / "lfw"
    source = PairsSource(lfw / "images", lfw / "pairs.txt", folds=[4])
    rows = rows_of(official, source, Plan(sizes=(None, 16), bootstrap=100))
    figures = {(row.protocol, row.pairing): row.figures for row in rows}
    assert {row.failure_to_acquire for row in rows} == {0.0}
    for figure in figures.values():
        assert figure.eer_interval is not None
        assert figure.eer_interval[0] <= figure.eer <= figure.eer_interval[1]
    assert figures["pairs file", "HR-HR"].eer < 0.02
    assert figures["all pairs", "HR-HR"].eer < 0.03
    assert figures["all pairs", "HR-HR"].tar[1e-4][0] > 0.90  # type: ignore[operator]
    assert 0.04 < figures["all pairs", "VLR-VLR"].eer < 0.11
    assert 0.03 < figures["all pairs", "VLR-HR"].eer < figures["all pairs", "VLR-VLR"].eer
    assert figures["all pairs", "VLR-HR"].impostor == 2 * figures["all pairs", "VLR-VLR"].impostor


@pytest.mark.shared
def test_official_weights_on_shrunk_photographs(official: Pipeline, shared_dir: Path, tmp_path: Path) -> None:
    lines = (shared_dir / "data" / "lfw" / "pairs.txt").read_text().splitlines()
    fourth = lines[1 + 3 * 600 : 1 + 4 * 600]
    some = tmp_path / "pairs.txt"
    some.write_text("\n".join(["1\t40", *fourth[:40], *fourth[300:340]]), encoding="utf-8")
    source = PairsSource(shared_dir / "data" / "lfw" / "images", some)
    rows = rows_of(official, source, Plan(sizes=(None, 24), modes=("end to end",), bootstrap=0))
    for row in rows:
        assert row.failure_to_acquire < 0.05
        assert row.figures.auc > 0.97
