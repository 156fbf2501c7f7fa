"""The Training page launches runs, and takes their weights into use."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset.check_cache import store_verdict
from core.jobs.run_dir import list_runs
from core.models.upscalers import use_upscaler
from core.settings import load_settings
from core.training.config import NEW, config_from_dict
from dashboard.training.launch import start_training
from tests.app.conftest import button, fill, shown
from tests.app.training_page import asked_for, bars, opened, plainly, primary
from tests.app.training_runs import record
from tests.made_weights import official_tensors, save_dsr, save_encoder


@pytest.mark.shared
def test_a_launch_carries_what_was_chosen_and_shows_its_run(open_page, small_demo, started):
    app = opened(open_page)
    assert "Not checked yet" in app.warning[0].value and "About" in shown(app)
    assert "Synthetic faces: figures measured on them" in shown(app)
    app.radio(key="training_preset_finetune").set_value("notes").run()
    app.number_input(key="training_finetune_notes_stage2.epochs").set_value(2).run()
    app.number_input(key="training_finetune_notes_batch_size").set_value(4).run()
    app.number_input(key="training_seed").set_value(5).run()
    app.text_area(key="training_terms").set_value("Faces of our door: consent by form\n\n LFW: for research \n").run()
    button(app, "Start training").click().run()
    assert not app.exception
    [(kind, config)] = started
    asked = config_from_dict(config)
    assert kind == "finetune" and asked.preset == "notes" and asked.seed == 5 and asked.recipe.batch_size == 4
    assert [stage.epochs for stage in asked.recipe.stages] == [5, 2]
    assert asked.dataset == str(small_demo) and asked.edgeface is not None and Path(asked.edgeface).is_file()
    assert asked.upscaler == "bicubic"
    assert asked.terms == ("Faces of our door: consent by form", "LFW: for research")
    assert "--terms 'LFW: for research'" in asked.command and asked.command.count("--terms") == 2
    assert "--set stage2.epochs=2" in asked.command and "--preset notes" in asked.command
    assert str(asked_for(app, "run")).startswith("finetune/") and bars(app) == ["Starts in a moment."]


@pytest.mark.shared
def test_dsr_and_starter_are_launched_too(open_page, small_demo, started):
    app = opened(open_page)
    app.segmented_control(key="training_kind").set_value("dsr").run()
    button(app, "Start training").click().run()
    app = opened(open_page)
    app.toggle(key="training_starter").set_value(True).run()
    button(app, "Start training").click().run()
    assert not app.exception and [kind for kind, _ in started] == ["dsr", "starter"]
    assert config_from_dict(started[0][1]).upscaler == NEW and "--upscaler new" in started[0][1]["command"]
    assert config_from_dict(started[1][1]).recipe.start == "random"


@pytest.mark.shared
def test_a_run_names_the_network_that_it_begins_from(open_page, small_demo, started, models_dir):
    """Where one was chosen a recipe that trains it goes on from that, by its path: what is in use may change. Else it
    starts at the one that ships, and a recipe that trains none goes through bicubic."""
    save_dsr(models_dir / "ships.safetensors", seed=1)
    app = opened(open_page)
    assert app.selectbox(key="training_dsr_finetune_recommended").options == ["ships", "A new network"]
    app.radio(key="training_preset_finetune").set_value("notes").run()
    assert app.selectbox(key="training_dsr_finetune_notes").options == ["bicubic (in use)", "ships"]
    used = use_upscaler(load_settings(), save_dsr(load_settings().weights_dir / "mine.safetensors"))
    app = opened(open_page)
    choice = app.selectbox(key="training_dsr_finetune_recommended")
    assert choice.options == ["mine (in use)", "A new network", "ships"]
    button(app, "Start training").click().run()
    assert not app.exception
    assert config_from_dict(started[0][1]).upscaler == str(used.path)


@pytest.mark.shared
def test_the_checks_verdict_holds_a_launch_back_until_it_is_forced(open_page, small_demo, started):
    import pandas as pd

    from core.dataset.findings import Finding, Verdict
    from core.dataset.manifest import read_dataset

    dataset = read_dataset(small_demo)
    finding = Finding("identity_overlap", "error", "3 people are in two splits.", pd.DataFrame())
    store_verdict(load_settings(), dataset, Verdict((finding,), 12))
    app = opened(open_page)
    assert "its figures would be misleading" in app.error[0].value and button(app, "Start training").disabled
    app.checkbox(key="training_force").set_value(True).run()
    button(app, "Start training").click().run()
    assert config_from_dict(started[0][1]).force is True


@pytest.mark.shared
def test_a_setting_that_cant_be_is_refused_before_anything_starts(open_page, small_demo, started):
    from core.errors import SettingsInvalid

    with pytest.raises(SettingsInvalid, match="batch of 5"):
        start_training("finetune", "notes", {"batch_size": 5}, {"dataset": str(small_demo), "accumulate": 2})
    app = opened(open_page)
    app.number_input(key="training_finetune_recommended_batch_size").set_value(0).run()
    assert "batch_size is 0" in plainly(app.error[0].value) and button(app, "Start training").disabled
    assert started == [] and list_runs(load_settings().data_dir / "runs") == []


@pytest.mark.shared
def test_a_runs_weights_are_taken_into_use_and_the_gallery_offers_new_templates(open_page, ready, shared_dir):
    fill(ready, "Ada", "Grace")
    run = record(ready, status="done")
    save_encoder(run.checkpoints / "best" / "encoder.safetensors", official_tensors(shared_dir))
    app = opened(open_page, run)
    assert "Use the trained weights" in shown(app) and primary(app) == ["Use these weights"]
    button(app, "Use these weights").click().run()
    assert not app.exception and plainly(app.success[0].value).startswith("In use: finetune-")
    for look in (app, opened(open_page, run)):
        assert "In use**: the encoder of this run" in shown(look) and "2 people enrolled with other weights" in shown(
            look
        )
        assert "Use the trained weights" not in shown(look)


@pytest.mark.shared
def test_weights_that_dont_tell_faces_apart_are_refused_and_nothing_changes(open_page, ready, shared_dir):
    run = record(ready, status="stopped", epochs=3)
    broken = {name: tensor * 0 + 0.01 for name, tensor in official_tensors(shared_dir).items()}
    save_encoder(run.checkpoints / "best" / "encoder.safetensors", broken)
    app = opened(open_page, run)
    assert primary(app) == ["Resume"]
    button(app, "Use these weights").click().run()
    assert not app.exception and len(app.error) == 1 and "Traceback" not in shown(app)
    assert load_settings().active_path.exists() is False


@pytest.mark.shared
def test_where_no_epoch_was_better_it_is_said_and_the_last_can_be_used(open_page, ready, shared_dir):
    run = record(ready, status="done")
    save_encoder(run.checkpoints / "last" / "encoder.safetensors", official_tensors(shared_dir))
    app = opened(open_page, run)
    assert "No epoch improved on the starting weights" in shown(app) and primary(app) == []
    button(app, "Use the last epoch's weights").click().run()
    assert "In use**: the encoder of this run" in shown(app)
