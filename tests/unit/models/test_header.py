"""Figures in a file's header: one schema, written and read by the same model; anything else is left out."""

from __future__ import annotations

import json

import pytest

from core.models.header import Measured, Rate, figures_of_validation, read_card, read_figures

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
        assert measured.bicubic is not None and measured.bicubic.upscaler == "bicubic"


def test_a_validation_without_pairs_has_no_figures() -> None:
    assert (
        figures_of_validation({"similarity": 0.7, "by_size": {"16": {"similarity": 0.6, "eer": None}}}, protocol="")
        is None
    )
    for by_size in (None, [], "16", {"16": 3}):
        assert figures_of_validation({"by_size": by_size}, protocol="") is None
