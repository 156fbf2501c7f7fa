"""Small files of weights as this project writes them: random ones, and upscalers that are bicubic at heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from core.encoder.encode import Encoder, EncoderInfo
from core.encoder.network import build_network
from core.models.header import DSR_FORMAT, ENCODER_FORMAT
from core.models.variants import VARIANTS
from core.sr.network import DSR, DSRConfig


def save_dsr(
    path: Path, *, seed: int = 0, harm: bool = False, bicubic_px: tuple[int, ...] = (), **metadata: str
) -> Path:
    """A DSR file: near the bicubic skip, or, with `harm`, as its random weights make it."""
    torch.manual_seed(seed)
    network = DSR(DSRConfig(channels=8, blocks=1))
    torch.nn.init.normal_(network.tail.weight, std=0.3 if harm else 1e-3)
    config = {"channels": 8, "blocks": 1, "min_px": 12, "max_px": 48, "use_bicubic_px": list(bicubic_px)}
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    save_file(state, path, {"format": DSR_FORMAT, "config": json.dumps(config), **metadata})
    return path


def save_encoder(path: Path, tensors: dict[str, torch.Tensor], variant: str = "edgeface_xxs", **metadata: Any) -> Path:
    """An encoder file in this project's form: texts as they are, other values of `metadata` as JSON."""
    told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: tensor.contiguous() for key, tensor in tensors.items()}
    save_file(state, path, {"format": ENCODER_FORMAT, "variant": variant, "parent_sha256": "", **told})
    return path


def random_encoder(name: str = "random.safetensors") -> Encoder:
    """An EdgeFace-XXS with random weights, without a file."""
    torch.manual_seed(0)
    info = EncoderInfo("edgeface_xxs", False, Path(name), "0" * 64, "random", 1_244_744, "cpu", "float32", False)
    return Encoder(build_network(VARIANTS["edgeface_xxs"]), info)


def official_tensors(shared_dir: Path, name: str = "edgeface_xxs_q") -> dict[str, torch.Tensor]:
    """The tensors of a published file, float32: an encoder that tells faces apart."""
    from core.encoder.weights import load_state

    return load_state(shared_dir / "weights" / f"{name}.pt").tensors
