"""Checkpoint files: weights as safetensors with their metadata, and the state that a resume needs.

A checkpoint is a folder that is replaced atomically: `last` and `best` are never a mixture of old and new.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.dataset.journal import storage
from core.encoder.archive import UNREADABLE, read_archive
from core.encoder.weights import file_sha256
from core.errors import StorageFailed
from core.models.header import BESIDE
from core.system.atomic_file import replacement
from core.system.file_kinds import stray
from core.training.errors import CheckpointUnusable

HEAD_FORMAT = "edgeface-studio-head-1"
STATE_NAME = "state.pt"
STATE_VERSION = 1
FILES = {part: f"{part}.safetensors" for part in ("upscaler", "encoder", "specialist", "head")}


@dataclass(frozen=True)
class Weights:
    """A part's tensors with the metadata of its file."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def cpu_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """Copy a network's state to contiguous CPU tensors."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}


def save_checkpoint(folder: Path, weights: Mapping[str, Weights], state: Mapping[str, Any] | None = None) -> None:
    """Replace the checkpoint `folder` by these weights and, for a resume, `state` (tensors and plain values).

    An encoder trained with the upscaler of the same checkpoint records that file's SHA-256. Raises StorageFailed; the
    earlier checkpoint is untouched then.
    """
    with storage(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-new-", dir=folder.parent))
        try:
            with disk_errors(folder.parent):
                for name in sorted(weights, key=[*FILES].index):
                    metadata = dict(weights[name].metadata)
                    if metadata.get("trained_with_upscaler") == BESIDE:
                        metadata["trained_with_upscaler"] = file_sha256(new / FILES["upscaler"])
                    save_file(dict(weights[name].tensors), new / FILES[name], metadata=metadata)
                if state is not None:
                    torch.save({"version": STATE_VERSION, **state}, new / STATE_NAME)
            for path in new.iterdir():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            _replace(folder, new)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def load_state(folder: Path) -> dict[str, Any] | None:
    """Load the state for a resume; None where there is no checkpoint. Raises CheckpointUnusable for a damaged one."""
    recover(folder)
    path = folder / STATE_NAME
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise CheckpointUnusable(_damaged(path), "Start a new run: this one can't be resumed.") from error
    if not isinstance(state, dict) or state.get("version") != STATE_VERSION:
        raise CheckpointUnusable(f"{path} is of another version.", "Start a new run.")
    return state


def replace_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace the state alone in a checkpoint; its weights stay. Raises StorageFailed."""
    path = folder / STATE_NAME
    with storage(folder), replacement(path) as temporary, disk_errors(folder):
        torch.save({**state, "version": STATE_VERSION}, temporary)


def load_weights(folder: Path, part: str) -> dict[str, Tensor] | None:
    """Load a part's tensors from a checkpoint; None where it has none. Raises CheckpointUnusable."""
    recover(folder)
    path = folder / FILES[part]
    if not path.is_file():
        return None
    try:
        return load_file(path)
    except (*UNREADABLE, SafetensorError) as error:
        raise CheckpointUnusable(_damaged(path), "Use another checkpoint.") from error


def _damaged(path: Path) -> str:
    found = stray(path, "torch")
    return f"{path} is {found.what if found else 'damaged'}."


def recover(folder: Path) -> None:
    """Restore the earlier checkpoint after a kill between the two renames of a replacement."""
    old = _old(folder)
    if not folder.exists() and old.is_dir():
        old.rename(folder)


def metadata(format: str, values: Mapping[str, str | Sequence[str] | Mapping[str, Any]]) -> dict[str, str]:
    """Metadata of an encoder's or a DSR network's file; lists and mappings become JSON."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {"format": format, **texts}


def head_metadata(identities: tuple[str, ...], settings: Mapping[str, Any]) -> dict[str, str]:
    """Metadata of a head's file: the identity of each row. It holds names, so it stays in the run's folder."""
    return {
        "format": HEAD_FORMAT,
        "subject_to_id": json.dumps({name: number for number, name in enumerate(identities)}),
        "settings": json.dumps(settings),
    }


def export_notes(checkpoint: Path, target: Path) -> None:
    """Write a checkpoint in the notes' form: one .pth with `backbone_state_dict`, `arcface_state_dict` and
    `subject_to_id` (the latter two where a head was trained). Raises CheckpointUnusable, StorageFailed."""
    recover(checkpoint)
    if (checkpoint / FILES["specialist"]).is_file():
        raise CheckpointUnusable(
            f"{checkpoint} holds a specialist, which works beside other weights alone.",
            "Write it with its header: edgeface-studio weights export run:RUN FILE.safetensors.",
        )
    if not (checkpoint / FILES["encoder"]).is_file():
        raise CheckpointUnusable(
            f"{checkpoint} holds no encoder.", "Export a fine-tuning run that has finished an epoch."
        )
    content: dict[str, Any] = {"backbone_state_dict": dict(read_archive(checkpoint / FILES["encoder"]).tensors)}
    if (checkpoint / FILES["head"]).is_file():
        head = read_archive(checkpoint / FILES["head"])
        content["arcface_state_dict"] = dict(head.tensors)
        content["subject_to_id"] = json.loads(head.metadata.get("subject_to_id", "{}"))
    with storage(target.parent), replacement(target) as temporary, disk_errors(target.parent):
        torch.save(content, temporary)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Convert the errors of safetensors and torch on a full disk to StorageFailed."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        free = shutil.disk_usage(folder).free
        raise StorageFailed(
            f"{folder} couldn't be written: {free / 1e6:,.1f} MB are free on that disk.",
            "Free space, then resume the run: it goes on from the last checkpoint.",
        ) from error


def _replace(folder: Path, new: Path) -> None:
    old = _old(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-old")
