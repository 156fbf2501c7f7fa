"""Identify, as it is used: one photograph, many, hostile ones, a group, a stranger to enrol, two to compare."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import enrol
from core.faces.attack import AttackModel
from core.gallery.backup import back_up, restore
from core.gallery.store import Gallery
from core.models.encoders import active_weights
from core.pipeline import PipelineConfig, build_pipeline
from core.recognition.attack_check import switch_off, use_check
from core.recognition.results import Probe
from core.settings import load_settings
from dashboard.identify.session import nearest
from dashboard.shell.resources import space_in_use
from dashboard.ui.uploads import MAX_UPLOADS
from tests.app.conftest import OpenPage, button, fill, png, shown
from tests.unit.faces.onnx_model import write_model

Upload = tuple[str, bytes, str]


def enrol_people(data_dir: Path, people: dict[str, bytes]) -> None:
    """Enrol real faces, one photograph each, through the real pipeline."""
    pipeline = build_pipeline(PipelineConfig(device="cpu", gallery_path=data_dir / "gallery.db"))
    for name, content in people.items():
        enrol(pipeline, name, prepare_enrolment(pipeline, [content], ["photograph"]))
    pipeline.gallery.store.close()


def upload(app: AppTest, *files: Upload, key: str = "identify_photographs") -> AppTest:
    value = list(files) if key == "identify_photographs" else files[0]
    return app.file_uploader(key=key).set_value(value).run()


def test_without_weights_the_page_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("identify")
    assert not app.file_uploader and not app.exception
    assert "weights" in shown(app)
    button(app, "Get the weights on Home").click().run()
    assert app.title[0].value == "EdgeFace Studio"


def test_empty_page_says_what_will_be_here(open_page: OpenPage, ready: Path) -> None:
    app = open_page("identify")
    assert "No photograph yet" in shown(app) and "Nobody is enrolled yet" in shown(app)
    assert [tab.label for tab in app.tabs] == ["Identify", "Compare two"]
    assert len(app.file_uploader) == 3


def test_a_match_is_named_and_its_score_explained(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"Eileen Collins": astronaut})
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"))
    said = shown(app)
    assert "Eileen Collins" in said and "reaches the threshold 0.35 (uncalibrated)" in said
    assert "1 photograph, 1 face" in said and "1 match" in said
    assert app.session_state["identify_done"] is True
    app.segmented_control(key="identify_size").set_value(16).run()
    said = shown(app)
    assert "reduced until its largest face measured about 16 px" in said
    assert "Enlarged (bicubic): adds no detail" in said and "As seen, 1" in said


def test_one_face_under_two_names_names_nobody(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"Eileen": astronaut, "<b>Zita</b>": astronaut})
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"))
    said = shown(app)
    assert "0 matches, 1 tie, 0 unknown" in said and "too close to call" in said and "Nobody is named" in said
    assert "merge the entries in Gallery" in said and "<b>Zita" not in said
    assert "Enrol this person" not in [each.label for each in app.button]


def test_a_person_is_in_a_photograph_once(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"Eileen": astronaut})
    one = np.asarray(Image.open(io.BytesIO(astronaut)).convert("RGB"))
    app = upload(open_page("identify"), ("two.png", png(np.concatenate([one, one[:, ::-1]], axis=1)), "image/png"))
    said = shown(app)
    assert "1 match, 1 repeat, 0 unknown" in said and "Eileen again" in said
    assert "A person can appear only once in a photograph" in said
    assert sorted(labels_at_boxes(app)) == ["Eileen", "repeat"]


def test_at_a_box_a_tie_has_no_name_that_could_be_cut_off(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"Eileen": astronaut, "Zita": astronaut})
    one = np.asarray(Image.open(io.BytesIO(astronaut)).convert("RGB"))
    app = upload(open_page("identify"), ("two.png", png(np.concatenate([one, one[:, ::-1]], axis=1)), "image/png"))
    assert "0 matches, 2 ties, 0 unknown" in shown(app) and labels_at_boxes(app) == ["tie", "tie"]


def labels_at_boxes(app: AppTest) -> list[str]:
    """What stands at the boxes of a group's photograph, behind their numbers."""
    [photo] = [each.proto.body for each in app.get("html") if "<div class='ef-frame" in each.proto.body]
    return re.findall(r"<i> (.*?)</i>", photo)


