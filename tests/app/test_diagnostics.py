"""Diagnostics: empty states, the map, similarities, and planted faults in a gallery with their remedies."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.diagnostics.source import Opened, Source
from core.evaluation.evaluation_spec import SystemSpec
from core.gallery.records import NewTemplate
from core.gallery.store import Gallery
from core.settings import load_settings
from dashboard.diagnostics.embedding_map import selected_rows
from tests.app.conftest import SPACE, button, png, shown
from tests.unit.diagnostics.face_sets import faces_dataset


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def plant(data_dir):
    """Ada with a wrong photograph, Grace under two names, and Eve, who is sound but for one photograph fewer."""
    random = np.random.default_rng(3)
    centres = unit(random.normal(size=(4, 512)))

    def templates(name, centre, count, wrong=None):
        vectors = unit(centre + 0.02 * random.normal(size=(count, 512)))
        vectors = vectors if wrong is None else np.concatenate([vectors, unit(wrong)[None]])
        crop = png(random.integers(0, 255, (112, 112, 3), dtype=np.uint8))
        return [
            NewTemplate(vector, "hr", 140.0, image_sha256=f"{name}-{number}", crop=crop, source="made up")
            for number, vector in enumerate(vectors)
        ]

    with Gallery.open(data_dir / "gallery.db") as gallery:
        gallery.enrol("Ada", templates("Ada", centres[0], 3, wrong=centres[3]), space=SPACE)
        gallery.enrol("Grace", templates("Grace", centres[1], 3), space=SPACE)
        gallery.enrol("Grace Hopper", templates("Grace Hopper", centres[1], 3), space=SPACE)
        gallery.enrol("Eve", templates("Eve", centres[2], 2), space=SPACE)


def said(app):
    """What is on the screen, as it is read: without Markdown's backslashes."""
    return shown(app).replace("\\", "")


def people(data_dir):
    with Gallery.open(data_dir / "gallery.db") as gallery:
        return {person.name: person.photographs for person in gallery.identities()}


@pytest.mark.parametrize(
    ("section", "title", "step"),
    [
        ("models", "No weights are stored", "Get the weights on Home"),
        ("map", "No weights are in use", "Get the weights on Home"),
        ("similarity", "No weights are in use", "Get the weights on Home"),
        ("gallery", "Nobody is enrolled yet", "Enrol a person"),
    ],
)
def test_an_empty_installation_names_the_next_step(open_page, section, title, step):
    app = open_page("diagnostics", query={"show": section})
    assert not app.exception and not app.error
    assert title in shown(app)
    assert [each.label for each in app.button if each.proto.type == "primary"] == [step]


def test_planted_faults_are_found_with_faces_and_remedies(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "gallery"})
    text = said(app)
    assert not app.exception
    assert "Some people may be misidentified" in text and "2 serious findings, 1 less serious" in text
    assert "doesn't resemble the others" in text and "one person under two names" in text
    assert text.count("Face of Grace Hopper") == 3 and text.count("alt='Face of Ada'") == 4


def test_a_wrong_photograph_is_removed_with_one_choice(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "gallery"})
    button(app, "Erase the photograph").click().run()
    assert "A photograph of Ada was erased" in shown(app) and "resemble the others" not in shown(app)
    assert people(own_data_dir)["Ada"] == 3


def test_two_names_become_one_and_the_other_is_erased(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "gallery"})
    button(app, "Keep the name Grace Hopper").click().run()
    assert "Merged into one entry: Grace Hopper" in said(app)
    assert people(own_data_dir) == {"Ada": 4, "Eve": 2, "Grace Hopper": 6}


def test_a_finding_is_left_with_who_and_when_and_taken_up_again(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "gallery"})
    first = next(each for each in app.button if each.label == "Dismiss")
    first.click().run()
    text = said(app)
    assert not app.exception and "1 serious finding, 1 less serious. 1 finding dismissed" in text
    assert "Dismissed by dashboard, " in text
    button(app, "List again").click().run()
    assert "2 serious findings, 1 less serious" in said(app) and "dismissed" not in said(app)


def test_a_finding_opens_the_person_on_the_gallery_page(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "gallery"})
    button(app, "Open Grace Hopper").click().run()
    assert app.title[0].value == "Gallery" and "Grace Hopper" in shown(app) and "Add photographs" in labels(app)


