"""The Accuracy page in every state of a run, on evaluations that were really measured; launching up to the worker."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.evaluation.curves import rates_at
from core.evaluation.picture_lookup import SeenPictures
from core.evaluation.result import read_run
from core.evaluation.thresholds import points_of, space_of, store_thresholds
from core.gallery.operating_points import OperatingPoint, operating_points, save_operating_point
from core.gallery.records import NewTemplate
from core.gallery.store import Gallery
from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings
from dashboard.accuracy.labels import rate
from dashboard.accuracy.tables import archive
from tests.app.accuracy_runs import PLAN, Measured, under_way
from tests.app.conftest import button, shown
from tests.made_peer import made_peer
from tests.made_weights import save_encoder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return Measured(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def with_weights(own_data_dir: Path) -> Path:
    """A file of weights in use; nothing here loads it."""
    return save_encoder(own_data_dir / "models" / "made.safetensors", {"head": torch.zeros(1)})


def opened(open_page: Any, run: Any = None, part: str = "", **state: Any) -> AppTest:
    """The page at one run's part, or at the list."""
    app = open_page("accuracy", query={"run": run.id} if run else {}, **state)
    assert not app.exception
    if part:
        app.segmented_control(key="accuracy_part").set_value(part).run()
        assert not app.exception
    return app


def plainly(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "").replace("\u00a0", " ")


def said(app: AppTest) -> str:
    return plainly(shown(app))


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
        assert rate(row["eer"]) in text and f"{row['eer_low'] * 100:.2f} to {row['eer_high'] * 100:.2f}" in text
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


# Thresholds ---------------------------------------------------------------------------------------------------------


def test_thresholds_are_put_into_the_gallery_and_shown_as_in_use(open_page, measured, own_data_dir, with_weights):
    settings = load_settings()
    run = measured.calibrated(settings)
    points = points_of(run)
    assert points, "the miniature gives a threshold"
    with Gallery.open(settings.gallery_path):
        pass
    app = opened(open_page, run)
    assert "Calibrated on" in said(app)
    button(app, "Use these thresholds").click().run()
    assert not app.exception and not app.error and "This gallery uses them" in said(app)
    with Gallery.open(settings.gallery_path) as gallery:
        kept = operating_points(gallery, space_of(read_run(run)))
        assert [(p.threshold, p.run) for p in kept] == [(p.threshold, p.run) for p in points]
    button(app, "Remove").click().run()
    assert not app.exception and "removed." in said(app) and "This gallery uses them" not in said(app)
    with Gallery.open(settings.gallery_path) as gallery:
        assert operating_points(gallery, space_of(read_run(run))) == []
        assert gallery.audit(1)[0].event.endswith("operating points removed")
    button(app, "Restore thresholds").click().run()
    assert not app.exception and "restored." in said(app) and "This gallery uses them" in said(app)


def test_a_gallery_that_isnt_there_is_refused(open_page, measured, own_data_dir):
    app = opened(open_page, measured.calibrated(load_settings()))
    app.text_input(key="accuracy_gallery").set_value(str(own_data_dir / "none.db")).run()
    button(app, "Use these thresholds").click().run()
    assert app.error and not (own_data_dir / "none.db").exists()


def test_what_the_gallery_uses_now(open_page, measured, with_weights):
    from core.models.encoders import active_weights
    from dashboard.shell.resources import space_in_use

    settings = load_settings()
    evaluation = read_run(measured.calibrated(settings))
    space = space_in_use(active_weights(settings))
    protocol = {**evaluation.protocol["systems"][0], "weights_sha256": space.weights_sha256, "upscaler_id": "bicubic"}
    evaluation.protocol["systems"] = [protocol]
    with Gallery.open(settings.gallery_path):
        pass
    store_thresholds(settings.gallery_path, evaluation, measured.points)
    app = opened(open_page, accuracy_show="thresholds")
    [table] = [each.proto.body for each in app.get("html") if "<table class='ef-acc'>" in each.proto.body]
    lines = dict(re.findall(r"<tr><th><b>(.+?)</b></th>(.+?)</tr>", table))
    assert lines["HR"].startswith("<td><b>0.350</b><span>uncalibrated default</span></td>")
    assert f"<b>{measured.points[0].threshold:.3f}</b><span>FAR 50 %, " in lines["HR"]
    assert lines["16 px"].count("<b>0.350</b><span>uncalibrated default") == 2


