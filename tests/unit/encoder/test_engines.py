"""Engines for one crop: they give what PyTorch gives, a fixed rule chooses, and the environment overrides it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.encoder import engines
from core.encoder.encode import MAX_FEW_CROPS, WARM_UP_CROPS, Encoder, load_encoder
from core.encoder.engines import MIN_COSINE, RULE, in_onnx_runtime, make_engine, onnx_file, single_crop_engine
from core.encoder.export_onnx import export_onnx, worst_cosine
from core.errors import SettingsInvalid
from core.settings import PROJECT_ROOT, Settings, load_settings

STARTER = PROJECT_ROOT / "data" / "models" / "edgeface-xxs-starter.safetensors"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(STARTER, device="cpu", check=False)


@pytest.fixture
def settings(own_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("EDGEFACE_ENGINE", raising=False)
    return load_settings()


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (count, 112, 112, 3), dtype=np.uint8)


def test_every_engine_gives_pytorchs_embedding(encoder, settings):
    crop = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(9)) * 2 - 1
    with torch.inference_mode():
        truth = encoder.network(crop.contiguous(memory_format=torch.channels_last))
    for name in engines.ENGINES:
        run = make_engine(name, encoder.network, encoder.weights_sha256, settings)
        torch.testing.assert_close(run(crop), truth, rtol=1e-3, atol=1e-3)


def test_the_rule_takes_onnx_runtime_and_stores_no_choice(encoder, settings):
    name, run = single_crop_engine(encoder.network, encoder.weights_sha256, settings)
    assert name == RULE[0] == "onnx"
    assert run(torch.zeros(1, 3, 112, 112)).shape == (1, 512)
    assert [path.suffix for path in (settings.data_dir / "engines").iterdir()] == [".onnx"]


def test_an_engine_with_another_embedding_is_skipped(encoder, settings, monkeypatch):
    wrong = torch.ones(1, 512)
    monkeypatch.setattr(engines, "in_onnx_runtime", lambda network, path, threads: lambda crop: wrong)
    assert single_crop_engine(encoder.network, encoder.weights_sha256, settings)[0] == "traced"
    monkeypatch.setattr(engines, "traced", lambda network: lambda crop: wrong)
    assert single_crop_engine(encoder.network, encoder.weights_sha256, settings)[0] == "eager"
    assert 0.999 < MIN_COSINE < 1


def test_the_environment_overrides_the_choice(encoder, settings, monkeypatch):
    monkeypatch.setenv("EDGEFACE_ENGINE", "traced")
    assert single_crop_engine(encoder.network, encoder.weights_sha256, settings)[0] == "traced"
    assert not (settings.data_dir / "engines").exists()
    monkeypatch.setenv("EDGEFACE_ENGINE", "steam")
    with pytest.raises(SettingsInvalid, match="steam"):
        single_crop_engine(encoder.network, encoder.weights_sha256, settings)


def test_what_isnt_installed_is_named_when_it_was_asked_for(encoder, settings, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    monkeypatch.setenv("EDGEFACE_ENGINE", "onnx")
    with pytest.raises(SettingsInvalid, match="onnxruntime isn't installed"):
        single_crop_engine(encoder.network, encoder.weights_sha256, settings)
    monkeypatch.setenv("EDGEFACE_ENGINE", "auto")
    assert single_crop_engine(encoder.network, encoder.weights_sha256, settings)[0] == "traced"


@pytest.mark.parametrize("damage", ["cut short", "another network's"])
def test_a_file_that_isnt_the_networks_is_written_anew(encoder, settings, damage):
    path = onnx_file(settings, encoder.weights_sha256)
    path.parent.mkdir()
    if damage == "cut short":
        path.write_bytes(b"\x08\x07")
    else:
        other = load_encoder(STARTER, device="cpu", check=False).network
        with torch.no_grad():
            other.stem[0].weight.mul_(-1)
        export_onnx(other, path, any_number=False)
    before = path.read_bytes()
    run = in_onnx_runtime(encoder.network, path)
    assert engines.agrees(run, engines.eager(encoder.network)) and path.read_bytes() != before


def test_single_crops_change_over_and_stay_alike(encoder, settings, monkeypatch):
    monkeypatch.setenv("EDGEFACE_ENGINE", "onnx")
    own = load_encoder(STARTER, device="cpu", check=False, use_tta=True)
    faces = crops(WARM_UP_CROPS)
    batch = own.encode(faces)
    assert own.engine == "eager"
    first = np.concatenate([own.encode(face[None]) for face in faces])
    assert own.engine == "onnx"  # with flip every crop is two calls
    again = np.concatenate([own.encode(face[None]) for face in faces])
    for vectors in (first, again):
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert (vectors * batch).sum(1).min() > 0.998


@pytest.mark.parametrize(
    ("engine", "count", "alone"),
    [("onnx", MAX_FEW_CROPS, MAX_FEW_CROPS), ("onnx", MAX_FEW_CROPS + 1, 0), ("traced", 2, 0)],
)
def test_a_few_crops_go_one_by_one_where_the_engine_fuses(settings, monkeypatch, engine, count, alone):
    monkeypatch.setenv("EDGEFACE_ENGINE", engine)
    own = load_encoder(STARTER, device="cpu", check=False)
    faces = crops(count)
    batch = own.encode(faces)
    for face in crops(WARM_UP_CROPS + 1):
        own.encode(face[None])
    assert own.engine == engine
    calls, single = [], own._single
    monkeypatch.setattr(own, "_single", lambda crop: calls.append(len(crop)) or single(crop))
    again = own.encode(faces)
    assert calls == [1] * alone
    assert (again * batch).sum(1).min() > 0.998


def test_an_exported_file_serves_any_number_of_crops(encoder, tmp_path):
    path = tmp_path / "any.onnx"
    export_onnx(encoder.network, path)
    assert min(worst_cosine(encoder.network, path, count) for count in (1, 3)) > 0.99999
    assert [each.name for each in tmp_path.iterdir()] == ["any.onnx"]
