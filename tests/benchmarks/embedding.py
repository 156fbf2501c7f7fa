"""Embedding: a batch of 32 and one crop, beside EdgeFace as its README runs it; with bfloat16 and with it off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.row import Row
from core.encoder.encode import WARM_UP_CROPS, Encoder
from core.images import to_tensor
from core.system.cpu import cpu_has_bfloat16

PLAIN = "model = timm EdgeNeXt, float32, NCHW, as EdgeFace's README: model.eval(); with torch.no_grad(): model(images)"
MANY = 32


def plain_model(material: Material) -> nn.Module:
    """EdgeFace as its README runs it: loaded, in eval mode, nothing else."""
    from core.encoder.network import build_network
    from core.encoder.weights import load_state

    state = load_state(material.weights, None)
    network = build_network(state.variant)
    network.load_state_dict(state.tensors)
    return network.eval()


def plain_images(crops: np.ndarray) -> Tensor:
    """float32 (N, 3, 112, 112) as torchvision's ToTensor and Normalize give them: NCHW."""
    return to_tensor(crops).contiguous(memory_format=torch.contiguous_format)


def plain_embeddings(network: nn.Module, images: Tensor) -> Tensor:
    """What the README's lines give: (N, 512), not normalised."""
    with torch.no_grad():
        result: Tensor = network(images)
    return result


def settled(encoder: Encoder, crop: np.ndarray) -> Encoder:
    """The encoder once the machine's engine for one crop is chosen."""
    for _ in range(WARM_UP_CROPS + 2):
        encoder.encode(crop[None])
    return encoder


def rows(material: Material) -> Iterator[Row]:
    """Batch and single crop as they run here; then, where that is in bfloat16, without it."""
    yield from _rows(material, "", "", 6.0 if cpu_has_bfloat16() else 3.0)
    if cpu_has_bfloat16():
        with material.without_bfloat16():
            yield from _rows(material, "-float32", ", bfloat16 off", 3.0)


def _rows(material: Material, suffix: str, words: str, goal: float) -> Iterator[Row]:
    network, encoder = plain_model(material), material.load_encoder()
    many, one = material.crops[:MANY], material.crops[:1]
    plain_many, plain_one = plain_images(many), plain_images(one)
    ours = torch.from_numpy(encoder.encode(material.crops))
    cosine = nn.functional.cosine_similarity(plain_embeddings(network, plain_images(material.crops)), ours)
    times = in_turns(
        {"ours": lambda: encoder.encode(many), "plain": lambda: plain_embeddings(network, plain_many)},
        rounds=material.size(25, 2),
        warm_up=2,
    )
    rate, base = len(many) / times["ours"].median, len(many) / times["plain"].median
    yield Row(
        f"embed-32{suffix}",
        f"Embedding, batch of 32{words}",
        "images/s",
        rate,
        base,
        rate / base,
        f">= {goal:.0f}x",
        rate / base >= goal,
        PLAIN,
        f"{encoder.name}, {encoder.info.precision}; cosine to plain {float(cosine.min()):.4f} at worst, "
        f"{float(cosine.mean()):.5f} on average over {len(material.crops)} crops; "
        "preprocessing and norm included in ours",
    )
    settled(encoder, material.crops[0])
    times = in_turns(
        {"ours": lambda: encoder.encode(one), "plain": lambda: plain_embeddings(network, plain_one)},
        rounds=material.size(300, 5),
        warm_up=5,
        most_s=20.0,
    )
    ms, base, tail = (1e3 * value for value in (times["ours"].median, times["plain"].median, times["ours"].p99))
    yield Row(
        f"embed-1{suffix}",
        f"Embedding, one crop{words}",
        "ms",
        ms,
        base,
        base / ms,
        ">= 2x, p99 <= 2 x p50",
        base / ms >= 2 and tail <= 2 * ms,
        PLAIN,
        f"p99 {tail:.1f} ms (plain {1e3 * times['plain'].p99:.1f} ms), engine {encoder.engine}; "
        "preprocessing and norm included in ours",
    )
