"""A specialist for small faces: what it trains to, what its file says, and that it stays in its teacher's space."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_training import NAME, tiny_config, tiny_dataset, tiny_weights

from core.encoder.encode import load_encoder
from core.encoder.weights import file_sha256
from core.errors import SettingsInvalid
from core.jobs.run_dir import Run
from core.models.encoders import active_weights, use_weights
from core.models.errors import SpecialistRefused
from core.models.files import file_facts
from core.models.header import SPECIALIST_FORMAT, read_card
from core.models.upscalers import active_upscaler
from core.settings import load_settings
from core.training.activate import trained_files, use_run_weights
from core.training.checkpoint import load_state
from core.training.model_card import model_card
from core.training.overrides import change
from core.training.presets import SPECIALIST
from core.training.stage_losses import contrast_loss
from core.training.validation_figures import eer
from tests.unit.training.told import differences, of_kind, without_times

pytestmark = pytest.mark.usefixtures("tiny")

QUICK = {"epochs": 2, "augment.occlude": 0.5, "sizes_px": "12,16,32,48"}


def unit(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


def test_the_contrast_is_the_cross_entropy_of_finding_the_own_one():
    own, target = unit((1.0, 0.97, 0.2)), unit((1.0, 0.0, 0.0))
    bank = unit((0.0, 1.0, 0.0), (0.3, 0.0, 1.0))
    scores = [32 * float((own * other).sum()) for other in (target, bank[:1], bank[1:])]
    expected = -scores[0] + np.log(np.exp(scores).sum())
    assert float(contrast_loss(own, target, bank)) == pytest.approx(expected, rel=1e-5)
    # Of any length: cosines count.
    assert float(contrast_loss(own * 7, target * 2, bank * 3)) == pytest.approx(expected, rel=1e-4)


def test_whoever_may_be_the_same_person_is_not_pushed_away():
    """A bank's embedding is left out where its cosine to the target is above 0.4, the target's own among them."""
    own, target = unit((1.0, 0.0, 1.0)), unit((1.0, 0.0, 0.0))
    alike, just_not = unit((1.0, 0.0, 2.2)), unit((1.0, 0.0, 2.4))  # cosines 0.41 and 0.38
    assert float(contrast_loss(own, target, torch.cat([target, alike]))) == pytest.approx(0.0, abs=1e-6)
    assert float(contrast_loss(own, target, just_not)) > 1e-6


def test_a_specialist_names_the_space_that_it_shares(weights, run_training, tmp_path):
    data = tiny_dataset(tmp_path / "disjoint", disjoint=True, people=3).root
    report, events, folder = run_training(tiny_config("finetune", "specialist", data, weights, QUICK))
    facts = file_facts(folder / "best" / "specialist.safetensors")
    assert facts.metadata["format"] == SPECIALIST_FORMAT and facts.metadata["variant"] == NAME
    assert facts.metadata["specialist_for"] == facts.metadata["parent_sha256"] == file_sha256(weights)
    assert facts.metadata["specialist_for_name"] == "tiny"
    assert json.loads(facts.metadata["config"]) == {"max_px": 40}
    assert json.loads(facts.metadata["recipe"])["name"] == "specialist"
    assert facts.metadata["trained_with_upscaler"] == "bicubic"
    assert load_encoder(facts.path, device="cpu").info.variant == NAME
    epochs, logged = of_kind(events, "epoch"), [data["text"] for data in of_kind(events, "log")]
    assert any("specialist for faces of up to 40 px in the space of tiny" in text for text in logged)
    assert epochs[0]["train"]["teacher"] > 0 and epochs[0]["train"]["contrast"] > 0 and "Contr: " in epochs[0]["line"]
    rates = [report["figures"][name] for name in ("eer", "eer_vlr_vlr", "eer_camera", "eer_camera_vlr_vlr")]
    assert report["criterion"] == {"name": "eer", "value": pytest.approx(sum(rates) / 4)}
    measured = read_card(facts.metadata).measured
    assert measured.camera.eer["16"].value == pytest.approx(report["figures"]["camera"]["16"]["eer_vlr_vlr"])
    assert "large faces by tiny" in measured.protocol


def test_large_faces_are_measured_with_the_teacher(closed, weights, run_training, tmp_path):
    """The similarity of an untrained specialist to its teacher is that of direct feed, and training can't move HR."""
    from core.training.setup import prepare_run

    config = tiny_config("finetune", "specialist", closed, weights, QUICK)
    context = prepare_run(config, load_settings(), tmp_path / "run")
    before = context.validator.measure(context.networks.encoder, None)
    for parameter in context.networks.encoder.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    after = context.validator.measure(context.networks.encoder, None)
    val, teacher = context.data.val, context.networks.teacher
    hr = context.validator._embed(teacher, None, None)
    small = context.validator._embed(context.networks.encoder, None, (16, "bicubic"))
    unit_hr, unit_small = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (hr, small))
    assert after.by_size["16"]["eer"] == pytest.approx(eer(unit_small, unit_hr, val.people))
    assert after.similarity < before.similarity and set(after.camera) == {"16", "32"}


