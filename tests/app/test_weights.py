"""Weights in use, on screen: the shipped starter alone, a missing upscaler, a choice, a re-embedding."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.gallery.store import Gallery
from core.jobs.run_dir import list_runs, runs_root
from core.models.active_file import write_active
from core.models.encoders import active_weights
from core.models.figures import keep_figures
from core.models.files import REPLACED
from core.models.header import BESIDE
from core.models.measured import Measured, Rate, read_figures
from core.models.upscalers import active_upscaler, use_upscaler
from core.settings import load_settings
from dashboard.shell.weights_badge import upscaler_words
from dashboard.ui.figure_cells import rates_html
from dashboard.ui.markdown import plain
from tests.app.conftest import button, fill, shown
from tests.made_weights import STARTER, official_tensors, save_dsr, save_encoder, save_shipped

SMALL = STARTER.with_name("edgeface-xxs-specialist.safetensors")

FIGURES = {"protocol": "LFW folds 5-7, 1,800 pairs", "eer": {"HR": [0.081, 0.07, 0.092], "16": 0.1017}}


def sidebar(app) -> str:
    return "\n".join(str(each.value) for each in (*app.sidebar.markdown, *app.sidebar.caption))


@pytest.mark.shared
def test_the_shipped_weights_alone_recognise_faces(open_page, models_dir, shared_dir, astronaut):
    """A machine that can download nothing: no weights but those in the models folder."""
    save_shipped(models_dir / "starter.safetensors", official_tensors(shared_dir), figures=FIGURES)
    shutil.copy(SMALL, models_dir)
    app = open_page()
    text = shown(app)
    assert ":green-badge[:material/inventory_2: Shipped weights]" in text and "EdgeFace-XXS, fine-tuned" in text
    assert "limited accuracy" not in text and not app.warning and not app.info
    assert "10.17 %" in text and "LFW folds 5" in text and "random initialisation" not in text
    assert "edgeface-xxs-specialist, an encoder for faces up to 40 px" in sidebar(app).replace("\\", "")
    [offer] = [each.label for each in app.expander if "Official weights" in each.label]
    assert offer == "Official weights, other variants and your own"
    assert "publications compare with them. Their EdgeFace-XXS: equal error rate" in text
    assert button(app, "Download edgeface_xxs (5.1 MB)").proto.type == "secondary"
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Enrol a person"]
    app = open_page("identify")
    app.segmented_control(key="identify_size").set_value(32).run()
    app.file_uploader(key="identify_photographs").set_value([("astronaut.png", astronaut, "image/png")]).run()
    assert not app.exception and not app.error


def test_after_an_update_people_of_the_earlier_weights_are_offered_a_re_embedding(open_page, models_dir, own_data_dir):
    """The earlier file had been chosen, and had its name."""
    save_shipped(models_dir / "starter.safetensors")
    write_active(load_settings(), encoder={"path": "models/starter.safetensors", "sha256": min(REPLACED)})
    fill(own_data_dir, "Ada", "Grace")
    fill(own_data_dir, "Nobody's picture", crops=False)
    app = open_page()
    assert not app.error and "Shipped weights" in shown(app)
    assert "2 people enrolled with other weights" in shown(app) and button(app, "Re-embed them")
    assert any("Enrol again" in each.value and "Nobody" in each.value for each in app.warning)


@pytest.mark.shared
def test_shipped_weights_that_were_trained_from_scratch_say_so(open_page, models_dir, shared_dir, astronaut):
    path = models_dir / "starter.safetensors"
    save_encoder(path, official_tensors(shared_dir), figures=FIGURES, trained_by="make models")
    save_dsr(models_dir / "dsr.safetensors", bicubic_px=(16, 32))
    assert "Small faces: bicubic" in sidebar(open_page()), "a network that ships is a choice"
    use_upscaler(load_settings(), "dsr")
    app = open_page()
    text = shown(app)
    assert "Starter weights: limited accuracy" in text and "10.17 %" in text and "7.00 to 9.20" in text
    assert "LFW folds 5" in text and "random initialisation" in text
    assert "bicubic at 16 and 32 px" in text
    assert button(app, "Download edgeface_xxs (5.1 MB)").proto.type == "secondary"
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Enrol a person"]
    assert "EER HR 8.1\u00a0%" in sidebar(app) and "dsr" in sidebar(app)
    app = open_page("identify")
    app.segmented_control(key="identify_size").set_value(32).run()
    app.file_uploader(key="identify_photographs").set_value([("astronaut.png", astronaut, "image/png")]).run()
    assert not app.exception and not app.error
    assert "Enlarged (bicubic, since it measures better at 32 px): adds no detail" in shown(app)


@pytest.mark.shared
def test_a_missing_upscaler_is_said_and_nothing_is_recognised_without_it(open_page, ready, tmp_path):
    used = use_upscaler(load_settings(), save_dsr(tmp_path / "mine.safetensors"))
    Path(used.path).unlink()
    app = open_page()
    assert "upscaler in use is gone" in app.error[0].value and "Upscaler missing" in sidebar(app)
    app = open_page("identify")
    assert "upscaler in use is gone" in app.error[0].value and not app.file_uploader


@pytest.mark.shared
def test_upscalers_stored_here_can_be_chosen_on_home(open_page, ready):
    save_dsr(ready / "weights" / "dsr-own.safetensors")
    app = open_page()
    [choice] = [box for box in app.selectbox if box.key == "home_stored"]
    assert [option.partition(" ")[0] for option in choice.options][1:] == ["dsr-own.safetensors", "bicubic"]
    choice.select_index(1).run()
    button(app, "Use this file").click().run()
    assert "dsr" in app.success[0].value and active_upscaler(load_settings()).name == "dsr-own"
    assert "Small faces: dsr" in sidebar(app)


@pytest.mark.shared
def test_a_fine_tunes_network_left_beside_other_weights_is_said_and_replaced(open_page, ready):
    dsr = save_dsr(ready / "weights" / "tuned-dsr.safetensors", trained_with_encoder=BESIDE)
    use_upscaler(load_settings(), dsr)
    figures = Measured("lfw", {"16": Rate(0.07)}, upscaler="bicubic", upscaler_name="bicubic")
    keep_figures(load_settings(), active_weights(load_settings()).sha256, figures)
    app = open_page()
    [said] = [each.value for each in app.warning if "trained together with other weights" in each.value]
    assert "tuned" in said
    pair = "These figures were measured with a different pair of encoder and upscaler. Measured with bicubic"
    assert pair in shown(app)
    button(app, f"Use bicubic with {plain(active_weights(load_settings()).name)}").click().run()
    assert not app.exception and active_upscaler(load_settings()).sha256 == "bicubic"
    assert not any("trained together" in each.value for each in app.warning)
    assert "a different pair" not in shown(app)


@pytest.mark.shared
@pytest.mark.parametrize("page", ["", "gallery"])
def test_who_was_made_with_other_weights_is_offered_anew(open_page, ready, page):
    fill(ready, "Ada", "Grace")
    fill(ready, "Nobody's picture", crops=False)
    app = open_page(page)
    assert "2 people enrolled with other weights" in shown(app) and "Enrol again" in shown(app)
    assert any("Nobody" in each.value for each in app.warning)
    button(app, "Re-embed them").click().run()
    [run] = list_runs(runs_root(load_settings()))
    assert run.kind == "reembed" and run.config["keep_old"] is False
    assert "embedding for the weights in use" in shown(app) and not app.exception
    assert all(each.label != "Re-embed them" for each in app.button), "one at a time"
    with Gallery.open(ready / "gallery.db") as store:
        assert store.size == 3
    from core.jobs.launch import follow

    kinds = [event.kind for event in follow(run)]
    assert kinds[-1] == "done" and run.report["made"] == 6
    app = open_page(page)
    assert "enrolled with other weights" not in "\n".join(each.value for each in app.markdown)
    assert "Enrol again" in shown(app)


def test_figures_of_another_form_are_left_out() -> None:
    assert read_figures({}) is None and read_figures({"eer": {"16": "low", "32": True, "24": [0.1, 0.2]}}) is None
    half = read_figures({"eer": {"16": 0.5, "32": 1.5}, "protocol": 7})
    assert half is not None and set(half.eer) == {"16"} and half.protocol == "protocol not recorded"
    assert "50.00 %" in rates_html(half) and "HR" not in rates_html(half)


def test_an_upscaler_in_words(tmp_path) -> None:
    from core.models.upscalers import BICUBIC_UPSCALER, describe

    assert upscaler_words(BICUBIC_UPSCALER) == "bicubic"
    assert upscaler_words(describe(save_dsr(tmp_path / "a.safetensors"))) == "a"
    shutil.rmtree(tmp_path)
