"""Encoder files of every form, made from random weights, so that no official file is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.encoder.network import build_network
from core.models.variants import VARIANTS


@pytest.fixture(scope="session")
def xxs_state() -> dict[str, Tensor]:
    """A complete XXS state dict with random weights, timm's own key names."""
    torch.manual_seed(0)
    return {key: tensor.clone() for key, tensor in build_network(VARIANTS["edgeface_xxs"]).state_dict().items()}


@pytest.fixture()
def saved(tmp_path: Path):
    """Saves any object with torch.save under a name that says nothing, and gives its path."""

    def save(content: object, name: str = "weights.bin") -> Path:
        path = tmp_path / name
        torch.save(content, path)
        return path

    return save
