"""Small files of weights as this project writes them: random ones, and upscalers that are bicubic at heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from core.encoder.encode import Encoder, EncoderInfo
from core.encoder.network import build_network
from core.faces.landmarks.look import LOOK_PX
from core.models.header import DSR_FORMAT, ENCODER_FORMAT, LANDMARKS_FORMAT, SPECIALIST_FORMAT
from core.models.variants import VARIANTS
from core.sr.network import DSR, DSRConfig

STARTER = Path(__file__).resolve().parents[1] / "data" / "models" / "edgeface-xxs-starter.safetensors"
"""The starter that the project ships: an encoder that tells faces apart."""


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


def save_specialist(path: Path, weights: Path, *, max_px: object = 48, seed: int = 0, **metadata: str) -> Path:
    """A specialist of these weights: their tensors a little changed, so that both still see the same people alike."""
    from core.encoder.weights import load_state

    generator = torch.Generator().manual_seed(seed)
    state = load_state(weights)
    tensors = {
        key: tensor + 0.02 * tensor.std() * torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1
        else tensor.clone()
        for key, tensor in state.tensors.items()
    }
    told = {
        "format": SPECIALIST_FORMAT,
        "variant": state.variant.name,
        "specialist_for": state.sha256,
        "specialist_for_name": weights.stem,
        "config": json.dumps({"max_px": max_px}),
        **metadata,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, told)
    return path


def save_landmarks(path: Path, seed: int = 0, **metadata: str) -> Path:
    """A landmark network of the right form that gives the same readings for everything."""
    values = np.random.default_rng(seed).normal(size=(1, 17)).astype(np.float32)
    weights = helper.make_tensor("values", TensorProto.FLOAT, (1, 17), values.flatten())
    axes = helper.make_tensor("axes", TensorProto.INT64, (3,), [1, 2, 3])
    nodes = [
        helper.make_node("Cast", ["looks"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "last"], ["column"]),
        helper.make_node("Add", ["column", "values"], ["readings"]),
    ]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, (), [0.0])
    last = helper.make_tensor("last", TensorProto.INT64, (1,), [1])
    looks = helper.make_tensor_value_info("looks", TensorProto.UINT8, ["n", LOOK_PX, LOOK_PX, 3])
    readings = helper.make_tensor_value_info("readings", TensorProto.FLOAT, ["n", 17])
    graph = helper.make_graph(nodes, "landmarks", [looks], [readings], [weights, axes, zero, last])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"format": LANDMARKS_FORMAT, **metadata})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to the shipped network
    onnx.save(model, str(path))
    return path


def save_encoder(path: Path, tensors: dict[str, torch.Tensor], variant: str = "edgeface_xxs", **metadata: Any) -> Path:
    """An encoder file in this project's form: texts as they are, other values of `metadata` as JSON."""
    told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: tensor.contiguous() for key, tensor in tensors.items()}
    save_file(state, path, {"format": ENCODER_FORMAT, "variant": variant, "parent_sha256": "", **told})
    return path


def save_shipped(path: Path, tensors: dict[str, torch.Tensor] | None = None, **metadata: Any) -> Path:
    """An encoder as one ships: fine-tuned from the official XXS (int8 file), in whose space it embeds. Without tensors
    it is a header alone."""
    official = VARIANTS["edgeface_xxs"].int8_sha256
    told = {"parent_sha256": official, "space_of": official, "space_of_name": "edgeface_xxs_q"}
    return save_encoder(path, tensors or {}, **{**told, "trained_with_upscaler": "bicubic", **metadata})


def random_encoder(name: str = "random.safetensors") -> Encoder:
    """An EdgeFace-XXS with random weights, without a file."""
    torch.manual_seed(0)
    info = EncoderInfo("edgeface_xxs", False, Path(name), "0" * 64, "random", 1_244_744, "cpu", "float32", False)
    return Encoder(build_network(VARIANTS["edgeface_xxs"]), info)


def official_tensors(shared_dir: Path, name: str = "edgeface_xxs_q") -> dict[str, torch.Tensor]:
    """The tensors of a published file, float32: an encoder that tells faces apart."""
    from core.encoder.weights import load_state

    return load_state(shared_dir / "weights" / f"{name}.pt").tensors
