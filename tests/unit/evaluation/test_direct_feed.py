"""Figures stand beside those of the same encoder fed directly, and of the official weights that it was trained from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.evaluation import direct_feed
from core.evaluation.command_line import command_for
from core.evaluation.config_models import PairsConfig
from core.evaluation.direct_feed import lacks_direct_feed, with_direct_feed
from core.evaluation.evaluation_spec import SystemSpec
from core.models.encoders import describe
from core.models.variants import VARIANTS
from core.settings import Settings, load_settings
from tests.made_weights import random_encoder, save_encoder


@pytest.fixture
def settings(own_data_dir: Path) -> Settings:
    return load_settings()


def weights(path: Path, **metadata: str) -> str:
    return str(save_encoder(path, random_encoder().network.state_dict(), **metadata))


def named(specs: list[SystemSpec]) -> list[tuple[str, str | None, bool]]:
    return [(Path(str(spec.weights)).stem, spec.upscaler, spec.beside) for spec in specs]


def test_each_encoder_is_also_fed_directly_once(settings: Settings, tmp_path: Path) -> None:
    own, other = (weights(tmp_path / f"{name}.safetensors") for name in ("own", "other"))
    specs = [SystemSpec(own, "dsr.safetensors"), SystemSpec(own, "bicubic"), SystemSpec(other, "dsr.safetensors")]
    peer = SystemSpec("peer.onnx", "dsr.safetensors")
    found = with_direct_feed([*specs, peer], settings)
    assert found[:4] == [*specs, peer] and named(found[4:]) == [("other", "bicubic", True)]
    assert lacks_direct_feed(specs) and not lacks_direct_feed(found)
    assert with_direct_feed([SystemSpec(own, "bicubic")], settings) == [SystemSpec(own, "bicubic")]


def test_flip_and_device_stay_those_of_the_system(settings: Settings, tmp_path: Path) -> None:
    spec = SystemSpec(weights(tmp_path / "own.safetensors"), "dsr.safetensors", use_tta=True, device="cpu")
    assert with_direct_feed([spec], settings)[1] == replace(spec, upscaler="bicubic", beside=True)


def test_fine_tuned_weights_stand_beside_the_official_ones_they_come_from(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [
        replace(describe(Path(weights(tmp_path / f"{name}.safetensors", made_at=name))), official=official)
        for name, official in (("xxs", VARIANTS["edgeface_xxs"]), ("xs", VARIANTS["edgeface_xs_q"]))
    ]
    monkeypatch.setattr(direct_feed, "scan", lambda settings: stored)
    tuned = weights(tmp_path / "tuned.safetensors", parent_sha256=stored[0].sha256)
    found = named(with_direct_feed([SystemSpec(tuned, "dsr.safetensors")], settings))
    assert found == [("tuned", "dsr.safetensors", False), ("tuned", "bicubic", True), ("xxs", "bicubic", True)]


def test_the_command_line_asks_for_the_same_systems() -> None:
    spec = SystemSpec("own.safetensors", "dsr.safetensors")
    both = (spec, replace(spec, upscaler="bicubic", beside=True))

    def words(systems: tuple[SystemSpec, ...]) -> str:
        return command_for(PairsConfig(images="images", pairs="pairs.txt", systems=systems))

    assert words(both).endswith("--weights own.safetensors --upscaler dsr.safetensors")
    assert words((spec,)).endswith("--weights own.safetensors --upscaler dsr.safetensors --no-direct-feed")
    assert "--no-direct-feed" not in words((replace(spec, upscaler="bicubic"),))
