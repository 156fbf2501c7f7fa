"""What trainings told and left, for comparing one with another; and a moment to kill one at."""

from __future__ import annotations

import torch
from safetensors.torch import load_file, save


def of_kind(events, kind):
    return [data for found, data in events if found == kind]


def differences(a, b, where="") -> list[str]:
    """Where two nests of tensors and plain values aren't equal to the bit."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [where]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [f"{where}: {sorted(map(str, a.keys() ^ b.keys()))}"]
        return [found for key in a for found in differences(a[key], b[key], f"{where}.{key}")]
    if isinstance(a, list | tuple) and len(a) == len(b):
        return [found for i, (x, y) in enumerate(zip(a, b, strict=True)) for found in differences(x, y, f"{where}.{i}")]
    return [] if a == b else [f"{where}: {a!r} {b!r}"]


def kept(folder) -> dict[str, bytes]:
    """The tensors of every file of a checkpoint, as bytes (metadata holds the time)."""
    return {path.name: save(load_file(path)) for path in folder.glob("*.safetensors")}


def without_times(state):
    standing = {k: v for k, v in state["standing"].items() if "seconds" not in k}
    return {**state, "standing": standing}


def after_last(step):
    """The moment when checkpoints/last has taken in so many epochs, of all stages together."""
    return lambda kind, data: kind == "checkpoint" and data["which"] == "last" and data["step"] == step
