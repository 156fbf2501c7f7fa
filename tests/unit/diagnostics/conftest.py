"""Weights that are complete and tell nobody from anybody."""

from __future__ import annotations

import pytest
import torch

from core.encoder.encode import Encoder
from tests.made_weights import random_encoder


@pytest.fixture(scope="session")
def collapsed() -> Encoder:
    """Complete weights that answer the same for everybody: the classifier's weights are gone, its bias is left."""
    encoder = random_encoder("collapsed.safetensors")
    with torch.no_grad():
        encoder.network.head.fc.weight.mul_(1e-6)
        encoder.network.head.fc.bias.normal_()
    return encoder
