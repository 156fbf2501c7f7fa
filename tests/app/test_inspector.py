"""The Inspector as it is used: a data set's faces one by one and many at once, a photograph, the lab, other weights."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from core.dataset.manifest import make_frame, write_dataset
from core.inspection.values import INVENTED
from core.models.active_file import write_active
from core.models.encoders import active_weights
from core.models.upscalers import find_upscaler, keep_upscaler
from core.settings import load_settings
from core.sr.network import DSR, DSRConfig
from core.sr.upscale import FORMAT
from dashboard.inspector.contact_sheet import open_face
from dashboard.shell.resources import space_in_use
from tests.app.conftest import OpenPage, button, fill, shown
from tests.made_weights import save_dsr, save_specialist
from tests.unit.evaluation.sets import small_dataset

NAME = "<b>**Ada**</b> :smile: $x$"


def use_dsr(data_dir: Path) -> None:
    """Take a small network into use that changes pictures a little, and leaves 24 px to bicubic."""
    torch.manual_seed(3)
    network = DSR(DSRConfig(4, 1))
    torch.nn.init.normal_(network.tail.weight, std=0.02)
    path = data_dir / "weights" / "tiny-dsr.safetensors"
    config = {"channels": 4, "blocks": 1, "min_px": 12, "max_px": 48, "use_bicubic_px": [24]}
    save_file(network.state_dict(), str(path), {"format": FORMAT, "config": json.dumps(config)})
    settings = load_settings()
    _, entry = keep_upscaler(settings, find_upscaler(settings, path))
    write_active(settings, upscaler=entry)


def make_set(data_dir: Path) -> None:
    """A data set of five people, one of whom has a hostile name."""
    dataset = small_dataset(data_dir / "datasets" / "small", people=4, each=2, single=1)
    frame = dataset.frame.assign(identity=dataset.frame["identity"].replace("Person 0", NAME))
    write_dataset(dataset.root, make_frame(frame), dataset.info)


def pictures(app: AppTest) -> dict:
    """What the component of the pictures is given."""
    [proto] = [each.proto for each in app.get("bidi_component") if each.key == "inspector_pictures"]
    return json.loads(proto.json)


def test_without_weights_the_page_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("inspector")
    assert "weights" in shown(app) and not app.exception
    button(app, "Get the weights on Home")


def test_without_a_data_set_a_photograph_can_be_inspected(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    app = open_page("inspector")
    assert "No data set yet" in shown(app) and "No super-resolution network or specialist is in use" in shown(app)
    fill(ready, NAME, "Ben", space=space_in_use(active_weights(load_settings())))
    app.segmented_control(key="inspector_source").set_value("upload").run()
    assert "No face yet" in shown(app) and "Nothing is stored" in shown(app)
    app.file_uploader(key="inspector_upload").set_value(("a.png", astronaut, "image/png")).run()
    said = shown(app)
    assert not app.error and not app.exception
    assert "Nothing to compare yet" in said and "Degradation: bicubic" in said
    assert "the gallery, 2 people" in said.replace("\\", "") and "<b>**Ada" not in said
    assert [each["id"] for each in pictures(app)["pictures"]] == ["vlr", "bicubic", "hr", "map_bicubic"]
    button(app, "Train a super-resolution network")
    app.selectbox(key="inspector_identity").set_value(NAME).run()
    assert "1 of 2" in shown(app) or "2 of 2" in shown(app)
    app.slider(key="inspector_size").set_value(8).run()
    assert pictures(app)["pictures"][0]["label"] == "VLR, 8 px"
    app.file_uploader(key="inspector_upload").set_value(("b.png", b"no picture", "image/png")).run()
    assert len(app.error) == 1 and not app.exception


def test_a_data_sets_faces_one_by_one(open_page: OpenPage, ready: Path) -> None:
    make_set(ready)
    use_dsr(ready)
    app = open_page("inspector")
    assert not app.error and not app.exception
    first = pictures(app)
    assert [each["id"] for each in first["pictures"]] == ["vlr", "bicubic", "dsr", "hr", "map_bicubic", "map_dsr"]
    assert (first["a"], first["b"]) == ("dsr", "hr") and first["legend"]["high"].endswith("of 255")
    assert first["pictures"][2]["note"] == INVENTED and first["pictures"][0]["crisp"]
    said = shown(app)
    assert "enlarged by bicubic, since it measures better at 24 px" in said.replace("\\", "")
    assert "&lt;b&gt;**Ada" in said and "<b>**Ada" not in said and "of 9" in said and "HR images of 5 people" in said
    assert f"<b>tiny-dsr</b><small>{INVENTED}" in said, "the list of people names the label too"
    assert app.button(key="inspector_previous").disabled
    button(app, "Next").click().run()
    assert "2 of 9" in shown(app) and pictures(app)["pictures"][0]["src"] != first["pictures"][0]["src"]
    app.segmented_control(key="inspector_way").set_value("camera").run()
    assert "camera: blur" in shown(app).replace("\\", "")
    app.toggle(key="inspector_by_hand").set_value(True).run()
    app.slider(key="inspector_quality").set_value(7).run()
    assert "JPEG quality 7" in shown(app) and not app.exception
    app.selectbox(key="inspector_person_small_test").set_value("Person 2").run()
    assert "1 of 2" in shown(app)
    app.toggle(key="inspector_saliency").set_value(True).run()
    assert "What the match depends on" in shown(app) and not app.error and not app.exception
    assert "tiny-dsr: cosine" in shown(app) and app.selectbox(key="inspector_target").options[0] == "HR of this face"
    app.toggle(key="inspector_saliency").set_value(False)
    app.toggle(key="inspector_beside").set_value(True).run()
    assert "edgeface_xxs_q, direct feed" in shown(app).replace("\\", "") and not app.error and not app.exception


def test_the_network_that_ships_is_shown_though_recognition_goes_by_bicubic(
    open_page: OpenPage, ready: Path, models_dir: Path, astronaut: bytes
) -> None:
    save_dsr(models_dir / "edgeface-dsr.safetensors")
    app = open_page("inspector", inspector_source="upload")
    app.file_uploader(key="inspector_upload").set_value(("a.png", astronaut, "image/png")).run()
    said = shown(app).replace("\\", "")
    assert not app.error and not app.exception
    assert "edgeface-dsr is shown for comparison; recognition doesn't use it" in said
    assert "is enlarged by bicubic." in said and "No super-resolution network" not in said
    assert {"bicubic", "dsr", "hr"} <= {each["id"] for each in pictures(app)["pictures"]}
    save_specialist(models_dir / "small.safetensors", active_weights(load_settings()).path)
    app = open_page("inspector", inspector_source="upload")
    app.segmented_control(key="inspector_compared").set_value("specialist").run()
    app.file_uploader(key="inspector_upload").set_value(("a.png", astronaut, "image/png")).run()
    said = shown(app).replace("\\", "")
    assert "recognised by small" in said and "for comparison" not in said and not app.error and not app.exception


def test_people_enrolled_with_other_weights_are_said_and_the_step_is_to_re_embed(
    open_page: OpenPage, ready: Path, astronaut: bytes
) -> None:
    fill(ready, "Ada", "Ben", "Cleo")
    app = open_page("inspector")
    app.segmented_control(key="inspector_source").set_value("upload").run()
    app.file_uploader(key="inspector_upload").set_value(("a.png", astronaut, "image/png")).run()
    assert "3 people are enrolled, but with other weights than those in use." in shown(app)
    assert "Re-embed them" in [link.proto.label for link in app.page_link]
    assert not [each for each in app.caption if "Nobody is enrolled" in each.value]


def test_many_faces_are_measured_ordered_and_opened(open_page: OpenPage, ready: Path) -> None:
    make_set(ready)
    use_dsr(ready)
    app = open_page("inspector")
    app.selectbox(key="inspector_order").set_value("gain").run()
    assert "needs the figures of 9 faces" in shown(app)
    button(app, "Measure the faces").click().run()
    assert "9 faces of 9 measured" in shown(app) and "1 of 9" in shown(app) and not app.exception
    app.segmented_control(key="inspector_show").set_value("Many faces").run()
    [proto] = [each.proto for each in app.get("bidi_component") if each.key == "inspector_contact"]
    faces = json.loads(proto.json)["faces"]
    assert len(faces) == 9 and all(INVENTED in face["label"] for face in faces) and INVENTED in shown(app)
    gains = [float(face["line"].split(" ")[3]) - float(face["line"].split(" ")[1]) for face in faces]
    assert all(before >= after - 0.011 for before, after in pairwise(gains))
    app.selectbox(key="inspector_sort").set_value("psnr_db_dsr").run()
    app.toggle(key="inspector_sort_down").set_value(True).run()
    [proto] = [each.proto for each in app.get("bidi_component") if each.key == "inspector_contact"]
    faces = json.loads(proto.json)["faces"]
    sharp = [float(face["line"].split(" · ")[1].removesuffix(" dB")) for face in faces]
    assert sharp == sorted(sharp, reverse=True) and len(set(sharp)) > 1
    app.session_state["inspector_face"] = faces[1]["id"]
    app.segmented_control(key="inspector_show").set_value("One face").run()
    assert "2 of 9" in shown(app), "one face after the other, in the sheet's order"
    app.segmented_control(key="inspector_show").set_value("Many faces").run()
    assert app.selectbox(key="inspector_sort").value == "psnr_db_dsr", "the choice outlives the visit to one face"
    app.session_state["inspector_order"] = "wrong"
    app.run()
    assert not app.exception


def test_a_face_of_the_sheet_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    state: dict[str, str] = {}
    monkeypatch.setattr(st, "session_state", state)
    open_face("ab" * 32)
    assert state == {"inspector_face": "ab" * 32, "inspector_show": "One face"}


def test_gain_and_loss_need_a_network(open_page: OpenPage, ready: Path) -> None:
    make_set(ready)
    shutil.rmtree(ready / "cache", ignore_errors=True)
    app = open_page("inspector", inspector_order="loss")
    assert "Gain and loss compare bicubic with a super-resolution network" in shown(app) and not app.exception
