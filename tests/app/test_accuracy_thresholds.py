"""Thresholds on the Accuracy page: put into the gallery, shown as in use, and launched for others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from core.evaluation.result import read_run
from core.evaluation.thresholds import points_of, space_of, store_thresholds
from core.gallery.operating_points import OperatingPoint, operating_points, save_operating_point
from core.gallery.records import NewTemplate
from core.gallery.store import Gallery
from core.settings import load_settings
from tests.app.accuracy_page import opened, plainly, said
from tests.app.accuracy_runs import under_way
from tests.app.conftest import button


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
