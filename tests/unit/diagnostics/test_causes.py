"""A similarity that is too high: each of the three causes planted, found, and told with its evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from face_sets import faces_dataset

from core.diagnostics.causes import diagnose, diagnosis_of
from core.diagnostics.check import FaceCheck, SizeCheck, check_on_faces, sample_of, sizes_of
from core.diagnostics.spread import spread_of
from core.encoder.health import measure_health
from core.errors import SettingsInvalid
from core.evaluation.pictures import Picture, pictures_of_dataset
from core.jobs.json_values import json_value
from core.sr.upscale import bicubic


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def made_check(*, similarity=0.93, detail_db=27.0, between=0.02, same_files=0) -> FaceCheck:
    """A check's figures as healthy weights give them, but for what is asked."""
    rows = unit(np.random.default_rng(0).normal(size=(60, 512)))
    health = replace(measure_health(rows), mean_abs_cosine=between)
    size = SizeCheck(
        16,
        "stored",
        "dsr",
        similarity,
        similarity - 0.05,
        similarity - 0.1,
        0.01,
        detail_db,
        same_files,
        45,
        50,
        (0.78, 0.96),
        40,
        (0.66, 0.89),
        similarity - 0.02,
        9.0,
        1.0,
        between,
        50.0,
    )
    return FaceCheck(
        "edgeface_xxs", "a" * 64, "dsr", 60, 60, False, health, spread_of(rows, np.arange(60)), 9.0, 1.0, (size,)
    )


def found(diagnosis):
    return {answer.cause: answer.found for answer in diagnosis.answers}


def test_nothing_is_found_where_nothing_is_wrong():
    told = diagnose(made_check(), "faces")
    assert found(told) == {"A": False, "B": False, "C": False} and told.ok and told.alarm is None
    assert "0.9300" in told.text and "not too high" in told.text
    assert "90.0 % [78.0, 96.0]" in told.answers[2].text and "80.0 % [66.0, 89.0]" in told.answers[2].text
    assert told.protocol.startswith("faces, 60 aligned faces of 60 people")


def test_a_really_good_upscaler_is_cause_a():
    told = diagnose(made_check(similarity=0.9995), "faces")
    assert found(told) == {"A": True, "B": False, "C": False} and told.ok
    assert told.alarm.cause.startswith("A: ") and told.alarm.severity == "notice"


@pytest.mark.parametrize("fault", [{"detail_db": 40.0}, {"detail_db": 100.0, "same_files": 60}])
def test_the_same_images_are_cause_b(fault):
    told = diagnose(made_check(similarity=0.9999, **fault), "faces")
    assert found(told) == {"A": False, "B": True, "C": False} and not told.ok
    assert told.alarm.cause.startswith("B: ")


def test_a_collapse_is_cause_c_whatever_else_is_found():
    told = diagnose(made_check(similarity=0.9999, between=0.96, detail_db=50.0), "faces")
    assert found(told) == {"A": False, "B": True, "C": True} and told.alarm.cause.startswith("C: ")


def test_a_fault_is_told_also_where_similarity_is_low():
    told = diagnose(made_check(similarity=0.7, between=0.6), "faces")
    assert told.alarm is None and not told.ok and "different people look alike" in told.text


def test_a_report_comes_back_as_it_was():
    told = diagnose(made_check(similarity=0.9999, between=0.96), "faces")
    back = diagnosis_of(json_value(told.facts()))
    assert back == told


def test_a_collapsed_model_is_found_on_faces(collapsed, tmp_path):
    pictures = pictures_of_dataset(faces_dataset(tmp_path / "set"))
    check = check_on_faces(collapsed, bicubic(), pictures)
    told = diagnose(check, "set")
    assert check.sizes[0].similarity > 0.999 and check.hr.effective_rank < 60
    assert found(told)["C"] and not found(told)["B"] and told.alarm.cause.startswith("C: ")
    assert not check.health.healthy and not check.facts()["health"]["healthy"]


@pytest.mark.shared
def test_hr_given_as_vlr_is_found_and_healthy_weights_are_not_blamed(shared_dir, tmp_path):
    from core.encoder.encode import load_encoder

    encoder = load_encoder(shared_dir / "weights" / "edgeface_xxs_q.pt", device="cpu")
    same = pictures_of_dataset(faces_dataset(tmp_path / "same", vlr_is_hr=True))
    check = check_on_faces(encoder, bicubic(), same)
    told = diagnose(check, "same")
    assert [(one.size_px, one.same_files) for one in check.sizes] == [(112, 24)]
    assert found(told) == {"A": False, "B": True, "C": False} and told.alarm.cause.startswith("B: ")
    sound = pictures_of_dataset(faces_dataset(tmp_path / "sound"))
    good = check_on_faces(encoder, bicubic(), sound)
    assert diagnose(good, "sound").ok and good.sizes[0].detail_db < 40 and good.norm > 0
    assert good.sizes[0].similarity > good.sizes[0].strangers + 0.3


def picture(identity, number):
    return Picture(None, identity, f"{identity}-{number}", True, f"{identity}-{number}")


def test_a_sample_takes_people_with_two_pictures_first_and_is_the_same_again():
    pictures = [picture(f"p{n:03d}", 0) for n in range(100)] + [picture(f"q{n}", k) for n in range(5) for k in range(4)]
    sample = sample_of(pictures, 30)
    assert sum(one.identity.startswith("q") for one in sample) == 10 and len(sample) == 30
    assert sample == sample_of(pictures, 30) != sample_of(pictures, 30, seed=1)


def test_sizes_are_the_stored_ones_whatever_they_claim(tmp_path):
    assert sizes_of([picture("a", 0)]) == {32: "bicubic", 24: "bicubic", 16: "bicubic"}
    stored = pictures_of_dataset(faces_dataset(tmp_path / "same", people=2, vlr_is_hr=True))
    assert sizes_of(stored) == {112: "stored"}


def test_a_single_face_is_refused(collapsed):
    with pytest.raises(SettingsInvalid, match="at least two"):
        check_on_faces(collapsed, bicubic(), [picture("a", 0)])
