"""The Accuracy page in every state of a run, on evaluations that were really measured; launching up to the worker."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.evaluation.curves import rates_at
from core.evaluation.picture_lookup import SeenPictures
from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings
from dashboard.accuracy.labels import rate
from dashboard.accuracy.tables import archive
from tests.app.accuracy_page import opened, plainly, said
from tests.app.accuracy_runs import PLAN, under_way
from tests.app.conftest import button
from tests.made_peer import made_peer

# What is missing ----------------------------------------------------------------------------------------------------


def test_without_weights_it_leads_to_home(open_page):
    app = opened(open_page)
    assert "First, EdgeFace needs its weights" in said(app)
    button(app, "Get the weights on Home").click().run()
    assert app.title[0].value == "EdgeFace Studio"


def test_with_nothing_measured_it_says_what_comes_and_leads_to_data_sets(open_page, with_weights):
    app = opened(open_page)
    assert "Nothing measured yet" in said(app) and "No data set yet" in said(app)
    button(app, "Make a data set").click().run()
    assert app.title[0].value == "Data sets"


def test_a_run_that_isnt_there_is_said_and_the_others_are_listed(open_page, measured):
    measured.done(load_settings())
    app = open_page("accuracy", query={"run": "evaluate/../../etc"})
    assert not app.exception and "doesn't exist" in plainly(app.error[0].value)
    assert "Accuracy on small, test" in said(app) and measured.evaluation.text in said(app)


# States of a run ----------------------------------------------------------------------------------------------------


def test_a_running_run_shows_progress_and_can_be_stopped(open_page, measured):
    systems = [asdict(spec) for spec in measured.systems]
    run = under_way(load_settings(), {"task": "dataset", "dataset": "/x/small", "systems": systems})
    app = opened(open_page, run)
    assert "Embedding faces (peer + bicubic): 30 of 120 images" in plainly(app.get("progress")[0].proto.text)
    button(app, "Stop").click().run()
    assert run.stop_path.exists() and "Stopping" in said(app)


@pytest.mark.parametrize(
    ("status", "fields", "text"),
    [
        ("failed", {"error": "There is no picture.", "next_step": "Check the path."}, "There is no picture."),
        ("interrupted", {}, "it was killed"),
        ("stopped", {}, "The run was stopped."),
    ],
)
def test_an_ended_run_says_why_and_can_be_resumed(open_page, measured, status, fields, text):
    run = under_way(load_settings(), {"task": "dataset", "dataset": "/x/small"}, status, **fields)
    app = opened(open_page, run)
    assert text in said(app) and button(app, "Resume") and "Traceback" not in said(app)
    assert not app.segmented_control, "no figures before it is done"


# Figures ------------------------------------------------------------------------------------------------------------


def test_headline_figures_come_with_intervals_and_failures_beside(open_page, measured):
    app = opened(open_page, measured.done(load_settings()))
    text = said(app)
    rows = measured.evaluation.table("verification")
    label = measured.evaluation.protocol["systems"][0]["label"]
    for row in rows[(rows["system"] == label) & (rows["pairing"] != "VLR-VLR")].to_dict("records"):
        for eer in ("eer", "eer_alike"):
            bounds = f"{row[f'{eer}_low'] * 100:.2f} to {row[f'{eer}_high'] * 100:.2f}"
            assert rate(row[eer]) in text and bounds in text
    assert "EER, people alike" in text and "TAR, people alike" not in text, "too few people for it"
    assert "Not acquired" in text and "Rank-1" in text and "7 people, 17 images" in text
    assert len(app.get("plotly_chart")) == 1 and "too few pairs" in text


def test_the_slider_moves_far_and_frr(open_page, measured):
    app = opened(open_page, measured.done(load_settings()), "scores")
    bins = measured.evaluation.table("histograms")
    label = measured.evaluation.protocol["systems"][0]["label"]
    bins = bins[(bins["system"] == label) & (bins["probe"] == "16 px") & (bins["pairing"] == "VLR-HR")]
    for threshold in (0.35, 0.8):
        if threshold != 0.35:
            app.slider(key="accuracy_threshold").set_value(threshold).run()
        far, frr = rates_at(bins, threshold)
        assert [each.value for each in app.metric] == [rate(far, 3), rate(frr), rate(1 - frr)]
    app.segmented_control(key="accuracy_curves").set_value("CMC").run()
    assert not app.exception and "first k" in said(app)


def test_a_person_is_opened_with_images_scores_and_who_they_were_taken_for(open_page, measured):
    app = opened(open_page, measured.done(load_settings()), "people")
    table = measured.evaluation.table("per_identity")
    label = measured.evaluation.protocol["systems"][0]["label"]
    worst = table[(table["system"] == label) & (table["probe"] == "16 px")].iloc[0]
    assert app.selectbox(key="accuracy_person").options[0] == worst["identity"]
    app.selectbox(key="accuracy_person").set_value(worst["identity"]).run()
    assert not app.exception
    text = said(app)
    assert f"{worst['genuine_mean']:.3f}" in text and worst["highest_impostor_identity"] in text
    figures = [
        each.proto.body for each in app.get("html") if "ef-probes" in each.proto.body and "<figure" in each.proto.body
    ]
    assert len(figures) == 1
    probes = measured.evaluation.table("probes")
    own = probes[(probes["system"] == label) & (probes["probe"] == "16 px") & (probes["identity"] == worst["identity"])]
    assert figures[0].count("<figure") == len(own) == 3
    assert figures[0].count("<img") == 9 and figures[0].count("class='ef-pixels'") == 3  # small, HR, the nearest other
    for row in own.to_dict("records"):
        assert f"{row['genuine']:.3f}" in figures[0] and row["impostor_identity"] in figures[0]
    assert "Too few images (2 people)" in [each.label for each in app.expander]


def test_people_who_gained_and_lost_between_two_systems(open_page, measured):
    app = opened(open_page, measured.done(load_settings()), "before_after")
    text = said(app)
    assert "gained" in text and "Sign test" in text and not app.error
    first, second = app.selectbox(key="accuracy_before").value, app.selectbox(key="accuracy_after").value
    assert [first, second] == [system["label"] for system in measured.evaluation.protocol["systems"]]
    app.selectbox(key="accuracy_after").set_value(first).run()
    assert "Choose two different systems" in said(app)


def test_every_table_and_the_protocol_can_be_read_and_taken_away(open_page, measured):
    run = measured.done(load_settings())
    app = opened(open_page, run, "tables")
    labels = " ".join(each.label for each in app.expander)
    assert "Open set" in labels and "Errors when the worst images are rejected" in labels
    app.segmented_control(key="accuracy_part").set_value("protocol").run()
    assert measured.evaluation.protocol["data_sha256"] in said(app) and "Accept when cosine ≥ threshold" in said(app)
    with zipfile.ZipFile(BytesIO(archive(run))) as packed:
        assert {"report.html", "report.json", "tables/per_identity.csv"} <= set(packed.namelist())


def test_several_runs_are_compared_and_other_data_is_said(open_page, measured):
    settings = load_settings()
    first = measured.done(settings)
    second = measured.done(settings)
    report = json.loads((second.path / "report.json").read_text())
    report["protocol"]["data_sha256"] = "0" * 64
    (second.path / "report.json").write_text(json.dumps(report))
    app = opened(open_page, accuracy_show="compare")
    app.multiselect(key="accuracy_compare").set_value([first.id, second.id]).run()
    assert not app.exception and "different data" in said(app)
    assert "B: " in " ".join(app.dataframe[0].value.columns)


# Launching ----------------------------------------------------------------------------------------------------------


def test_the_form_launches_what_it_says(open_page, measured, own_data_dir, with_weights, monkeypatch):
    asked: list[tuple[str, dict[str, Any]]] = []

    def launched(settings: Any, kind: str, config: dict[str, Any], *, slug: str) -> Any:
        asked.append((kind, config))
        return under_way(settings, config, "queued")

    monkeypatch.setattr("dashboard.accuracy.launch.launch", launched)
    target = own_data_dir / "datasets" / "small"
    target.parent.mkdir(parents=True)
    target.symlink_to(measured.dataset.root)
    app = opened(open_page)
    app.pills(key="accuracy_measure_sizes").set_value([None, 16]).run()
    app.number_input(key="accuracy_min_images").set_value(3).run()
    app.text_input(key="accuracy_peer").set_value("peers/made.onnx").run()
    button(app, "Measure").click().run()
    assert "isn't an absolute path" in plainly(app.error[0].value) and not asked
    app.text_input(key="accuracy_peer").set_value(str(made_peer())).run()
    button(app, "Measure").click().run()
    assert not app.exception and not app.error
    [(kind, config)] = asked
    assert kind == "evaluate" and config["task"] == "dataset" and config["split"] == "test"
    assert config["min_images"] == 3 and config["plan"]["sizes"] == [None, 16]
    assert [Path(each["weights"]).name for each in config["systems"]] == ["made.safetensors", made_peer().name]
    assert {each["upscaler"] for each in config["systems"]} == {"bicubic"}
    assert "--sizes HR,16" in config["command"] and str(made_peer()) in config["command"]


def test_end_to_end_without_photographs_is_refused_before_anything_starts(
    open_page, measured, own_data_dir, with_weights
):
    target = own_data_dir / "datasets" / "small"
    target.parent.mkdir(parents=True)
    target.symlink_to(measured.dataset.root)
    app = opened(open_page)
    app.pills(key="accuracy_modes_dataset").set_value(["end to end"]).run()
    button(app, "Measure").click().run()
    assert "End-to-end figures need photographs" in plainly(app.error[0].value)
    assert list_runs(runs_root(load_settings())) == []


# Pictures -----------------------------------------------------------------------------------------------------------


def test_a_probe_is_seen_as_the_encoder_saw_it(measured):
    from core.dataset.degrade import degrade
    from core.images import read_image

    pictures = SeenPictures({"dataset": str(measured.dataset.root), "plan": PLAN.to_config()})
    name = measured.evaluation.table("probes")["image"].iloc[0]
    seen = pictures.probe(name, "0" * 64, 16, "bicubic")
    wanted, _ = degrade(read_image(measured.dataset.root / name), 16, "bicubic")
    assert seen is not None and np.array_equal(seen, wanted)
    assert pictures.path("../../../etc/passwd") is None and pictures.probe("gone.png", "", 16, "bicubic") is None