def test_thresholds_for_other_templates_are_said_not_to_fit_and_the_form_asks_for_the_gallerys(open_page, with_weights):
    from core.models.encoders import active_weights
    from dashboard.shell.resources import space_in_use

    settings = load_settings()
    space = space_in_use(active_weights(settings))
    vectors = np.eye(512, dtype=np.float32)
    with Gallery.open(settings.gallery_path) as gallery:
        save_operating_point(gallery, space, OperatingPoint(0, 10_000, "fpir", 0.01, 50, 0.4, "run", confidence=0.9))
        gallery.enrol("Ada", [NewTemplate(vectors[0], "hr", 112.0)], space=space)
    app = opened(open_page, accuracy_show="thresholds")
    assert not app.warning and "FPIR 1 % of 50, full-size templates, 90 % confidence" in said(app)
    with Gallery.open(settings.gallery_path) as gallery:
        gallery.add_templates("Ada", [NewTemplate(vectors[1], "sr", 16.0, 16)], space=space)
    app = opened(open_page, accuracy_show="thresholds")
    [warning] = app.warning
    assert "people are enrolled by full-size templates and matched ones at 16 px" in plainly(warning.value)
    assert "0.400</b><span>uncalibrated: for another gallery" in said(app)
    app.segmented_control(key="accuracy_people_from").set_value("pairs").run()
    assert app.selectbox(key="accuracy_templates").value == "HR,16"
    assert app.selectbox(key="accuracy_confidence").value == 0.9


def test_thresholds_by_folds_of_a_pairs_file_are_launched_as_said(open_page, own_data_dir, with_weights, monkeypatch):
    asked: list[dict[str, Any]] = []

    def launched(settings: Any, kind: str, config: dict[str, Any], *, slug: str) -> Any:
        asked.append(config)
        return under_way(settings, config, "queued")

    monkeypatch.setattr("dashboard.accuracy.calibrate.launch", launched)
    images, pairs = own_data_dir / "images", own_data_dir / "pairs.txt"
    pairs.write_text("2\t1\nAda\t1\t2\nAda\t1\tBen\t1\nCid\t1\t2\nCid\t1\tDot\t1\n")
    for name in ("Ada_0001", "Ada_0002", "Ben_0001", "Cid_0001", "Cid_0002", "Dot_0001"):
        (images / name[:3]).mkdir(parents=True, exist_ok=True)
        (images / name[:3] / f"{name}.jpg").touch()
    app = opened(open_page, accuracy_show="thresholds")
    app.segmented_control(key="accuracy_people_from").set_value("pairs").run()
    app.text_input(key="accuracy_calibrate_images").set_value(str(images))
    app.text_input(key="accuracy_calibrate_pairs").set_value(str(pairs)).run()
    button(app, "Calibrate thresholds").click().run()
    assert len(app.error) == 1 and not asked, "folds 3 and 4 aren't there"
    app.text_input(key="accuracy_choose_folds").set_value("1")
    app.text_input(key="accuracy_try_folds").set_value("2")
    app.segmented_control(key="accuracy_calibrate_mode").set_value("end to end").run()
    button(app, "Calibrate thresholds").click().run()
    [config] = asked
    assert not app.exception and not app.error and config["pairs"] == str(pairs.resolve())
    assert (config["calibrate_folds"], config["report_folds"], config["gallery"]) == ([1], [2], None)
    assert config["plan"]["modes"] == ["end to end"] and config["goal"]["measure"] == "fpir"
    asked_for = {name: config["goal"][name] for name in ("templates", "enrol", "frames", "confidence")}
    assert asked_for == {"templates": "HR", "enrol": 1, "frames": 1, "confidence": 0.9}


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
