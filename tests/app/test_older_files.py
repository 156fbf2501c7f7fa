"""Pages show what an earlier version left in the data folder."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import shown
from tests.older_files import expected

EVALUATION = "evaluate/20261130T033318129Z-dataset-demo"
CALIBRATION = "evaluate/20261130T032944803Z-calibrate-far"
FINETUNING = "finetune/20261130T033139833Z-notes-both-stages"
UPSCALING = "dsr/20261130T033053495Z-dsr-upscale"
CUT_SHORT = "dsr/20261130T033231823Z-dsr-cut-short"


def plainly(app: AppTest) -> str:
    """Everything that the main area says, without Markdown's backslashes; the labels of its fields too."""
    fields = [str(each.value) for kind in (app.selectbox, app.text_input) for each in kind]
    choices = [option for each in app.selectbox for option in each.options]
    labels = [each.label for kind in (app.button, app.expander) for each in kind]
    tables = [each.value.to_csv() for each in app.dataframe]
    said = shown(app)
    return "\n".join([said, *fields, *choices, *labels, *tables]).replace("\\", "")


@pytest.mark.parametrize(
    ("page", "query", "texts"),
    [
        ("", {}, ["4 people", "tiny-encoder"]),
        ("gallery", {}, list(expected()["people"])),
        ("dataset", {}, ["demo", "crops", "disjoint"]),
        ("dataset", {"set": "demo"}, ["closed-set", "16, 24, 32", "6 people have fewer than 4 images in train"]),
        ("training", {}, ["0.8176", "27.36 dB", "0.7457", "0.7833", "Stopped", "Interrupted"]),
        ("training", {"run": FINETUNING}, ["both-stages", "0.8176"]),
        ("training", {"run": UPSCALING}, ["0.7833", "27.36"]),
        ("training", {"run": CUT_SHORT}, ["0.7457", "27.36"]),
        ("accuracy", {}, ["demo"]),
        ("accuracy", {"run": EVALUATION}, ["tiny-encoder", "26.67"]),
        ("accuracy", {"run": CALIBRATION}, ["tiny-encoder"]),
        ("diagnostics", {"show": "gallery"}, ["Ada Brook", "Ben Stone"]),
        ("diagnostics", {"show": "models"}, ["tiny-encoder"]),
        ("identify", {}, []),
        ("inspector", {}, []),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value if isinstance(value, str) else "",
)
def test_a_page_opens_and_shows_what_is_there(page, query, texts, older, open_page):
    app = open_page(page, query=query)
    assert not app.exception
    if query != {"show": "gallery"}:  # which reports a mixed-up person as an error
        assert not app.error
    assert [text for text in texts if text not in plainly(app)] == [], plainly(app)


def test_the_kept_map_of_the_gallery_is_drawn(older, open_page):
    app = open_page("diagnostics", query={"show": "map"}, diagnostics_map_of="The gallery", diagnostics_method="tsne")
    assert not app.exception and not app.error
    assert "21 embeddings" in plainly(app) and "t-SNE: neighbours stay neighbours" in plainly(app)


def test_people_who_may_sign_in_are_asked_to(older, open_page, monkeypatch):
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(older / "guarded"))
    app = open_page("access")
    app.text_input(key="door_name").set_value("ada")
    app.text_input(key="door_password").set_value("correct horse battery staple")
    next(each for each in app.button if each.label == "Sign in").click().run()
    assert not app.exception and not app.error
    assert "grace" in plainly(app)
