"""The Training page estimates a camera from a folder of its pictures, shows it, and trains with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.dataset.camera import clean, estimate
from core.dataset.camera.clean import clean_crops
from core.dataset.degrade import CameraRanges, degrade
from core.training.config import config_from_dict
from tests.app.conftest import button, shown
from tests.app.training_page import opened, plainly

pytestmark = pytest.mark.shared
CAMERA = CameraRanges(blur_px=(1.0, 1.4), kernels=("area",), shot=(2e-4, 4e-4), quality=(70, 75))


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with aligned crops of 32 px, as a camera delivers them."""
    monkeypatch.setattr(clean, "DRAWN", 18)
    monkeypatch.setattr(estimate, "CAMERAS", 20)
    monkeypatch.setattr(estimate, "FACES_EACH", 6)
    folder = tmp_path / "far"
    folder.mkdir()
    for number, crop in enumerate(clean_crops(None)):
        small, _ = degrade(crop, 32, "camera", seed=number, ranges=CAMERA)
        Image.fromarray(small).save(folder / f"{number:02d}.png")
    return folder


def _estimated(open_page, folder: Path):
    app = opened(open_page)
    app.radio(key="training_preset_finetune").set_value("specialist").run()
    app.segmented_control(key="training_camera_how").set_value("folder").run()
    app.text_input(key="training_camera_folder").set_value(str(folder)).run()
    button(app, "Estimate the camera").click().run()
    assert not app.exception
    return app


def test_an_estimate_is_shown_beside_examples_and_trained_with(open_page, small_demo, far, started):
    app = _estimated(open_page, far)
    text = plainly(shown(app))
    assert "Faces of this camera" in text and "JPEG quality, from the pixels" in text
    assert app.toggle(key="training_camera_use").value is True
    button(app, "Start training").click().run()
    [(_, config)] = started
    [stage] = config_from_dict(config).recipe.stages
    assert 68 <= stage.camera_ranges.quality[0] <= stage.camera_ranges.quality[1] <= 77
    assert 26 <= min(stage.sizes_px) <= max(stage.sizes_px) == 32 and "camera_ranges.quality" in config["command"]


def test_without_the_toggle_the_recipe_stays(open_page, small_demo, far):
    app = _estimated(open_page, far)
    app.toggle(key="training_camera_use").set_value(False).run()
    assert not app.exception and "Changed" not in shown(app)


def test_the_faces_are_forgotten_when_the_page_is_left(open_page, small_demo, far):
    app = _estimated(open_page, far)
    app.run()
    assert "Faces of this camera" in shown(app)
    app.switch_page("../pages/help.py").run()
    assert "training_camera_found" not in app.session_state
    app.switch_page("../pages/training.py").run()
    assert not app.exception and "Faces of this camera" not in shown(app)


def test_what_is_wrong_with_the_pictures_is_said(open_page, small_demo, far, tmp_path):
    large = small_demo / "train" / "hr_images"
    for folder, says in ((tmp_path / "nowhere", "There is no folder"), (large, "larger than 48 px"), ("", "No folder")):
        app = _estimated(open_page, folder)
        assert says in plainly(app.error[0].value)


def test_a_recipe_without_cameras_offers_none(open_page, small_demo):
    app = opened(open_page)
    app.radio(key="training_preset_finetune").set_value("notes").run()
    assert not [each for each in app.button if each.label == "Estimate the camera"]
