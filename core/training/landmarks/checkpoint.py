"""Checkpoints of a landmark training: the state to resume from, and the best weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.dataset.journal import storage
from core.encoder.archive import UNREADABLE
from core.system.atomic_file import replacement
from core.training.activate import LANDMARKS_FILE
from core.training.checkpoint import cpu_state_dict, disk_errors
from core.training.errors import CheckpointUnusable
from core.training.landmarks.network import LandmarkNet, RecognisabilityHead

LAST = "last.pt"
"""In a run's checkpoints: "network", "mean", "optimizer" and "step", the number of steps done; then the progress."""

WEIGHTS, NETWORK = "landmarks.safetensors", LANDMARKS_FILE
"""In checkpoints/best: the averaged weights by parameter, for further training, and the network that reads faces."""


def save_last(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace the state to resume from. Raises StorageFailed; the earlier one is untouched then."""
    with storage(folder), replacement(folder / LAST) as temporary, disk_errors(folder):
        torch.save(dict(state), temporary)


def load_last(folder: Path) -> dict[str, Any] | None:
    """Load the state to resume from; None where there is none. Raises CheckpointUnusable for a damaged one."""
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise CheckpointUnusable(f"{path} is damaged.", "Start a new run: this one can't be resumed.") from error
    if not isinstance(state, dict) or not {"network", "mean", "optimizer", "step"} <= state.keys():
        raise CheckpointUnusable(f"{path} isn't the state of a landmark training.", "Start a new run.")
    return state


def save_weights(path: Path, network: LandmarkNet, metadata: Mapping[str, str]) -> None:
    """Write the weights as safetensors, atomically. Raises StorageFailed."""
    with storage(path.parent), replacement(path) as temporary, disk_errors(path.parent):
        save_file(cpu_state_dict(network), temporary, dict(metadata))


def load_network(path: Path, network: LandmarkNet | None = None) -> LandmarkNet:
    """Load averaged weights into `network` (default: one with a head for recognisability if `path` has one), in eval
    mode.

    `path` is a file of `save_weights`, or a state to resume from. Raises CheckpointUnusable.
    """
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)["mean"]
        if network is None:
            has_head = any(name.startswith("recognisability.") for name in tensors)
            network = LandmarkNet(RecognisabilityHead() if has_head else None)
        network.load_state_dict(tensors)
    except (*UNREADABLE, SafetensorError, KeyError, TypeError) as error:
        raise CheckpointUnusable(
            f"{path} doesn't hold this landmark network's weights.", "Use a checkpoint of `train landmarks`."
        ) from error
    return network.eval()
