"""Every figure names its aligner, and evaluations by different aligners say so when they are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.evaluation.compare_runs import differing_aligners
from core.evaluation.pictures import Picture
from core.evaluation.protocol import AS_IN_DATA, aligner_of
from core.models.landmark_networks import describe, resolve_landmarks
from core.models.report_figures import figures_of_report
from core.settings import load_settings

CROP = Picture(Path("a.png"), "Ada", "a", True, "aa")


def test_photographs_are_aligned_by_the_landmark_network_in_use_and_crops_were_before() -> None:
    network = describe(resolve_landmarks(load_settings()))
    photograph = replace(CROP, aligned=False)
    assert aligner_of([CROP]) == AS_IN_DATA
    assert aligner_of([CROP, photograph]) == f"YuNet + {network.name} ({network.sha256[:12]})"


def test_a_difference_of_aligners_is_named() -> None:
    assert differing_aligners({"A": "YuNet + one (12)", "B": "YuNet + one (12)"}) == []
    [said] = differing_aligners({"A": "YuNet + one (12)", "B": "not recorded"})
    assert said.startswith("Their faces were aligned differently (A: YuNet + one (12); B: not recorded)")


def test_the_figures_of_weights_take_it_into_their_protocol() -> None:
    system = {"label": "a", "name": "a", "weights_sha256": "ab" * 32, "upscaler": "dsr", "flip_tta": False}
    row = {"system": "a", "protocol": "all pairs", "mode": "aligned", "probe": "16 px", "pairing": "VLR-VLR"}
    rates = {"eer_low": None, "eer_high": None}
    rows = [row | rates | {"degradation": kind, "eer": eer} for kind, eer in (("bicubic", 0.1), ("camera", 0.3))]
    protocol = {"data": "mine", "pictures": 9, "people": 4, "systems": [system], "aligner": "YuNet + one (12)"}
    told = figures_of_report({"protocol": protocol, "figures": {"verification": rows}})
    assert "aligned, aligner YuNet + one (12), flip TTA off" in told.protocol
    assert told.eer["16"].value == 0.1 and told.camera.eer["16"].value == 0.3 and not told.camera.eer_vlr_hr
    old = figures_of_report({"protocol": {**protocol, "aligner": ""}, "figures": {"verification": rows}})
    assert "aligner" not in old.protocol
