"""An evaluation becomes the figures of the weights that it measured, where its protocol fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.evaluation.job import fitting_figures, keep_weights_figures
from core.models.encoders import describe
from core.models.figures import keep_figures, kept_figures, measured
from core.models.measured import Measured, Rate
from core.settings import Settings, load_settings
from tests.made_weights import save_encoder

VALIDATION = {"by_size": {"16": {"eer": 0.01, "eer_vlr_vlr": 0.02}}}
_ROW = {"mode": "aligned", "protocol": "all pairs", "degradation": "bicubic", "probe": "16 px", "pairing": "VLR-VLR"}


@pytest.fixture
def settings(own_data_dir: Path) -> Settings:
    return load_settings()


def report_of(sha256: str, **changes: Any) -> dict[str, Any]:
    systems = [
        {
            "label": f"tuned + {name}",
            "name": "tuned",
            "weights_sha256": sha256,
            "upscaler": name,
            "upscaler_id": id_,
            "flip_tta": False,
        }
        for name, id_ in (("bicubic", "bicubic"), ("dsr", "dd" * 32))
    ]
    rows = [
        _ROW | {"system": one["label"], "eer": 0.2 - place / 10, "eer_low": 0.05, "eer_high": 0.3}
        for place, one in enumerate(systems)
    ]
    protocol = {"data": "mine", "split": "test", "pictures": 60, "people": 12, "systems": systems, **changes}
    return {"kind": "dataset", "protocol": protocol, "figures": {"verification": rows}}


def test_fine_tuned_weights_take_their_evaluations_figures(settings: Settings, tmp_path: Path) -> None:
    file = describe(save_encoder(tmp_path / "tuned.safetensors", {}, parent_sha256="ab" * 32, figures=VALIDATION))
    before = measured(file, settings)
    assert before is not None and before.source == "validation" and before.eer["16"].value == 0.02
    keep_weights_figures(report_of(file.sha256), settings)
    found = measured(file, settings, "dd" * 32)
    assert found is not None and found.source == "evaluation" and found.eer["16"] == Rate(0.1, 0.05, 0.3)
    assert found.protocol.startswith("mine, test, all pairs of 60 pictures of 12 people, aligned, flip TTA off")
    assert found.direct_feed is not None and found.direct_feed.eer["16"].value == 0.2
    through_bicubic = measured(file, settings, "bicubic")
    assert through_bicubic is not None and through_bicubic.eer["16"].value == 0.2
    assert through_bicubic.protocol.endswith(", upscaler bicubic")
    assert through_bicubic.upscaler == through_bicubic.upscaler_name == "bicubic"
    other = measured(file, settings, "ee" * 32)
    assert other is not None and other.upscaler_name == "dsr", "the latest, and it says what it was measured with"


def test_a_file_that_brings_evaluated_figures_keeps_them(settings: Settings, tmp_path: Path) -> None:
    figures = Measured("lfw", {"16": Rate(0.07)}, upscaler="bicubic", upscaler_name="bicubic").to_dict()
    file = describe(save_encoder(tmp_path / "shipped.safetensors", {}, figures=figures))
    keep_weights_figures(report_of(file.sha256), settings)
    found = measured(file, settings, "dd" * 32)
    assert found is not None and found.protocol == "lfw"


@pytest.mark.parametrize(
    "changes",
    [{"synthetic": True}, {"people_known": {"tuned + bicubic": 1, "tuned + dsr": 1}}, {"systems": []}],
    ids=["drawn faces", "people it was trained on", "no system"],
)
def test_what_does_not_fit_is_no_figure(changes: dict[str, Any]) -> None:
    assert fitting_figures(report_of("aa" * 32, **changes)) == []


def test_other_kinds_modes_degradations_and_recognisers_do_not_fit() -> None:
    whole = report_of("aa" * 32)
    assert len(fitting_figures(whole)) == 2
    assert fitting_figures({**whole, "kind": "benchmark"}) == []
    for other in ({"mode": "end to end"}, {"degradation": "camera"}):
        rows = [row | other for row in whole["figures"]["verification"]]
        assert fitting_figures({**whole, "figures": {"verification": rows}}) == []
    assert fitting_figures({**whole, "figures": {}}) == [], "no pair could be compared"
    peers = [{**one, "kind": "onnx"} for one in whole["protocol"]["systems"]]
    assert fitting_figures({**whole, "protocol": {**whole["protocol"], "systems": peers}}) == []


def test_a_later_evaluation_replaces_the_earlier_one_with_the_same_upscaler(settings: Settings) -> None:
    first = Measured("one", {"16": Rate(0.1)}, upscaler="bicubic")
    for each in (first, replace(first, upscaler="dd"), replace(first, protocol="two")):
        keep_figures(settings, "aa", each)
    assert [(one.protocol, one.upscaler) for one in kept_figures(settings, "aa")] == [("one", "dd"), ("two", "bicubic")]
    (settings.data_dir / "figures" / "aa.json").write_text("[1, {}")
    assert kept_figures(settings, "aa") == []
