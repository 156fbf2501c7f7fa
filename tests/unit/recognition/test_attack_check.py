"""The check in use: chosen, changed, gone; what it refuses: identifying, comparing, enrolling, before a camera."""

from __future__ import annotations

import json

import numpy as np
import pytest
import skimage.data

from core import cli
from core.enrolment.drafts import NothingToEnrol, prepare_enrolment
from core.enrolment.enrol import enrol
from core.faces.attack import AttackCheck, AttackCheckUnusable, AttackModel
from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.pipeline import Pipeline, PipelineConfig
from core.recognition.attack_check import UNPROTECTED, chosen_check, load_check, use_check
from core.settings import load_settings
from core.sr import bicubic
from core.video.live import LiveIdentifier
from tests.unit.faces.onnx_model import write_model

ABOUT = AttackModel(32, attack=(1,))


class Mean:
    """An encoder in name: every face is the same person."""

    name, weights_sha256, flip_tta, dim = "mean", "d" * 64, False, 512

    def encode(self, images):
        return np.eye(512, dtype=np.float32)[[0] * len(images)]


@pytest.fixture
def model(tmp_path):
    """Takes for an attack what is more blue than red on the whole."""
    return write_model(tmp_path / "m.onnx", np.float32([[0, -1], [0, 0], [0, 1]]), np.float32([0, 0]), 32)


@pytest.fixture
def pipeline(model):
    with Gallery.open(":memory:") as gallery:
        yield Pipeline(PipelineConfig(), Mean(), bicubic(), Detector(), gallery, AttackCheck(model, ABOUT))


GENUINE = skimage.data.astronaut()
ATTACK = np.ascontiguousarray(GENUINE[..., ::-1])


def test_an_attack_is_refused_with_its_score_wherever_a_face_is_looked_at(pipeline):
    enrol(pipeline, "Ada", prepare_enrolment(pipeline, [GENUINE], ["a.png"]))
    assert pipeline.run(GENUINE).identity == "Ada" and pipeline.run(GENUINE).probe.attack.score < 0.5
    found = pipeline.run(ATTACK)
    assert (found.outcome, found.identity, found.score, found.is_attack) == ("unrecognisable", None, None, True)
    assert "looks like a presentation attack (score 1.00, refused from 0.50 on)" in found.reason
    assert pipeline.compare(GENUINE, ATTACK).same is None
    draft = prepare_enrolment(pipeline, [ATTACK], ["b.png"])
    assert not draft.usable and "presentation attack" in draft.photos[0].reason
    with pytest.raises(NothingToEnrol, match="presentation attack"):
        enrol(pipeline, "Eve", draft)


def test_before_a_camera_an_attack_takes_the_name_away_and_the_evidence_with_it(pipeline):
    enrol(pipeline, "Ada", prepare_enrolment(pipeline, [GENUINE], ["a.png"]))
    live = LiveIdentifier(pipeline)
    seen = [live.look(picture, at).faces[0] for at, picture in enumerate((GENUINE, GENUINE, ATTACK, GENUINE))]
    assert [each.recognition.identity for each in seen] == ["Ada", "Ada", None, "Ada"]
    assert seen[2].recognition.is_attack and [each.frames for each in seen] == [1, 2, 0, 1]


def test_without_one_nothing_is_said_to_be_protected(own_data_dir, capsys):
    assert load_check(load_settings()) is None
    assert cli.run(["attacks", "show"]) == 0 and UNPROTECTED in capsys.readouterr().out
    from core.diagnostics.doctor import check_attacks

    assert "taken for the person it shows" in check_attacks(load_settings()).detail


def test_it_is_chosen_tried_and_switched_off_by_commands(own_data_dir, tmp_path, model, capsys):
    from PIL import Image

    for name, picture in (("genuine.png", GENUINE), ("print.png", ATTACK)):
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "about.json").write_text(json.dumps(ABOUT.to_json()))
    assert cli.run(["attacks", "use", str(model), "--about", str(tmp_path / "about.json")]) == 0
    assert chosen_check(load_settings()).model == ABOUT
    capsys.readouterr()
    pictures = [str(tmp_path / "genuine.png"), str(tmp_path / "print.png")]
    assert cli.run(["attacks", "try", *pictures, "--json"]) == 0
    assert [row["answer"] for row in json.loads(capsys.readouterr().out)] == ["passes", "refused"]
    assert cli.run(["attacks", "off"]) == 0 and chosen_check(load_settings()) is None


def test_a_model_that_is_gone_or_changed_stops_recognition_instead_of_leaving_it_unprotected(own_data_dir, model):
    settings = load_settings()
    use_check(settings, model, ABOUT)
    assert load_check(settings) is not None
    write_model(model, np.float32([[0, 0]] * 3), np.float32([0, -160]), 32)
    with pytest.raises(AttackCheckUnusable, match="has changed"):
        load_check(settings)
    model.unlink()
    with pytest.raises(AttackCheckUnusable, match="any more"):
        load_check(settings)
