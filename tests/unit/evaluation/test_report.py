"""A whole evaluation: which rows there are, what they are made of, how they are written; and the official weights."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.evaluation.embedding import embed_photographs
from core.evaluation.intervals import wilson
from core.evaluation.pairs import PairsInvalid, Photo
from core.evaluation.report import PairsReport, evaluate_pairs
from core.pipeline import Pipeline, PipelineConfig, build_pipeline


@pytest.fixture(scope="module")
def report(pipeline: Pipeline, photographs: Path) -> PairsReport:
    return evaluate_pairs(
        photographs / "images", photographs / "pairs.txt", pipeline=pipeline, sizes=(None, 16), bootstrap=20
    )


def test_a_row_for_every_mode_size_and_pairing(report: PairsReport) -> None:
    rows = [(row.protocol, row.mode, row.probe, row.pairing) for row in report.rows]
    assert rows == [
        (protocol, mode, *rest)
        for protocol in ("pairs file", "all pairs")
        for mode in ("aligned", "end to end")
        for rest in (("HR", "HR-HR"), ("16 px", "VLR-VLR"), ("16 px", "VLR-HR"))
    ]


def test_vlr_hr_takes_each_pair_with_either_side_small(
    report: PairsReport, pipeline: Pipeline, photographs: Path
) -> None:
    paths = [Photo(name, number).path(photographs / "images") for name in ("Ada", "Bo") for number in (1, 2)]
    embedded = embed_photographs(pipeline, paths, sizes=(None, 16), modes=("aligned",))
    hr, small = embedded["aligned", None].vectors, embedded["aligned", 16].vectors
    genuine = [small[0] @ hr[1], small[2] @ hr[3], small[1] @ hr[0], small[3] @ hr[2]]
    impostor = [small[0] @ hr[2], small[1] @ hr[3], small[2] @ hr[0], small[3] @ hr[1]]
    wins = np.subtract.outer(genuine, impostor)
    row = next(row for row in report.rows if row.pairing == "VLR-HR")
    assert (row.figures.genuine, row.figures.impostor) == (4, 4)
    assert row.figures.auc == pytest.approx((wins > 0).mean() + (wins == 0).mean() / 2)
    every = next(row for row in report.rows if row.pairing == "VLR-HR" and row.protocol == "all pairs")
    assert (every.figures.genuine, every.figures.impostor) == (4, 8)


def test_a_small_size_alone_still_meets_hr(pipeline: Pipeline, photographs: Path) -> None:
    report = evaluate_pairs(
        photographs / "images",
        photographs / "pairs.txt",
        pipeline=pipeline,
        sizes=(16,),
        modes=("aligned",),
        bootstrap=0,
        all_pairs=False,
    )
    assert [row.pairing for row in report.rows] == ["VLR-VLR", "VLR-HR"]
    assert report.rows[0].figures.eer_interval is None


def test_failures_to_acquire_are_left_out_and_counted_as_rejected(
    pipeline: Pipeline, photographs: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "pairs.txt"
    listed.write_text("1\t2\nAda\t1\t2\nAda\t1\t3\nAda\t1\tBo\t1\nAda\t3\tBo\t1\n", encoding="utf-8")
    report = evaluate_pairs(
        photographs / "images", listed, pipeline=pipeline, sizes=(None,), modes=("end to end",), bootstrap=0
    )
    pairs, every = report.rows
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
        evaluate_pairs(photographs / "images", listed, pipeline=pipeline, sizes=(None,), bootstrap=0)


def test_missing_photographs_and_folds_are_told_first(pipeline: Pipeline, photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(PairsInvalid, match="4 of 4 photographs aren't there"):
        evaluate_pairs(tmp_path, photographs / "pairs.txt", pipeline=pipeline)
    with pytest.raises(PairsInvalid, match="No fold"):
        evaluate_pairs(photographs / "images", photographs / "pairs.txt", pipeline=pipeline, folds=[])


def test_progress_is_done_total_what(pipeline: Pipeline, photographs: Path) -> None:
    told: list[tuple[int, int, str]] = []
    evaluate_pairs(
        photographs / "images",
        photographs / "pairs.txt",
        pipeline=pipeline,
        sizes=(None,),
        modes=("aligned",),
        bootstrap=0,
        on_event=lambda *event: told.append(event),
    )
    assert told == [(4, 4, "embedding photographs"), (1, 2, "measuring"), (2, 2, "measuring")]


def test_the_protocol_says_how_to_make_it_again(report: PairsReport, photographs: Path) -> None:
    told = report.protocol
    assert told["data"] == photographs.name
    assert (told["folds"], told["pairs"], told["photographs"], told["people"]) == ([1], 4, 4, 2)
    assert told["people_in_several_folds"] == 0
    assert told["encoder"] == "edgeface_xxs" and told["weights_sha256"] == "0" * 64
    assert (told["upscaler"], told["flip_tta"], told["bootstrap"], told["seed"]) == ("bicubic", False, 20, 0)
    assert set(told["versions"]) >= {"edgeface-studio", "torch", "timm", "numpy"}
    assert "edgeface_xxs" in report.head() and "4 pairs" in report.head()


def test_json_and_csv_hold_every_row(report: PairsReport, tmp_path: Path) -> None:
    report.write(tmp_path / "out")
    read = json.loads((tmp_path / "out" / "report.json").read_text())
    assert read["protocol"]["seed"] == 0
    assert [row["figures"]["eer"] for row in read["rows"]] == [row.figures.eer for row in report.rows]
    frame = pd.read_csv(io.StringIO((tmp_path / "out" / "report.csv").read_text()))
    assert len(frame) == len(report.rows)
    assert {
        "protocol",
        "mode",
        "probe",
        "pairing",
        "folds",
        "genuine",
        "impostor",
        "eer",
        "eer_low",
        "eer_high",
        "auc",
        "accuracy",
        "accuracy_se",
        "tar_at_far_0.01",
        "tar_at_far_0.0001",
        "failure_to_acquire",
        "no_face",
        "eer_with_failures",
    } <= set(frame.columns)
    assert frame["eer"].tolist() == pytest.approx([row.figures.eer for row in report.rows])


def test_the_text_says_where_too_few_pairs_tell_nothing(report: PairsReport) -> None:
    screen = report.screen()
    assert set(screen["TAR at FAR 1"]) == {"-"}
    assert set(screen["accuracy"]) == {"-"}
    listed, every = report.table().split("\n\n")[1:]
    assert listed.startswith("Pairs file\n") and every.startswith("All pairs\n")
    assert len(listed.splitlines()) + len(every.splitlines()) == 2 * 2 + len(report.rows)


@pytest.fixture(scope="module")
def official(shared_dir: Path) -> Pipeline:
    return build_pipeline(PipelineConfig(weights=shared_dir / "weights" / "edgeface_xxs_q.pt"))


@pytest.mark.shared
def test_official_weights_on_one_fold(official: Pipeline, shared_dir: Path) -> None:
    lfw = shared_dir / "data" / "lfw"
    report = evaluate_pairs(
        lfw / "images",
        lfw / "pairs.txt",
        pipeline=official,
        folds=[4],
        sizes=(None, 16),
        modes=("aligned",),
        bootstrap=100,
    )
    figures = {(row.protocol, row.pairing): row.figures for row in report.rows}
    assert {row.failure_to_acquire for row in report.rows} == {0.0}
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
    report = evaluate_pairs(
        shared_dir / "data" / "lfw" / "images",
        some,
        pipeline=official,
        sizes=(None, 24),
        modes=("end to end",),
        bootstrap=0,
    )
    for row in report.rows:
        assert row.failure_to_acquire < 0.05
        assert row.figures.auc > 0.97