def test_a_stopped_specialist_resumed_is_the_run_that_would_have_been(closed, weights, run_training, tmp_path):
    config = tiny_config("finetune", "specialist", closed, weights, QUICK)
    run_training(config, tmp_path / "straight")
    for stop_at in (2, 3, 1):
        run_training(config, tmp_path / "halting", stop_at=stop_at)
    run_training(replace(config, num_workers=2), tmp_path / "halting")
    a, b = (load_state(tmp_path / name / "last") for name in ("straight", "halting"))
    assert differences(without_times(a), without_times(b)) == []


def test_a_specialist_goes_on_beside_its_own_teacher_alone(closed, weights, run_training, tmp_path):
    _, _, folder = run_training(tiny_config("finetune", "specialist", closed, weights, {**QUICK, "epochs": 1}))
    grown = folder / "best" / "specialist.safetensors"
    on = {"epochs": 1, "sizes_px": "16"}
    with pytest.raises(SettingsInvalid, match="in the space of tiny") as e:
        run_training(tiny_config("finetune", "specialist", closed, grown, on), tmp_path / "alone")
    assert e.value.next_step.endswith("--teacher tiny.")
    second = tiny_config("finetune", "specialist", closed, grown, on, teacher=str(weights))
    _, _, further = run_training(second, tmp_path / "on")
    metadata = file_facts(further / "best" / "specialist.safetensors").metadata
    assert metadata["specialist_for"] == file_sha256(weights) and metadata["parent_sha256"] == file_sha256(grown)
    # What the teacher was exported to is the same space.
    exported = tmp_path / "exported.safetensors"
    save_file(load_file(weights), exported, {"variant": NAME, "exported_from": file_sha256(weights)})
    third = tiny_config("finetune", "specialist", closed, grown, {**on, "epochs": 0}, teacher=str(exported))
    assert run_training(third, tmp_path / "exported")[0] is not None


def test_a_specialists_run_takes_the_upscalers_place_beside_its_own_weights(
    closed, weights, run_training, own_data_dir, tmp_path
):
    settings, run = load_settings(), Run(tmp_path / "runs" / "finetune" / "20260101T000000Z-specialist")
    use_weights(settings, weights)
    run_training(tiny_config("finetune", "specialist", closed, weights, {**QUICK, "epochs": 1}), run.checkpoints)
    assert set(trained_files(run)) == {"specialist"}
    taken = use_run_weights(settings, run)
    assert taken.encoder is None and taken.upscaler is not None
    assert active_upscaler(settings).specialist.weights_sha256 == active_weights(settings).sha256
    card = model_card(taken.upscaler.path)
    assert "A specialist for small faces" in card and "up to 40 px" in card and "in the space of tiny" in card
    use_weights(settings, tiny_weights(tmp_path / "other", seed=1))
    with pytest.raises(SpecialistRefused):
        use_run_weights(settings, run)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sizes_px": "16,112"}, "trains large faces"),
        ({"through": "upscaler"}, "goes through the upscaler"),
        ({"losses.teacher": 0}, "no losses.teacher"),
        ({"trains": "encoder,upscaler", "through": "upscaler"}, "trains other parts"),
        ({"start": "random"}, "start at random"),
        ({"augment.mix": 0.5, "teacher_view": "same"}, "occludes images"),
    ],
)
def test_what_leaves_the_space_is_refused(changes, why):
    with pytest.raises(SettingsInvalid, match=why):
        change(SPECIALIST, changes)