def test_names_with_markup_stay_text(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"<b>**Ada**</b> :smile: $x$": astronaut})
    app = upload(open_page("identify"), ("![x](y) <i>.png", astronaut, "image/png"))
    said = shown(app)
    assert "<b>" not in said and "**Ada**" not in said and "<i>.png" not in said and ":smile:" not in said
    assert r"\*\*Ada\*\*" in said


def test_a_stranger_is_unknown_and_can_be_enrolled(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    fill(ready, "Ada", "Ben", space=space_in_use(active_weights(load_settings())))
    app = upload(open_page("identify"), ("who.png", astronaut, "image/png"))
    assert "1 unknown" in shown(app) and "is below the threshold 0.35" in shown(app)
    app.segmented_control(key="identify_size").set_value(24).run()
    button(app, "Enrol this person").click().run()
    assert app.title[0].value == "Enrol" and not app.error and not app.exception
    [photo] = app.session_state["enroll_draft"].photos
    assert photo.name == "who.png" and photo.usable
    assert photo.probe.probe_px > 64, "the photograph as it is, not the reduced one"


def test_people_enrolled_with_other_weights_are_said_and_the_step_is_to_re_embed(
    open_page: OpenPage, ready: Path, astronaut: bytes
) -> None:
    fill(ready, "Ada", "Ben", "Cleo")
    app = open_page("identify")
    assert "3 people are enrolled, but with other weights than those in use." in shown(app)
    assert "Re-embed them" in [link.proto.label for link in app.page_link]
    app = upload(app, ("a.png", astronaut, "image/png"))
    said = shown(app).replace("\\", "")
    assert "Nobody is enrolled with these weights; 3 people are, with others" in said
    assert "Nobody is enrolled yet" not in said and "gallery is empty" not in said
    fill(ready, "Dan", space=space_in_use(active_weights(load_settings())))
    app.run()
    assert "3 people enrolled with other weights can't be recognised until they are re-embedded" in shown(app)


def test_a_check_that_comes_into_use_reaches_an_open_session(
    open_page: OpenPage, ready: Path, astronaut: bytes, tmp_path: Path
) -> None:
    enrol_people(ready, {"Eileen": astronaut})
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"))
    assert "1 match" in shown(app)
    everything = write_model(tmp_path / "m.onnx", np.zeros((3, 2), np.float32), np.float32([0, 9]), 32)
    use_check(load_settings(), everything, AttackModel(32, attack=(1,)))
    said = shown(app.run())
    assert "0 matches" in said and "Looks like a presentation attack" in said
    switch_off(load_settings())
    assert "1 match" in shown(app.run())


def test_an_answer_follows_a_gallery_that_was_restored(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"Eileen": astronaut})
    with Gallery.open(ready / "gallery.db") as gallery:
        copy = back_up(gallery)
        gallery.rename("Eileen", "Zita")
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"))
    assert "Zita" in shown(app)
    with Gallery.open(ready / "gallery.db") as gallery:
        restore(gallery, copy.path)
    said = shown(app.run())
    assert "Eileen" in said and "Zita" not in said


