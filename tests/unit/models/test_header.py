"""Figures in a file's header: one schema, written and read by the same model; anything else is left out."""

from __future__ import annotations

import json

import pytest

from core.models.header import read_card
from core.models.measured import Measured, Rate, Rates, figures_of_validation, read_figures

VALIDATED = {
    "similarity": 0.7,
    "eer": 0.05,
    "eer_vlr_vlr": 0.07,
    "rank1": 0.8,
    "by_size": {
        "16": {"similarity": 0.6, "eer": 0.06, "eer_vlr_vlr": 0.08, "rank1": 0.7, "psnr_db": 22.5, "accuracy": None},
        "32": {"similarity": 0.8, "eer": 0.04, "eer_vlr_vlr": 0.06, "rank1": None},
    },
}


def test_what_is_written_is_read_back() -> None:
    bicubic = Measured("lfw, upscaler bicubic", {"16": Rate(0.2)}, upscaler="bicubic", upscaler_name="bicubic")
    same_size, one_small = {"HR": Rate(0.006), "16": Rate(0.1, 0.05, 0.15)}, {"16": Rate(0.09)}
    further = {"16": {"rank1": 0.8}}
    measured = Measured("lfw, upscaler dsr", same_size, one_small, bicubic, "evaluation", "ab" * 32, further, "dsr")
    assert read_figures(json.loads(json.dumps(measured.to_dict()))) == measured


@pytest.mark.parametrize("earlier", [False, True])
def test_figures_of_a_training_are_read_back(earlier: bool) -> None:
    """As trainings write them, and as they wrote them before."""
    told = figures_of_validation(VALIDATED, protocol="lfw, val", bicubic=VALIDATED)
    assert told is not None
    header = json.dumps(VALIDATED if earlier else told.to_dict())
    card = read_card({"figures": header, "trained_with_upscaler": "ab" * 32})
    measured = card.measured
    assert measured is not None and measured.source == "validation" and measured.upscaler == "ab" * 32
    assert {size: rate.value for size, rate in measured.eer.items()} == {"32": 0.06, "16": 0.08}
    assert {size: rate.value for size, rate in measured.eer_vlr_hr.items()} == {"32": 0.04, "16": 0.06}
    assert measured.further == {"16": {"rank1": 0.7, "similarity": 0.6, "psnr_db": 22.5}, "32": {"similarity": 0.8}}
    if not earlier:
        assert measured.direct_feed is not None and measured.direct_feed.upscaler == "bicubic"


def test_a_validation_without_pairs_has_no_figures() -> None:
    assert (
        figures_of_validation({"similarity": 0.7, "by_size": {"16": {"similarity": 0.6, "eer": None}}}, protocol="")
        is None
    )
    for by_size in (None, [], "16", {"16": 3}):
        assert figures_of_validation({"by_size": by_size}, protocol="") is None


CAMERA_RATES = Rates({"16": Rate(0.3, 0.2, 0.4)}, {"16": Rate(0.25)})


def test_the_cameras_rates_stand_beside_the_bicubic_ones_with_the_direct_feed_below() -> None:
    fed = Measured(
        "lfw, upscaler bicubic",
        {"16": Rate(0.2)},
        upscaler="bicubic",
        upscaler_name="bicubic",
        camera=Rates({"16": Rate(0.28)}),
    )
    measured = Measured(
        "lfw, upscaler dsr",
        {"HR": Rate(0.01), "16": Rate(0.1)},
        direct_feed=fed,
        upscaler_name="dsr",
        camera=CAMERA_RATES,
    )
    assert read_figures(json.loads(json.dumps(measured.to_dict()))) == measured
    assert [(title, rates["16"].value) for title, rates in measured.rows] == [
        ("bicubic, both the same size", 0.1),
        ("camera, both the same size", 0.3),
        ("camera, one small, one full size", 0.25),
        ("direct feed, bicubic, both the same size", 0.2),
        ("direct feed, camera, both the same size", 0.28),
    ]
    assert measured.sizes == ["HR", "16"]
    assert measured.line == "HR 1.00 %, 16 px 10.00 %; camera: 16 px 30.00 %"


def test_figures_written_before_cameras_were_measured_are_read() -> None:
    """They say "bicubic" for the direct feed."""
    older = {"protocol": "lfw, upscaler dsr", "eer": {"16": 0.1}, "bicubic": {"eer": {"16": [0.2, 0.1, 0.3]}}}
    read = read_figures(older)
    assert read is not None and read.camera == Rates() and [name for name, _ in read.by_degradation] == ["bicubic"]
    assert read.direct_feed is not None and read.direct_feed.eer == {"16": Rate(0.2, 0.1, 0.3)}
    assert read.direct_feed.protocol == "lfw, upscaler bicubic" and read.line == "16 px 10.00 %"


def test_figures_of_cameras_alone_and_of_a_training_under_both_degradations_are_read() -> None:
    only = Measured("lfw", camera=CAMERA_RATES)
    assert read_figures(only.to_dict()) == only and only.line == "camera: 16 px 30.00 %"
    told = figures_of_validation({**VALIDATED, "camera": VALIDATED["by_size"]}, protocol="val")
    assert told is not None and told.camera.eer_vlr_hr["16"].value == 0.06 and told.camera.eer["32"].value == 0.06
