"""A whole evaluation with real parts on a small data set: tables, files, reading back, comparing, the HTML report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import SettingsInvalid
from core.evaluation.compare_runs import compare_evaluations
from core.evaluation.evaluate import evaluate_pictures
from core.evaluation.evaluation_spec import Plan, plan_of
from core.evaluation.intervals import wilson
from core.evaluation.pictures import pictures_of_dataset
from core.evaluation.report_files import write_evaluation
from core.evaluation.report_html import report_html
from core.evaluation.result import TITLES, Evaluation, read_evaluation, resolution_table
from core.evaluation.sr_quality import sr_summary
from core.evaluation.systems import system_of
from core.evaluation.table_format import compact, is_rate, screen
from core.pipeline import Pipeline
from core.sr.network import DSR, DSRConfig
from core.sr.upscale import FORMAT, load_upscaler
from tests.unit.evaluation.sets import small_dataset

PLAN = Plan(sizes=(None, 16), bootstrap=30, gallery_sizes=(3,), draws=2, sr_images=5)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory):
    return small_dataset(tmp_path_factory.mktemp("sets") / "small")


@pytest.fixture(scope="module")
def evaluation(pipeline: Pipeline, dataset) -> Evaluation:
    pictures = pictures_of_dataset(dataset, "test")
    return evaluate_pictures([system_of(pipeline)], pictures, PLAN, data={"data": "small", "split": "test"})


def test_every_table_says_which_system_and_view(evaluation: Evaluation) -> None:
    wanted = {
        "verification",
        "curves",
        "histograms",
        "identification",
        "cmc",
        "open_set",
        "sweep",
        "per_identity",
        "confused",
        "too_few",
        "probes",
        "reject",
        "similarity",
        "sr_quality",
        "sr_summary",
    }
    assert set(evaluation.tables) == wanted <= set(TITLES)
    for name in wanted - {"too_few", "sr_quality", "sr_summary"}:
        assert list(evaluation.table(name).columns[:5]) == ["system", "mode", "degradation", "probe", "size_px"], name
    assert evaluation.table("verification")["pairing"].tolist() == ["HR-HR", "VLR-VLR", "VLR-HR"]
    assert (evaluation.table("verification")["genuine"] == [18, 18, 36]).all()
    assert evaluation.table("too_few")["identity"].tolist() == ["Person 6"]
    assert set(evaluation.table("per_identity")["identity"]) == {f"Person {n}" for n in range(6)}


def test_people_can_be_asked_to_have_so_many_images(dataset) -> None:
    from core.evaluation.pictures import with_images

    pictures = pictures_of_dataset(dataset)
    assert len(with_images(pictures, 1)) == 19 and len({p.identity for p in with_images(pictures, 2)}) == 6
    with pytest.raises(SettingsInvalid, match="No person has 4 images; the most is 3"):
        with_images(pictures, 4)


def test_every_error_rate_has_its_failures_beside_it(evaluation: Evaluation) -> None:
    for name in ("verification", "identification", "open_set"):
        assert "failure_to_acquire" in evaluation.table(name), name
    assert {"eer_with_failures", "no_face"} <= set(evaluation.table("verification"))
    assert "rank1_with_failures_low" in evaluation.table("identification")
    assert "fnir_with_failures" in evaluation.table("open_set")


def test_rank_one_is_what_the_probes_say(evaluation: Evaluation) -> None:
    probes = evaluation.table("probes")
    for row in evaluation.table("identification").itertuples():
        own = probes[(probes["probe"] == row.probe) & probes["rank"].notna()]
        assert row.rank1 == pytest.approx((own["rank"] == 1).mean()) and row.probes == len(own) == 18
        right = ((own["rank"] == 1) & (own["genuine"] >= 0.35)).mean()
        assert row.accuracy_at_threshold == pytest.approx(right)
        sweep = evaluation.table("sweep")
        swept = sweep[(sweep["probe"] == row.probe) & np.isclose(sweep["threshold"], 0.35)]["accuracy"].iloc[0]
        assert swept == pytest.approx(right)


def test_the_protocol_says_how_to_make_it_again(evaluation: Evaluation, dataset) -> None:
    said = evaluation.protocol
    assert said["systems"][0]["weights_sha256"] == "0" * 64 and said["systems"][0]["upscaler"] == "bicubic"
    assert (said["people"], said["pictures"], said["data"]) == (7, 19, "small")
    assert len(said["data_sha256"]) == 64 and {"torch", "numpy", "edgeface-studio"} <= set(said["versions"])
    assert plan_of(json.loads(json.dumps(said["plan"]))) == PLAN


def test_what_is_written_is_read_again(evaluation: Evaluation, tmp_path: Path) -> None:
    write_evaluation(evaluation, tmp_path)
    again = read_evaluation(tmp_path)
    assert (again.kind, again.title, again.text) == (evaluation.kind, evaluation.title, evaluation.text)
    assert set(again.tables) == set(evaluation.tables)
    for name, table in evaluation.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table.fillna(np.nan), check_dtype=False)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["figures"]["verification"][0]["eer"] == evaluation.table("verification")["eer"].iloc[0]
    assert "probes" not in report["figures"], "names and pictures stay in their own table"


def test_reading_needs_no_torch(evaluation: Evaluation, tmp_path: Path) -> None:
    import subprocess
    import sys

    write_evaluation(evaluation, tmp_path)
    code = (
        "import sys; from pathlib import Path; from core.evaluation.result import read_evaluation; "
        "from core.evaluation.result import resolution_table; from core.evaluation import per_identity, plots; "
        f"resolution_table(read_evaluation(Path({str(tmp_path)!r}))); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_accuracy_against_resolution_is_one_table(evaluation: Evaluation) -> None:
    table = resolution_table(evaluation)
    assert table["size_px"].tolist() == [112, 16, 16]
    assert {"eer", "tar", "rank1", "rank1_low", "failure_to_acquire"} <= set(table)


def test_compared_with_itself_nothing_changed_and_other_data_is_refused(evaluation: Evaluation) -> None:
    same = compare_evaluations(evaluation, evaluation)
    change = same.table("change")
    assert (change["eer_change"] == 0).all() and (change["same"] == 6).all() and (change["p"] == 1).all()
    assert set(same.table("gained_lost")["verdict"]) == {"same"}
    assert "aligned differently" not in same.text
    elsewhere = replace(evaluation, protocol={**evaluation.protocol, "aligner": "YuNet + another"})
    moved = compare_evaluations(evaluation, elsewhere, names=("one", "two"))
    assert "aligned differently (one: as in the data set; two: YuNet + another)" in moved.text
    other = replace(evaluation, protocol={**evaluation.protocol, "data_sha256": "f" * 64})
    with pytest.raises(SettingsInvalid, match="different data"):
        compare_evaluations(evaluation, other)


def test_gains_are_counted_by_people(evaluation: Evaluation) -> None:
    better = evaluation.table("per_identity").copy()
    better["rank1"] = 1.0
    worse = better.copy()
    worse.loc[(worse["probe"] == "16 px") & (worse.index % 2 == 0), "rank1"] = 0.0
    one, two = (replace(evaluation, tables={**evaluation.tables, "per_identity": t}) for t in (worse, better))
    change = compare_evaluations(one, two).table("change").set_index("probe")
    gained = int((worse["rank1"] == 0).sum())
    assert change.loc["HR", "gained"] == 0 and (change.loc["16 px", "gained"] == gained).all()
    assert change.loc["16 px", "p"].iloc[0] == pytest.approx(2 * 0.5**gained), "a two-sided sign test"


def test_the_report_is_one_document_with_every_text_escaped(evaluation: Evaluation) -> None:
    nasty = evaluation.table("too_few").copy()
    nasty["identity"] = "<script>alert(1)</script>"
    page = report_html(replace(evaluation, title="<b>x</b>", tables={**evaluation.tables, "too_few": nasty}))
    assert "<script>alert(1)" not in page and "<b>x</b>" not in page
    assert page.count("Plotly.newPlot(") > 8 and "src=" not in page.split("<body>")[1]
    assert "0" * 64 in page and evaluation.protocol["data_sha256"] in page


def test_every_rate_has_an_interval_or_says_of_how_many_it_is(evaluation: Evaluation) -> None:
    counts = {"genuine", "impostor", "probes", "images", "pictures", "mated_probes"}
    compared = compare_evaluations(evaluation, evaluation)
    chosen = {"target", "fpir_target"}  # not measured
    for name, table in [*evaluation.tables.items(), *compared.tables.items()]:
        rates = [column for column in table if is_rate(column) and column not in chosen]
        for column in rates if name != "curves" else ():  # points of a drawn line
            assert f"{column}_low" in table or not counts.isdisjoint(table.columns) or column.endswith("_change"), (
                name,
                column,
            )
    change = compared.table("change")
    verified = evaluation.table("verification")
    assert change["eer_before_low"].tolist() == change["eer_after_low"].tolist()
    assert set(change["eer_before_low"]) == set(verified["eer_low"])
    assert "[" in screen("change", change)["EER before"].iloc[0]


def test_failures_to_acquire_are_counted_over_people(evaluation: Evaluation) -> None:
    people = evaluation.table("per_identity")["identity"].nunique() + len(evaluation.table("too_few"))
    row = evaluation.table("verification").iloc[0]
    # None of the photographs, which says as much as their people.
    assert (row["failure_to_acquire_low"], row["failure_to_acquire_high"]) == pytest.approx(wilson(0, people))


def test_tables_for_reading(evaluation: Evaluation) -> None:
    shown = screen("verification", evaluation.table("verification"))
    assert "EER" in shown and "[" in shown["EER"].iloc[0] and "eer_low" not in shown
    assert "TAR at FAR 0.1" in shown and (shown["TAR at FAR 0.1"] == "-").all()
    less = compact("verification", evaluation.table("verification"))
    assert not [column for column in less if "rejected" in column], "no picture was without a face"
    failed = evaluation.table("verification").assign(eer_with_failures=[0.5, 0.4, 0.3])
    assert "EER, those rejected" in compact("verification", failed)
    assert "system" not in less and "pairing" in less


# Super-resolution -----------------------------------------------------------------------------------------------------


def test_a_dsr_stands_beside_bicubic(pipeline: Pipeline, dataset, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = {"channels": 4, "blocks": 1, "min_px": 12, "max_px": 48}
    path = tmp_path / "dsr.safetensors"
    save_file(DSR(DSRConfig(4, 1)).state_dict(), str(path), {"format": FORMAT, "config": json.dumps(config)})
    with_dsr = Pipeline(
        pipeline.config, pipeline.encoder, load_upscaler(path), pipeline.detector, pipeline.gallery.store
    )
    plan = PLAN.model_copy(update={"sections": ("verification", "super-resolution")})
    both = evaluate_pictures(
        [system_of(pipeline), system_of(with_dsr)], pictures_of_dataset(dataset), plan, data={"data": "small"}
    )
    summary = both.table("sr_summary")
    assert summary[["system", "upscaler", "images"]].values.tolist() == [
        ["random, direct feed", "bicubic", 5],
        ["random + dsr", "bicubic", 5],
        ["random + dsr", "dsr", 5],
    ]
    bicubic = summary[summary["upscaler"] == "bicubic"]
    assert bicubic["psnr_db_mean"].nunique() == 1, "the same pictures, the same baseline"
    assert summary["similarity_p5"].le(summary["similarity_p50"]).all()
    assert resolution_table(both)["system"].nunique() == 2
    assert sr_summary(both.table("sr_quality")).shape[0] == 2


def test_nobody_to_compare_is_refused_before_anything_is_embedded(pipeline: Pipeline, dataset) -> None:
    pictures = pictures_of_dataset(dataset)
    one = [picture for picture in pictures if picture.identity == pictures[0].identity]
    with pytest.raises(SettingsInvalid, match=r"small has 1 person and \d pictures: there are no two people"):
        evaluate_pictures([system_of(pipeline)], one, PLAN, data={"data": "small"})
    single = list({picture.identity: picture for picture in pictures}.values())
    with pytest.raises(SettingsInvalid, match="one of each: there are no two pictures of one person"):
        evaluate_pictures([system_of(pipeline)], single, PLAN, data={"data": "small"})


def test_one_system_of_several_can_be_taken_out(evaluation: Evaluation) -> None:
    from core.evaluation.compare_runs import of_system

    label = evaluation.protocol["systems"][0]["label"]
    other = {**evaluation.protocol["systems"][0], "label": "other"}
    several = replace(
        evaluation,
        protocol={**evaluation.protocol, "systems": [other, *evaluation.protocol["systems"]]},
        tables={
            name: pd.concat([table.assign(system="other"), table]) if "system" in table else table
            for name, table in evaluation.tables.items()
        },
    )
    alone = of_system(several, label)
    assert alone.protocol["systems"] == evaluation.protocol["systems"]
    for name, table in evaluation.tables.items():
        pd.testing.assert_frame_equal(alone.table(name), table)
    with pytest.raises(SettingsInvalid, match="measured no 'nobody'"):
        of_system(several, "nobody")


def test_the_best_impostor_s_picture_is_the_one_most_like_the_probe(pipeline: Pipeline, dataset) -> None:
    from core.evaluation.embedding import embed
    from core.evaluation.per_identity import probe_table
    from core.evaluation.views import View

    pictures = pictures_of_dataset(dataset)
    embedded = embed(system_of(pipeline), pictures, [View("aligned"), View("aligned", 16)])
    hr, small = embedded[View("aligned")], embedded[View("aligned", 16)]
    names = [picture.name for picture in pictures]
    for row, vector in zip(probe_table(pictures, small, hr).to_dict("records"), small.vectors, strict=True):
        theirs = [at for at, picture in enumerate(pictures) if picture.identity == row["impostor_identity"]]
        assert row["impostor_image"] == names[max(theirs, key=lambda at: float(vector @ hr.vectors[at]))]