def labels(app):
    return {each.label for each in app.button}


def test_too_few_photographs_lead_to_enrol(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "gallery"})
    button(app, "Add photographs").click().run()
    assert app.title[0].value == "Enrol" and app.session_state["enroll_add_to"] == "Eve"


def test_the_gallerys_map_is_there_at_once_and_shows_a_persons_faces(open_page, own_data_dir):
    plant(own_data_dir)
    app = open_page("diagnostics", query={"show": "map"}, diagnostics_map_of="The gallery")
    assert not app.exception and len(app.get("plotly_chart")) == 1
    assert "12 embeddings" in shown(app) and "hold" in shown(app)
    [person] = [each for each in app.selectbox if each.label == "Highlight a person"]
    person.select("Ada").run()
    assert shown(app).count("alt='Face of Ada'") == 4


@pytest.mark.shared
def test_a_data_set_is_offered_embedding_then_mapped_compared_and_its_weights_explained(open_page, ready):
    weights = ready / "weights" / "edgeface_xxs_q.pt"
    dataset = faces_dataset(ready / "datasets" / "faces", people=6)
    app = open_page("diagnostics", query={"show": "map"}, diagnostics_sizes=[16])
    assert not app.exception and "12 images to embed first" in said(app) and not app.get("plotly_chart")
    # What the offered run does, in this process.
    Opened(Source(str(dataset.root), None, (16,), SystemSpec(weights=str(weights))), load_settings()).cloud()
    app = open_page("diagnostics", query={"show": "map"}, diagnostics_sizes=[16], diagnostics_colour="error")
    assert not app.exception and not app.error and len(app.get("plotly_chart")) == 1
    assert "24 embeddings. faces: 12 aligned faces of 6 people" in said(app) and "the data set's VLR files" in said(app)
    app.toggle(key="diagnostics_lines").set_value(True).run()
    assert not app.exception and len(app.get("plotly_chart")) == 1
    app = open_page("diagnostics", query={"show": "similarity"}, diagnostics_sizes=[16])
    assert not app.exception and not app.error and len(app.get("plotly_chart")) == 3
    assert [table.value.columns[0] for table in app.dataframe] == ["view", "identity"]
    assert "12 embeddings of 6 people" in said(app)
    app = open_page("diagnostics", query={"show": "models"})
    assert "All 160 keys of edgeface_xxs_q are there" in said(app) and button(app, "Test the three causes")


def test_a_checks_report_is_shown_with_its_answers_and_intervals():
    def page():
        from dashboard.diagnostics.weights import causes_card

        size = {
            "size_px": 16,
            "similarity": 0.9999,
            "p5": 0.99,
            "strangers": 0.98,
            "right": 9,
            "asked": 10,
            "detail_db": 25.0,
            "norm": 2.0,
            "norm_std": 0.1,
            "effective_rank": 3.0,
            "mean_abs_cosine": 0.97,
        }
        hr = {"norm": 2.0, "norm_std": 0.1, "effective_rank": 3.0, "mean_abs_cosine": 0.97}
        answers = [{"cause": cause, "found": cause == "C", "text": f"because {cause}"} for cause in "CBA"]
        alarm = {"code": "x", "severity": "error", "what": "Too high.", "cause": "C: collapsed.", "next_step": "Stop."}
        told = {"similarity": None, "size_px": 16, "answers": answers, "alarm": alarm, "protocol": "made up"}
        causes_card({"diagnosis": told, "check": {"hr": hr, "sizes": [size]}})

    app = AppTest.from_function(page, default_timeout=60).run()
    assert "Too high" in app.error[0].value and "because A" in said(app)
    [table] = app.dataframe
    assert table.value["first"].tolist() == ["", "90.0 [59.6, 98.2] of 10"]


def test_points_drawn_around_are_taken_once_each_and_only_where_they_exist():
    points = [{"customdata": [3]}, {"customdata": 3}, {"customdata": [0]}, {"customdata": [99]}, {"x": 1.0}]
    assert selected_rows({"selection": {"points": points}}, 5).tolist() == [0, 3]
    assert len(selected_rows(None, 5)) == 0
