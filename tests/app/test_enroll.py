"""Enrol: from uploaded photographs to a person in the gallery, with what is odd said before it is stored."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from core.enrolment.drafts import best_first
from core.faces.attack import AttackModel
from core.gallery.review import Finding
from core.gallery.store import Gallery
from core.recognition.attack_check import use_check
from core.settings import load_settings
from dashboard.enrol.review import KNOWN, serious
from dashboard.enrol.view import unique_names
from tests.app.conftest import button, png, shown
from tests.unit.faces.onnx_model import write_model


def test_without_weights_the_page_leads_to_home(open_page):
    app = open_page("enroll")
    assert "EdgeFace needs weights first" in shown(app)
    assert not app.file_uploader
    button(app, "Get the weights on Home").click().run()
    assert app.title[0].value == "EdgeFace Studio"


def test_photographs_of_one_file_name_stay_apart():
    assert unique_names(["a.jpg", "b.jpg", "a.jpg", "a.jpg (2)"]) == ["a.jpg", "b.jpg", "a.jpg (2)", "a.jpg (2) (2)"]


def test_what_may_spoil_the_gallery_is_serious_and_advice_is_not():
    codes = ("unlike_others", "already_enrolled", "few_photographs", "duplicate_photograph")
    findings = [Finding(code, None, code) for code in codes]
    assert [finding.code for finding in serious(findings)] == ["unlike_others", "already_enrolled"]


def variants(astronaut: bytes) -> list[tuple[str, bytes, str]]:
    """Three different photographs of one face: as it is, darker and smaller, turned by 8 degrees."""
    picture = Image.open(io.BytesIO(astronaut))
    darker = picture.point(lambda value: int(value * 0.7)).resize((300, 300))
    turned = picture.rotate(8, resample=Image.Resampling.BICUBIC)
    made = [("one.png", astronaut)]
    for name, each in (("two.png", darker), ("three.png", turned)):
        buffer = io.BytesIO()
        each.save(buffer, format="PNG")
        made.append((name, buffer.getvalue()))
    return [(name, content, "image/png") for name, content in made]


def look(app, files):
    app.file_uploader(key="enroll_files").set_value(files)
    return button(app, "Find faces").click().run()


@pytest.mark.shared
def test_three_photographs_become_a_person(open_page, ready, astronaut):
    app = look(open_page("enroll"), variants(astronaut))
    assert not app.exception and not app.error, app.error
    assert shown(app).count("Photograph ") >= 3
    app.text_input(key="enroll_name").set_value("Eileen *Collins*").run()
    app.text_input(key="enroll_note").set_value("from scikit-image")
    assert not app.warning, [each.value for each in app.warning]
    button(app, "Save").click().run()
    assert r"Eileen \*Collins\* is enrolled" in shown(app)
    with Gallery.open(ready / "gallery.db") as gallery:
        [person] = gallery.identities()
        assert (person.name, person.note, person.photographs, person.has_crops) == (
            "Eileen *Collins*",
            "from scikit-image",
            3,
            True,
        )
    button(app, "Identify a photograph").click().run()
    assert app.title[0].value == "Identify"


@pytest.mark.shared
def test_photographs_looked_at_before_a_check_came_into_use_are_looked_at_again(open_page, ready, astronaut, tmp_path):
    app = look(open_page("enroll"), variants(astronaut)[:1])
    app.text_input(key="enroll_name").set_value("Eileen").run()
    everything = write_model(tmp_path / "m.onnx", np.zeros((3, 2), np.float32), np.float32([0, 9]), 32)
    use_check(load_settings(), everything, AttackModel(32, attack=(1,)))
    app.run()
    assert "The weights or settings have changed since these photographs were prepared" in app.error[0].value.replace(
        "\\", ""
    )
    assert "Save" not in [each.label for each in app.button]
    app = look(app, variants(astronaut)[:1])
    assert "None of these photographs can be used" in shown(app)


@pytest.mark.shared
def test_a_left_out_photograph_and_unwanted_pictures_are_not_stored(open_page, ready, astronaut):
    app = look(open_page("enroll"), variants(astronaut))
    best, second, third = best_first(app.session_state["enroll_draft"]).photos
    text = shown(app)
    assert text.index(best.name) < text.index(second.name) < text.index(third.name)
    assert f"recognisability {best.probe.quality.recognisability:.2f}, " in text
    app.checkbox(key="enroll_use_1_1").uncheck().run()
    assert "Left out" in shown(app)
    app.checkbox(key="enroll_crops").uncheck().run()
    assert "no picture" in shown(app)
    app.text_input(key="enroll_name").set_value("Eileen").run()
    button(app, "Save").click().run()
    with Gallery.open(ready / "gallery.db") as gallery:
        assert [(person.photographs, person.has_crops) for person in gallery.identities()] == [(2, False)]
        assert {template.source for template in gallery.templates("Eileen")} == {best.name, third.name}


@pytest.mark.shared
def test_a_person_enrolled_under_another_name_needs_a_tick(open_page, ready, astronaut):
    app = look(open_page("enroll"), variants(astronaut)[:1])
    app.text_input(key="enroll_name").set_value("First").run()
    button(app, "Save").click().run()
    button(app, "Enrol another person").click().run()
    app = look(app, variants(astronaut)[1:])
    app.text_input(key="enroll_name").set_value("Second").run()
    assert any("First" in each.value and "enrolled already" in each.value for each in app.warning)
    assert button(app, "Save").disabled
    [tick] = [each for each in app.checkbox if each.label.startswith("I have reviewed this")]
    tick.check().run()
    button(app, "Save").click().run()
    with Gallery.open(ready / "gallery.db") as gallery:
        assert gallery.size == 2


@pytest.mark.shared
def test_photographs_are_added_to_an_enrolled_person(open_page, ready, astronaut):
    app = look(open_page("enroll"), variants(astronaut)[:1])
    app.text_input(key="enroll_name").set_value("Eileen").run()
    button(app, "Save").click().run()
    assert "1 photograph stored with its small picture; 1 photograph in total." in shown(app)
    button(app, "Enrol another person").click().run()
    app = look(app, variants(astronaut)[1:])
    app.segmented_control(key="enroll_kind").set_value(KNOWN).run()
    app.selectbox(key="enroll_known").select("Eileen").run()
    button(app, "Add photographs").click().run()
    assert "3 photographs in total" in shown(app)
    with Gallery.open(ready / "gallery.db") as gallery:
        assert gallery.identity("eileen").photographs == 3


@pytest.mark.shared
def test_each_hostile_file_gets_its_line_and_the_good_one_goes_on(open_page, ready, astronaut):
    huge = bytearray(png(skimage.data.camera()[:8, :8]))
    huge[16:24] = (20_000).to_bytes(4, "big") * 2
    files = [
        ("text.jpg", b"just text", "image/jpeg"),
        ("empty.png", b"", "image/png"),
        ("huge.png", bytes(huge), "image/png"),
        ("broken.png", astronaut[: len(astronaut) // 2], "image/png"),
        ("nobody.png", png(skimage.data.coffee()), "image/png"),
        ("<img src=x onerror=alert(1)>.png", astronaut, "image/png"),
    ]
    app = look(open_page("enroll"), files)
    assert not app.exception and not app.error
    text = shown(app)
    assert text.count("Can&#x27;t be used") == 5
    assert "Photograph 1" in text and "Photograph 2" not in text
    assert "<img src=x" not in text and "&lt;img src=x" in text
    for name in ("text.jpg", "empty.png", "huge.png", "broken.png", "nobody.png"):
        assert name in text


@pytest.mark.shared
def test_nothing_is_saved_without_a_name_or_a_photograph(open_page, ready, astronaut):
    app = open_page("enroll")
    button(app, "Find faces").click().run()
    assert "Choose at least one photograph first" in shown(app)
    app = look(app, variants(astronaut)[:1])
    button(app, "Save").click().run()
    assert "Enter a name first" in shown(app)
    app.text_input(key="enroll_name").set_value("turned\u202e round").run()
    button(app, "Save").click().run()
    assert not app.exception and "control character" in app.error[0].value
    with Gallery.open(ready / "gallery.db") as gallery:
        assert gallery.size == 0
