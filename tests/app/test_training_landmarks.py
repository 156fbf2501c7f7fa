"""A training of the landmark network on the Training page: listed, shown with its errors, taken into use."""

from __future__ import annotations

from core.models import landmark_networks
from core.models.active_file import read_active
from core.settings import load_settings
from tests.app.conftest import button, shown
from tests.app.training_page import bars, opened, plainly
from tests.app.training_runs import record, record_landmarks
from tests.made_weights import save_landmarks


def test_it_is_listed_beside_the_others_and_compared_with_them(open_page, own_data_dir):
    one, other = record_landmarks(own_data_dir), record(own_data_dir, status="done")
    text = shown(opened(open_page))
    assert "Landmark network on lfw, crops" in plainly(text)
    assert "3 of 4 epochs in 9 min. Best: landmark error 4.00 px." in text
    opened(open_page, compare=[one.id, other.id])


def test_its_figures_are_errors_in_px(open_page, own_data_dir):
    app = opened(open_page, record_landmarks(own_data_dir))
    text = shown(app)
    assert "1. Training the landmark network" in text and "landmark error" in text and "4.00 px" in text
    assert "faces taken for none" in text and "0.4 %" in text
    assert "Epoch 3, the best by landmark error on 200 validation images." in text
    assert "**Landmark error**" in [each.value for each in app.markdown]
    assert "EER" not in text


def test_a_running_one_says_where_it_is(open_page, own_data_dir):
    app = opened(open_page, record_landmarks(own_data_dir, status="running"))
    assert bars(app) == ["Epoch 4 of 4, training 64,000 of 128,000 images, 700 images per second"]


def test_its_network_is_taken_into_use(open_page, own_data_dir, monkeypatch):
    monkeypatch.setattr(landmark_networks, "check_landmarks", lambda file: None)
    run = record_landmarks(own_data_dir)
    save_landmarks(run.checkpoints / "best" / "landmarks.onnx")
    app = opened(open_page, run)
    assert "will use the landmark network of the best epoch (validation: landmark error 4.00 px" in shown(app)
    button(app, "Use these weights").click().run()
    assert not app.exception and not app.error
    assert "In use" in shown(app)
    assert read_active(load_settings())["landmarks"]["path"].startswith("weights/landmarks-")
