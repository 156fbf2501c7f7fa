"""A file that isn't what it is called: every reader names what it is and the way to the right one, in words of ours."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save

from core.errors import CoreError
from core.evaluation.peers import OnnxEncoder
from core.faces.attack import AttackCheck, AttackModel
from core.gallery.embeddings_pt import read_embeddings_pt
from core.models.encoders import use_weights
from core.models.upscalers import use_upscaler
from core.settings import load_settings
from core.system.file_kinds import stray
from core.training.checkpoint import FILES, STATE_NAME, load_state, load_weights
from tests.unit.faces.onnx_model import write_model

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 7000000\n"
ANNEX = b"/annex/objects/SHA256E-s7000000--" + b"a" * 64 + b".pt\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>edgeface_xxs.pt at main</title></head></html>"
TENSORS = {"a": torch.ones(300, 40)}


def torch_file() -> bytes:
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer)
    return buffer.getvalue()


def picture() -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())


CASES = {
    "pointer": (POINTER, "Git LFS pointer", "git lfs pull"),
    "annex": (ANNEX, "git-annex pointer", "git annex get"),
    "page": (PAGE, "saved web page", "download link"),
    "answer": (b"Entry not found", "text, and begins “Entry not found”", "Download it again"),
    "empty": (b"", "empty (0 bytes)", "download it again"),
    "gzip": (gzip.compress(b"weights"), "a gzip archive", "Unpack"),
    "picture": (picture(), "a PNG picture", "Choose"),
}
TORCH_CASES = {
    **CASES,
    "cut zip": (torch_file()[:20_000], "cut off", "download it again"),
    "cut safetensors": (save(TENSORS)[:20_000], "cut off: 20,000 of 48,072 bytes", "download it again"),
}


def attack(path: Path) -> object:
    return AttackCheck(path, AttackModel(32, attack=(1,)))


def resumed(path: Path) -> object:
    (path.parent / STATE_NAME).write_bytes(path.read_bytes())
    return load_state(path.parent)


def checkpoint(path: Path) -> object:
    (path.parent / FILES["encoder"]).write_bytes(path.read_bytes())
    return load_weights(path.parent, "encoder")


TORCH_READERS = {
    "weights.pt": lambda path: use_weights(load_settings(), path),
    "weights.safetensors": lambda path: use_weights(load_settings(), path),
    "dsr.safetensors": lambda path: use_upscaler(load_settings(), path),
    "people.pt": read_embeddings_pt,
    "resumed.bin": resumed,
    "checkpoint.bin": checkpoint,
}
ONNX_READERS = {"peer.onnx": OnnxEncoder, "attack.onnx": attack}
MATRIX = [(name, case) for name in TORCH_READERS for case in TORCH_CASES] + [
    (name, case) for name in ONNX_READERS for case in CASES
]


@pytest.mark.parametrize(("name", "case"), MATRIX)
def test_a_stray_file_is_named_with_the_way_to_the_right_one(tmp_path, name, case):
    content, what, step = TORCH_CASES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CoreError) as refused:
        {**TORCH_READERS, **ONNX_READERS}[name](tmp_path / name)
    assert what in refused.value.what
    if not name.endswith(".bin"):  # a checkpoint is the project's own: nothing is to be downloaded
        assert step in refused.value.next_step and name in refused.value.what
    assert not any(advice in str(refused.value) for advice in ("weights_only", "torch.", "trust", "error:"))


@pytest.mark.parametrize("name", TORCH_READERS)
@pytest.mark.parametrize("content", [b"\x80\x02}q\x01(X\x01\x00\x00\x00wctorch\nload\nq\x02", b"\xff" * 999], ids=str)
def test_what_cant_be_named_is_refused_without_the_readers_advice(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CoreError) as refused:
        TORCH_READERS[name](tmp_path / name)
    assert not any(advice in str(refused.value) for advice in ("weights_only", "torch.load", "trust", "Unsupported"))


def test_a_network_where_weights_are_wanted_and_the_other_way(tmp_path):

    network = write_model(tmp_path / "network.onnx", np.ones((3, 2), np.float32), np.zeros(2, np.float32), 32)
    assert stray(network, "onnx") is None
    assert "an ONNX network" in stray(network, "torch").what
    for content in (torch_file(), save(TENSORS)):
        assert stray(content, "torch") is None
        assert "Export the network" in stray(content, "onnx").next_step


def test_old_and_unusual_files_of_weights_pass():
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer, _use_new_zipfile_serialization=False)
    assert stray(buffer.getvalue(), "torch") is None
    assert stray(save({}), "torch") is None
    assert stray(Path("/nowhere/at all"), "torch") is None
