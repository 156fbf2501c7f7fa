"""What ships together is in use out of the box, and doesn't warn of itself; what nobody measured together does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.in_use import in_use
from core.settings import load_settings

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "models"


def test_the_shipped_pair_is_in_use_and_calm(tmp_path: Path) -> None:
    used = in_use(load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_MODELS_DIR": str(SHIPPED)}))
    assert used.encoder is not None and used.encoder.origin == "starter"
    assert used.upscaler is not None and used.upscaler.name == "edgeface-dsr"
    assert used.mismatch == ""


def test_the_starter_with_a_network_that_was_not_measured_with_it_warns(tmp_path: Path) -> None:
    settings = load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_MODELS_DIR": str(SHIPPED)})
    used = in_use(settings)
    assert used.encoder is not None and used.upscaler is not None
    other = replace(used, upscaler=replace(used.upscaler, name="other", sha256="0" * 64))
    assert "trained on faces enlarged by bicubic; in use is other" in other.mismatch
