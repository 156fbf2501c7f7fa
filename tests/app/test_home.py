"""Home: what is ready, the next step, the way to weights; and that it opens without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from core.gallery import Gallery, NewTemplate, Space
from core.models.encoders import active_weights
from core.models.errors import DownloadFailed, WeightsUnsafe
from core.models.files import file_facts
from core.models.upscalers import use_upscaler
from core.models.variants import VARIANTS
from core.settings import load_settings
from dashboard.home.view import next_step
from dashboard.home.weights_setup import fetch_and_use, use_upload
from dashboard.shell.readiness import Readiness
from dashboard.ui.markdown import plain
from tests.app.conftest import ROOT, button, fill, png, runs_without_torch, shown
from tests.made_weights import STARTER, save_dsr


def test_an_empty_installation_says_to_get_the_weights(open_page):
    app = open_page()
    assert not app.exception and not app.error
    assert "Next: get the weights" in [each.value for each in app.subheader]
    assert "CC BY-NC-SA" in shown(app) and "BSD 3-Clause" in shown(app)
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Download edgeface_xxs (5.1 MB)"]
    assert "Download them once, here on Home." in shown(app)


def test_with_the_shipped_weights_the_tour_asks_for_no_download(open_page, models_dir):
    copyfile(STARTER, models_dir / STARTER.name)
    tour = shown(open_page())
    assert "They come with the program: there is nothing to download." in tour
    assert "Download them once" not in tour


def test_the_next_step_follows_what_is_ready():
    weights = object()
    assert next_step(Readiness()).page == ""
    assert next_step(Readiness(weights=weights)).page == "enroll"  # type: ignore[arg-type]
    assert next_step(Readiness(weights=weights, people=2)).page == "enroll"  # type: ignore[arg-type]
    assert next_step(Readiness(weights=weights, people=2, findable=1)).page == "identify"  # type: ignore[arg-type]


def test_people_of_other_weights_are_counted_but_not_findable(open_page, ready):
    fill(ready, "Ada", "Grace")
    app = open_page()
    assert "2 people" in shown(app)
    assert "2 people enrolled with other weights" in shown(app) and "6 stored pictures" in shown(app)
    assert button(app, "Re-embed them").proto.type == "primary"


@pytest.mark.shared
def test_small_faces_through_a_network_that_is_no_longer_the_default_are_said(open_page, ready, models_dir):
    """Enrolled while the network was used without being chosen: choose it again, or re-embed."""
    weights = active_weights(load_settings())
    network = file_facts(save_dsr(models_dir / "edgeface-dsr.safetensors")).hashes.sha256
    crop = png(np.zeros((112, 112, 3), np.uint8))
    vector = np.eye(1, 512, dtype=np.float32)[0]
    with Gallery.open(ready / "gallery.db") as gallery:
        space = Space(weights.name, weights.sha256, network, False)
        gallery.enrol("Ada", [NewTemplate(vector, "hr", 112.0)], space=space)
        gallery.add_templates("Ada", [NewTemplate(vector, "sr", 24.0, 24, crop=crop)], space=space)
    app = open_page()
    said = shown(app).replace("\\", "")
    assert "1 template of a small face isn't searched: made through edgeface-dsr, not in use." in said
    assert "use edgeface-dsr again on Home" in said and button(app, "Re-embed them")
    use_upscaler(load_settings(), "edgeface-dsr")
    assert "isn't searched" not in shown(open_page())
    copyfile(
        STARTER.with_name("edgeface-xxs-specialist.safetensors"), models_dir / "edgeface-xxs-specialist.safetensors"
    )
    use_upscaler(load_settings(), "edgeface-xxs-specialist")
    app = open_page()
    assert all(each.label != "Re-embed them" for each in app.button), "nobody is lost: it is no news for Home"
    said = shown(app.switch_page("../pages/gallery.py").run()).replace("\\", "")
    assert "1 person enrolled with small faces through another upscaler" in said and button(app, "Re-embed them")
    assert "made through edgeface-dsr, not in use. It stays valid: edgeface-xxs-specialist finds it." in said


@pytest.mark.shared
def test_after_a_re_embedding_beside_an_open_home_nobody_is_left_behind(open_page, ready, astronaut):
    fill(ready, "Ada", "Ben", "Cleo")
    app = open_page()
    assert "3 people enrolled with other weights" in shown(app)
    upload = app.switch_page("../pages/identify.py").run().file_uploader(key="identify_photographs")
    said = shown(upload.set_value(("a.png", astronaut, "image/png")).run())
    assert "3 people are enrolled, but with other weights" in said
    command = [sys.executable, "-m", "core", "gallery", "reembed"]
    environment = {**os.environ, "EDGEFACE_DATA_DIR": str(ready)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "9 templates made" in done.stdout, done.stdout + done.stderr
    said = shown(app.run())
    assert "other weights" not in said and "is below the threshold" in said, "the same photograph, searched again"
    home = open_page()
    assert "enrolled with other weights" not in shown(home) and "Next: identify a person" in shown(home)


@pytest.mark.shared
def test_with_weights_home_names_them_and_leads_to_enrol(open_page, ready):
    app = open_page()
    assert "edgeface_xxs_q" in shown(app) and "official file" in shown(app)
    assert f"{plain('edgeface_xxs_q')} is in use." in shown(app) and "Download them once" not in shown(app)
    button(app, "Enrol a person").click().run()
    assert app.title[0].value == "Enrol"


def test_home_gallery_data_sets_and_help_open_without_torch(own_data_dir: Path):
    script = (
        "assert not app.exception and app.title[0].value == 'EdgeFace Studio', app\n"
        "for name, title in (('gallery', 'Gallery'), ('dataset', 'Data sets'), ('help', 'Help')):\n"
        "    app.switch_page(f'../pages/{name}.py').run()\n"
        "    assert not app.exception and app.title[0].value == title, app\n"
    )
    fill(own_data_dir, "Ada")
    runs_without_torch(script, own_data_dir)


def test_fetching_offline_says_where_to_put_the_file(own_data_dir: Path, monkeypatch):
    monkeypatch.setattr("core.models.download.FIRST_PAUSE_S", 0.0)
    here = load_settings()
    said: list[tuple[float, str]] = []
    with pytest.raises(DownloadFailed) as caught:
        fetch_and_use(here, VARIANTS["edgeface_xxs"], lambda *each: said.append(each), base_url="http://127.0.0.1:9")
    assert str(here.weights_dir / "edgeface_xxs.pt") in caught.value.next_step
    assert all(0 <= share <= 1 for share, _ in said)


@pytest.mark.shared
def test_an_uploaded_weights_file_is_verified_kept_and_used(own_data_dir: Path, shared_dir: Path, open_page):
    content = (shared_dir / "weights" / "edgeface_xxs_q.pt").read_bytes()
    used = use_upload(load_settings(), "../../mine.pt", content)
    assert used.official is not None and used.path.parent == load_settings().weights_dir
    assert "edgeface_xxs_q" in shown(open_page())


@pytest.mark.shared
def test_a_stored_file_can_be_taken_into_use_and_a_changed_one_is_noticed(open_page, own_data_dir, shared_dir):
    (own_data_dir / "weights").mkdir()
    content = (shared_dir / "weights" / "edgeface_xs_q.pt").read_bytes()
    (own_data_dir / "weights" / "mine.pt").write_bytes(content)
    app = open_page()
    button(app, "Use this file").click().run()
    assert "mine is in use" in app.success[0].value
    (own_data_dir / "weights" / "mine.pt").write_bytes(content + b"x")
    app = open_page()
    assert "changed since they were chosen" in app.error[0].value and not app.exception
    assert "Next: get the weights" in [each.value for each in app.subheader]


def test_an_uploaded_file_that_is_no_weights_changes_nothing(own_data_dir: Path):
    with pytest.raises(WeightsUnsafe):
        use_upload(load_settings(), "weights.pt", b"hello")
    assert list(own_data_dir.rglob("*.pt")) == []


def test_the_upload_of_a_bad_file_is_answered_in_one_line(open_page):
    app = open_page()
    app.file_uploader(key="home_weights_file").upload("holiday.pt", b"not weights", "application/octet-stream")
    button(app, "Check and use").click().run()
    assert not app.exception
    assert len(app.error) == 1 and "holiday" in app.error[0].value
