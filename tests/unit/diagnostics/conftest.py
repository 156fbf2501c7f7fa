"""Weights that are complete and tell nobody from anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.encoder.encode import Encoder, EncoderInfo
from core.encoder.network import build_network
from core.models.variants import VARIANTS


@pytest.fixture(scope="session")
def collapsed() -> Encoder:
    """Complete weights that answer the same for everybody: the classifier's weights are gone, its bias is left."""
    torch.manual_seed(0)
    network = build_network(VARIANTS["edgeface_xxs"])
    with torch.no_grad():
        network.head.fc.weight.mul_(1e-6)
        network.head.fc.bias.normal_()
    info = EncoderInfo(
        variant="edgeface_xxs",
        official=False,
        path=Path("collapsed.safetensors"),
        weights_sha256="0" * 64,
        kind="random",
        parameters=0,
        device="cpu",
        precision="float32",
        flip_tta=False,
    )
    return Encoder(network, info)
