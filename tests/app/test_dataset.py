"""The Data sets page: what a set holds, its check, its faces, what was rejected, and its removal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from core.dataset.build import build
from core.dataset.check import check
from core.dataset.check_cache import store_verdict
from core.dataset.findings import Finding
from core.dataset.manifest import Dataset, read_dataset, write_dataset
from core.dataset.rejects import reject_row, rejects_bytes
from core.dataset.scan import scan
from core.settings import load_settings
from dashboard.datasets.check import ROWS_SHOWN, evidence
from dashboard.datasets.data import choices, pair_table, vlr_sizes
from dashboard.datasets.faces import filtered, recipe_text, rejects_html, triples_html
from tests.app.conftest import button, png, shown

NASTY = "<img src=x onerror=alert(1)>"


def checked(dataset: Dataset) -> Dataset:
    store_verdict(load_settings(), dataset, check(dataset))
    return dataset


def html_with(app, mark: str) -> str:
    [found] = [each.proto.body for each in app.get("html") if mark in each.proto.body and "<img" in each.proto.body]
    return found


def leaking(demo: Dataset, own_data_dir: Path) -> Dataset:
    """An identity-disjoint set into whose train some images of a val person were put."""
    root = own_data_dir / "datasets" / "leaking"
    build(scan(demo.root), root, mode="identity-disjoint", shares={"train": 0.5, "val": 0.5})
    made = read_dataset(root)
    frame = made.frame.copy()
    pairs = sorted(frame.loc[(frame["split"] == "val") & (frame["kind"] == "hr"), "pair"])[:2]
    frame.loc[frame["pair"].isin(pairs), "split"] = "train"
    return write_dataset(root, frame, made.info)


def test_an_empty_page_names_the_next_step_and_makes_the_demo_in_one_click(open_page, launched):
    app = open_page("dataset")
    assert not app.exception and not app.error and "No data set yet" in shown(app)
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Create the demo"]
    button(app, "Create the demo").click().run()
    [(kind, config)] = launched
    assert kind == "demo" and config["identities"] == 24 and str(config["out"]).endswith("datasets/demo")


def test_a_checked_demo_is_fit_and_labelled_as_drawn_wherever_its_figures_show(open_page, demo):
    checked(demo)
    app = open_page("dataset")
    assert not app.exception and not app.error
    assert "Ready for training" in app.success[0].value
    text = shown(app)
    assert text.count("Synthetic faces, no real people") >= 3  # badge, verdict, charts
    assert "demo (closed-set, synthetic)" in app.selectbox(key="dataset_chosen").options
    for section in ("faces", "degrade"):
        assert "Synthetic faces, no real people" in shown(open_page("dataset", dataset_section=section))


def test_an_unchecked_set_asks_for_its_check(open_page, demo, launched):
    app = open_page("dataset")
    assert "Not checked yet" in app.warning[0].value
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Check the data set"]
    button(app, "Check the data set").click().run()
    assert launched == [("check", {"root": str(demo.root)})]


def test_a_leaking_set_is_red_says_the_effect_and_shows_the_images(open_page, demo, own_data_dir):
    made = checked(leaking(demo, own_data_dir))
    app = open_page("dataset", query={"set": "leaking"})
    [error] = app.error
    assert "Don't train on this data set" in error.value
    assert "validation will look better than it is on strangers" in error.value
    assert any(each.label.startswith("People in more than one split") for each in app.expander)
    app = open_page("dataset", query={"set": "leaking"}, dataset_finding_0_identity_overlap=True)
    hr = made.frame[made.frame["kind"] == "hr"]
    [person] = hr.groupby("identity")["split"].nunique().loc[lambda sides: sides > 1].index
    assert f"{person} · train" in shown(app) and f"{person} · val" in shown(app) and not app.exception


def test_a_verdict_of_an_earlier_manifest_isn_t_shown(open_page, demo):
    checked(demo)
    frame = demo.frame.copy()
    frame.loc[0, "source"] = "changed"
    write_dataset(demo.root, frame, demo.info)
    assert "Not checked yet" in open_page("dataset").warning[0].value


def test_faces_are_shown_in_three_sizes_and_filtered(open_page, demo):
    app = open_page("dataset", dataset_section="faces")
    html = html_with(app, "<figure")
    assert html.count("<figure") == 24 and html.count("class='ef-pixels'") == 24 and html.count("<img") == 72
    assert "24 images of 4 people" in shown(app)
    app.selectbox(key="dataset_person").set_value("002").run()
    assert "6 of 24 images of 1 person" in shown(app)
    app.selectbox(key="dataset_only_session").set_value("02").run()
    assert "1 of 24 image" in shown(app) and not app.exception
    app.selectbox(key="dataset_only_camera").set_value("050").run()
    assert "No images match" in app.info[0].value


def test_filters_are_columns_that_have_few_values(demo):
    table = pair_table(demo)
    assert set(choices(table)) == {"session", "recording", "camera", "illumination"}
    measured = table.assign(recognisability=[f"0.{n % 7}" for n in range(len(table))])
    assert set(choices(measured)) == set(choices(table)), "a measure isn't filtered by; older data sets lack it"
    assert vlr_sizes(demo) == [16, 24, 32] and len(table) == 24
    assert filtered(table, {"identity": "001", "split": "val"})["identity"].tolist() == ["001"]
    assert all((demo.root / path).is_file() for path in table["vlr_16"])


def test_what_cannot_be_read_leaves_the_others_standing_and_names_are_text(demo):
    table = pair_table(demo).head(2).copy()
    table["identity"] = NASTY
    (demo.root / table.iloc[0]["hr"]).write_bytes(b"no picture")
    html = triples_html(demo, table, 16)
    assert html.count("ef-noface") == 1 and html.count("<figure") == 2
    assert NASTY not in html and "&lt;img" in html


def test_rejected_photographs_are_listed_with_reason_and_picture(open_page, demo, tmp_path):
    import numpy as np

    from core.dataset.photograph import Photograph, Rejected

    photo = tmp_path / "far.png"
    photo.write_bytes(png(np.full((300, 200, 3), 90, np.uint8)))
    rows = [
        reject_row(Photograph(photo, "Ada", "far", "Ada/far.png"), Rejected("no_face", "No face was found.")),
        reject_row(Photograph(tmp_path / "gone", NASTY, "gone", "x/gone"), Rejected("unreadable", "It is empty.")),
    ]
    (demo.root / "rejected.csv").write_bytes(rejects_bytes(rows))
    app = open_page("dataset", dataset_section="rejected")
    text = shown(app)
    assert "2 photographs couldn't be used" in text and "No face was found." in text
    html = rejects_html(pd.DataFrame(rows))
    assert html.count("<img") == 1 and "can't be shown" in html and NASTY not in html


def test_both_degradations_are_drawn_and_the_camera_again(open_page, demo):
    app = open_page("dataset", dataset_section="degrade")
    html = html_with(app, "ef-source")
    assert all(f"{method} {px} px" in html for method in ("bicubic", "camera") for px in (16, 24, 32))
    before = [each.value for each in app.caption if "Camera shown" in each.value]
    button(app, "Sample another camera").click().run()
    after = [each.value for each in app.caption if "Camera shown" in each.value]
    assert before != after and "seed 1" in after[0] and not app.exception
    said = recipe_text({"blur_px": [1.25, 0.5], "kernel": "area", "shot": 0.001, "gamma": 2.2, "quality": 40})
    assert said == "blur 1.2 × 0.5 px of 112, area downsampling, shot noise 0.0010, gamma 2.2, JPEG quality 40"


def test_removing_asks_first_and_takes_only_the_data_set(open_page, demo, own_data_dir):
    checked(demo)
    beside = own_data_dir / "datasets" / "other"
    shutil.copytree(demo.root, beside)
    app = open_page("dataset", query={"set": "demo"})
    button(app, "Remove this data set").click().run()
    assert demo.root.is_dir() and "96 images of 4 people" in shown(app)
    button(app, "Remove the data set").click().run()
    assert not app.exception and not demo.root.exists() and beside.is_dir()
    assert "demo was removed" in app.success[0].value and not list((own_data_dir / "cache").rglob("*.json"))


def test_a_damaged_set_says_so_and_others_stay_usable(open_page, demo, own_data_dir):
    broken = own_data_dir / "datasets" / "broken"
    broken.mkdir()
    (broken / "dataset.json").write_text("{")
    app = open_page("dataset", query={"set": "broken"})
    assert "valid JSON" in app.error[0].value and not app.exception
    app.selectbox(key="dataset_chosen").set_value("demo").run()
    assert not app.error and not app.exception


def test_evidence_shows_both_sides_of_an_overlap():
    rows = pd.DataFrame({"identity": ["a"] * 30 + ["b"] * 30, "split": (["train"] * 29 + ["val"]) * 2})
    shown_rows = evidence(Finding("identity_overlap", "error", "x", rows))
    assert len(shown_rows) == 4 and set(shown_rows["split"]) == {"train", "val"}
    assert len(evidence(Finding("wrong_pair", "error", "x", rows))) == ROWS_SHOWN