def hostile_files() -> dict[str, bytes]:
    large = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(large, format="PNG")
    whole = png(np.zeros((64, 200, 3), np.uint8))
    return {
        "text.jpg": b"not a picture",
        "empty.jpg": b"",
        "large.png": large.getvalue(),
        "cut.png": whole[: len(whole) // 2],
        "<script>alert(1)</script>.jpg": b"\xff\xd8\xff\xe0",
    }


def test_each_hostile_file_gets_one_line_and_the_others_go_on(
    open_page: OpenPage, ready: Path, astronaut: bytes
) -> None:
    files = hostile_files()
    app = upload(
        open_page("identify"),
        *[(name, content, "image/jpeg") for name, content in files.items()],
        ("fine.png", astronaut, "image/png"),
    )
    assert len(app.error) == len(files) and not app.exception
    for name, error in zip(files, app.error, strict=True):
        assert name.split(".")[0].strip("<>").split(">")[0] in error.value
        assert "Traceback" not in error.value and "<script>" not in error.value
    assert f"{len(files) + 1} photographs, 1 face" in shown(app)


def test_a_photograph_without_a_face_says_so(open_page: OpenPage, ready: Path) -> None:
    app = upload(open_page("identify"), ("wall.png", png(np.full((300, 300, 3), 128, np.uint8)), "image/png"))
    assert "No face found" in shown(app) and "No name is guessed" in shown(app)
    assert "What can I do?" in [link.proto.label for link in app.page_link]


def test_more_files_than_the_page_takes_are_left_out_and_said(open_page: OpenPage, ready: Path) -> None:
    files = [(f"{number}.jpg", b"x", "image/jpeg") for number in range(MAX_UPLOADS + 2)]
    app = upload(open_page("identify"), *files)
    assert "2 photographs left out" in app.warning[0].value
    assert len(app.error) == MAX_UPLOADS


@pytest.mark.shared
def test_everybody_in_a_group_is_named(open_page: OpenPage, ready: Path, shared_dir: Path) -> None:
    folders = sorted(f for f in (shared_dir / "data/lfw/images").iterdir() if len(list(f.iterdir())) >= 6)[:6]
    names = [folder.name.replace("_", " ") for folder in folders]
    enrol_people(
        ready,
        {name: sorted(folder.iterdir())[0].read_bytes() for name, folder in zip(names, folders, strict=True)},
    )
    group = Image.new("RGB", (3 * 160, 2 * 160))
    for place, folder in enumerate(folders):
        face = Image.open(sorted(folder.iterdir())[4]).resize((160, 160))
        group.paste(face, (place % 3 * 160, place // 3 * 160))
    app = upload(open_page("identify"), ("group.png", png(np.asarray(group)), "image/png"))
    said = shown(app)
    assert "6 matches" in said
    for name in names:
        assert f"<i> {name}</i>" in said
    [details] = [each for each in app.selectbox if each.label == "Details of face"]
    assert len(details.options) >= 6
    app.toggle(key="identify_every").set_value(False).run()
    assert "1 photograph, 1 face" in shown(app)


def test_two_photographs_are_compared(open_page: OpenPage, ready: Path, astronaut: bytes) -> None:
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"), key="identify_compare_a")
    app = upload(app, ("b.png", astronaut, "image/png"), key="identify_compare_b")
    assert "Probably the same person" in shown(app) and "Score 1.00 reaches the threshold 0.35 (uncalibrated)" in shown(
        app
    )
    wall = png(np.full((300, 300, 3), 128, np.uint8))
    app = upload(app, ("b.png", wall, "image/png"), key="identify_compare_b")
    assert "Can't be compared" in shown(app) and "Second image: no face found" in shown(app)
    app = upload(app, ("b.png", b"text", "image/png"), key="identify_compare_b")
    assert len(app.error) == 1 and not app.exception


def test_the_same_face_is_found_again_in_a_photograph_of_another_size(ready: Path, astronaut: bytes) -> None:
    pipeline = build_pipeline(PipelineConfig(device="cpu"))
    one = np.asarray(Image.open(io.BytesIO(astronaut)).convert("RGB"))
    two = np.concatenate([one, one[:, ::-1]], axis=1)
    probes = pipeline.find(two)
    small = pipeline.find(two, reduce_to_px=32)
    assert len(probes) == len(small) == 2
    for probe in small:
        found = nearest(probe, probes)
        assert isinstance(found, Probe) and found.box_share is not None and probe.box_share is not None
        assert abs(found.box_share[0] - probe.box_share[0]) < 0.05
    assert nearest(None, probes) is None and nearest(small[0], []) is None
