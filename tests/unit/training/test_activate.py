"""The weights of a run: encoder and the upscaler that it was trained with, taken into use together or not at all."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, create_run, runs_root
from core.jobs.state import State, locked, write_state
from core.models.active import active_models
from core.models.active_file import read_active
from core.models.encoders import active_weights
from core.models.errors import WeightsUnhealthy
from core.models.upscalers import active_upscaler, use_upscaler
from core.settings import Settings, load_settings
from core.sr.trial import UpscalerUnusable
from core.training.activate import NothingTrained, find_trained, use_run_weights
from tests.made_weights import official_tensors, save_dsr, save_encoder


@pytest.fixture
def settings(own_data_dir: Path) -> Settings:
    return load_settings()


@pytest.fixture(scope="module")
def healthy(shared_dir: Path) -> dict[str, torch.Tensor]:
    return official_tensors(shared_dir)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_of(settings: Settings, kind: str = "finetune", **config: object) -> Run:
    run = create_run(runs_root(settings), kind, "test", config)
    (run.checkpoints / "best").mkdir()
    return run


def test_a_dsr_run_changes_the_upscaler_alone(settings: Settings) -> None:
    run = run_of(settings, "dsr")
    file = save_dsr(run.checkpoints / "best" / "upscaler.safetensors")
    adopted = use_run_weights(settings, run)
    assert adopted.encoder is None and adopted.upscaler is not None
    assert adopted.upscaler.name == f"dsr-{run.name.partition('-')[0]}"
    trained = sha256(file)
    assert active_upscaler(settings).sha256 == trained
    assert "encoder" not in read_active(settings)
    shutil.rmtree(run.path)
    assert active_upscaler(settings).sha256 == trained, "a copy is in use: the run may go"


@pytest.mark.parametrize("which", ["best", "last"])
def test_a_run_without_weights_says_so(settings: Settings, which: str) -> None:
    run = run_of(settings)
    with pytest.raises(NothingTrained, match=f"no '{which}' weights"):
        use_run_weights(settings, run, which)  # type: ignore[arg-type]
    assert not settings.active_path.exists()


@pytest.mark.shared
def test_encoder_and_upscaler_come_into_use_together(settings: Settings, healthy) -> None:
    run = run_of(settings)
    dsr = save_dsr(run.checkpoints / "best" / "upscaler.safetensors", bicubic_px=(32,))
    encoder = run.checkpoints / "best" / "encoder.safetensors"
    save_encoder(encoder, healthy, parent_sha256="a" * 64, trained_with_upscaler=sha256(dsr))
    adopted = use_run_weights(settings, run)
    assert (active_weights(settings).sha256, active_upscaler(settings).sha256) == (sha256(encoder), sha256(dsr))
    assert adopted.encoder is not None and adopted.encoder.origin == "fine-tuned"
    assert adopted.encoder.name == f"finetune-{run.name.partition('-')[0]}"
    assert active_models(settings).mismatch == ""
    use_upscaler(settings, "bicubic")
    assert "trained on faces enlarged by another super-resolution network" in active_models(settings).mismatch


@pytest.mark.shared
@pytest.mark.parametrize("broken", ["encoder", "upscaler"])
def test_when_one_is_broken_neither_changes(settings: Settings, healthy, broken: str) -> None:
    use_upscaler(settings, "bicubic")
    before = settings.active_path.read_bytes()
    run = run_of(settings)
    collapsed = {k: v * 0.02 if k.startswith("head.") or ".head." in k else v for k, v in healthy.items()}
    spoilt = {k: torch.randn_like(v) * 0.02 if v.is_floating_point() else v for k, v in collapsed.items()}
    save_encoder(run.checkpoints / "best" / "encoder.safetensors", spoilt if broken == "encoder" else healthy)
    save_dsr(run.checkpoints / "best" / "upscaler.safetensors", harm=broken == "upscaler")
    with pytest.raises((WeightsUnhealthy, UpscalerUnusable)):
        use_run_weights(settings, run)
    assert settings.active_path.read_bytes() == before
    assert not settings.weights_dir.exists() or not list(settings.weights_dir.iterdir())


@pytest.mark.shared
def test_an_upscaler_that_the_run_only_used_is_found_or_missed(settings: Settings, healthy, tmp_path: Path) -> None:
    dsr = save_dsr(tmp_path / "frozen.safetensors")
    run = run_of(settings, upscaler=str(dsr))
    encoder = run.checkpoints / "best" / "encoder.safetensors"
    save_encoder(encoder, healthy, parent_sha256="a" * 64, trained_with_upscaler=sha256(dsr))
    dsr.rename(tmp_path / "moved.safetensors")
    with pytest.raises(NothingTrained, match="is gone") as missed:
        use_run_weights(settings, run)
    assert sha256(tmp_path / "moved.safetensors")[:12] in missed.value.what
    assert not settings.active_path.exists()
    settings.weights_dir.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "moved.safetensors", settings.weights_dir / "other name.safetensors")
    adopted = use_run_weights(settings, run)
    assert adopted.upscaler is not None and adopted.upscaler.name == "other name"
    bicubic = run_of(settings, upscaler="bicubic")
    save_encoder(bicubic.checkpoints / "best" / "encoder.safetensors", healthy, trained_with_upscaler="bicubic")
    assert use_run_weights(settings, bicubic).upscaler is not None
    assert active_upscaler(settings).path is None


def ended(settings: Settings, status: str, kind: str = "finetune", weights: bool = True) -> Run:
    run = run_of(settings, kind)
    if weights:
        (run.checkpoints / "best" / "encoder.safetensors").write_bytes(b"x")
    with locked(run.path):
        write_state(run.path, State(status))  # type: ignore[arg-type]
    return run


def test_last_is_the_newest_run_that_is_done_and_has_weights(settings: Settings) -> None:
    root = runs_root(settings)
    with pytest.raises(NothingTrained, match="No training run exists"):
        find_trained(root, "last")
    ended(settings, "done", kind="evaluate")
    with pytest.raises(NothingTrained, match="No training run exists"):
        find_trained(root, "last")
    earlier = ended(settings, "done")
    done = ended(settings, "done")
    assert find_trained(root, "last").run == done and not find_trained(root, "last").note
    failed, empty = ended(settings, "failed"), ended(settings, "done", kind="dsr", weights=False)
    ended(settings, "done", kind="evaluate")
    found = find_trained(root, "last")
    assert found.run == done and found.passed_over == (empty, failed)
    assert f"{failed.id} (failed)" in found.note
    assert find_trained(root, "finetune").run == done
    assert find_trained(root, failed.id).run == failed and find_trained(root, earlier.name).run == earlier
    with pytest.raises(NothingTrained, match=r"matches “dsr” is done and has weights\. The newest, dsr/") as refused:
        find_trained(root, "dsr")
    assert "full name" in refused.value.next_step
    with pytest.raises(RunNotFound):
        find_trained(root, "nothing like it")
