"""Files are read by what they hold; nothing in them ever runs."""

from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.encoder.archive import read_archive
from core.models.errors import WeightsMissing, WeightsUnsafe


def test_a_plain_state_dict_comes_back_as_it_was(saved) -> None:
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(3)}
    archive = read_archive(saved(state))
    assert archive.kind == "state dict"
    assert set(archive.tensors) == {"a.weight", "steps"}
    assert torch.equal(archive.tensors["a.weight"], state["a.weight"])


def test_nested_containers_become_dotted_names(saved) -> None:
    archive = read_archive(saved({"backbone_state_dict": {"w": torch.ones(2)}, "epoch": 7}))
    assert set(archive.tensors) == {"backbone_state_dict.w"}
    assert archive.values == {"epoch": 7}


def test_the_format_before_pytorch_1_6_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({"w": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_archive(path).tensors["w"], torch.ones(3))


def test_safetensors_is_known_by_content_and_keeps_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "named.pt"
    save_file({"w": torch.ones(2, 2)}, str(path), metadata={"variant": "edgeface_xxs"})
    archive = read_archive(path)
    assert archive.kind == "safetensors"
    assert archive.metadata == {"variant": "edgeface_xxs"}
    assert torch.equal(archive.tensors["w"], torch.ones(2, 2))


def test_an_int8_linear_is_dequantised_to_what_torch_computes(saved) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 4))
    with pytest.warns(Warning):
        quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    archive = read_archive(saved(quantised.state_dict()))
    assert archive.int8
    assert set(archive.tensors) == {"0.weight", "0.bias"}
    weight = archive.tensors["0.weight"]
    scale = quantised[0].weight().q_scale()
    # Each int8 value times the scale: on the grid, and within half a step of the float weight.
    assert torch.allclose(weight / scale, torch.round(weight / scale), atol=1e-4)
    assert (weight - model[0].weight).abs().max() <= scale / 2 + 1e-6
    assert not weight.is_quantized


class _Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.register_buffer("steps", torch.tensor([4.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + self.steps


def _scripted(tmp_path: Path) -> tuple[Path, _Branch]:
    module = _Branch()
    path = tmp_path / "scripted.pt"
    torch.jit.save(torch.jit.script(module), str(path))
    return path, module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_archive_gives_its_tensors(tmp_path: Path) -> None:
    path, module = _scripted(tmp_path)
    archive = read_archive(path)
    assert archive.kind == "TorchScript"
    for key, tensor in module.state_dict().items():
        assert torch.equal(archive.tensors[key], tensor)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_code_is_never_read(tmp_path: Path) -> None:
    path, module = _scripted(tmp_path)
    broken = tmp_path / "broken.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            content = b"this is not code (" if "/code/" in name else source.read(name)
            target.writestr(name, content)
    with pytest.raises(RuntimeError):
        torch.jit.load(str(broken))
    assert torch.equal(read_archive(broken).tensors["inner.weight"], module.inner.weight)


def test_a_pickled_config_class_is_left_inert(tmp_path: Path) -> None:
    main = types.ModuleType("finetune_edgeface")
    exec("class FinetuneConfig:\n    def __init__(self): self.stage1_epochs = 5", main.__dict__)
    sys.modules["finetune_edgeface"] = main
    path = tmp_path / "edgeface_finetuned.pth"
    try:
        torch.save({"backbone_state_dict": {"w": torch.ones(2)}, "config": main.FinetuneConfig()}, path)
    finally:
        del sys.modules["finetune_edgeface"]
    archive = read_archive(path)
    assert archive.inert_classes == ("finetune_edgeface.FinetuneConfig",)
    assert archive.values["config.stage1_epochs"] == 5
    assert torch.equal(archive.tensors["backbone_state_dict.w"], torch.ones(2))


class _Malicious:
    """Unpickled by pickle.load, this makes a folder."""

    def __init__(self, marker: Path, call=os.mkdir) -> None:
        self.marker, self.call = marker, call

    def __reduce__(self):
        return (self.call, (str(self.marker),))


def _write_flag(path: str) -> None:
    Path(path).write_text("executed")


@pytest.mark.parametrize("call", [os.mkdir, os.system, eval, exec, _write_flag, Path.touch], ids=lambda c: c.__name__)
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before 1.6"])
def test_a_malicious_pickle_never_runs(tmp_path: Path, call, legacy: bool) -> None:
    marker = tmp_path / "executed"
    payload = marker if call in (os.mkdir, _write_flag, Path.touch) else f"__import__('os').mkdir({str(marker)!r})"
    if call is os.system:
        payload = f"mkdir {marker}"
    path = tmp_path / "weights.pt"
    content = {"w": torch.ones(2), "config": _Malicious(payload, call)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    try:
        archive = read_archive(path)
    except WeightsUnsafe as refused:
        assert "weights.pt" in str(refused)
    else:
        assert torch.equal(archive.tensors["w"], torch.ones(2))
    assert not marker.exists()


def test_the_same_payload_does_run_in_a_plain_pickle(tmp_path: Path) -> None:
    """The attack is real: what the reader keeps inert makes a folder when pickle itself loads it."""
    marker = tmp_path / "executed"
    pickle.loads(pickle.dumps(_Malicious(marker)))
    assert marker.is_dir()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"just text, named .pt\n" * 20, "can't be read"),
        (b"PK\x03\x04 cut off", "can't be read"),
        (b"\x80\x04\x95 cut off pickle", "can't be read"),
        (b"\xff" * 4096, "can't be read"),
        ((2**40).to_bytes(8, "little") + b"{}", "can't be read"),
        ((50).to_bytes(8, "little") + b"{" + b"x" * 100, "damaged"),
    ],
    ids=["0 bytes", "text", "cut zip", "cut pickle", "noise", "absurd header", "bad safetensors"],
)
def test_what_is_no_weights_file_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "strange.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsUnsafe) as refused:
        read_archive(path)
    assert "strange.pt" in refused.value.what
    assert says in refused.value.what
    assert refused.value.next_step


def test_a_truncated_checkpoint_is_refused(saved) -> None:
    path = saved({"w": torch.ones(500, 500)})
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(WeightsUnsafe):
        read_archive(path)


def test_a_zip_of_photographs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8\xff")
    with pytest.raises(WeightsUnsafe, match="without PyTorch data"):
        read_archive(path)


def test_a_checkpoint_without_tensors_is_refused(saved) -> None:
    with pytest.raises(WeightsUnsafe, match="no tensors"):
        read_archive(saved({"epoch": 3}))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"nothing-here\.pt"):
        read_archive(tmp_path / "nothing-here.pt")
