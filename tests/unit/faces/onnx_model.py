"""A tiny ONNX file, written field by field (protobuf's wire format): the mean of each channel, then one layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, 1) + _bytes(8, name) + _bytes(9, values.astype("<f4").tobytes())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))


def _node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    return b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(4, kind) + attributes


def write_model(path: Path, weights: np.ndarray, bias: np.ndarray, px: int) -> Path:
    """out = mean over the image's pixels of (R, G, B as fed) @ weights (3, K) + bias (K,); input (1, 3, px, px)."""
    axis = _bytes(5, _bytes(1, "axis") + _number(3, 1) + _number(20, 2))
    graph = (
        _bytes(1, _node("GlobalAveragePool", ["in"], "pooled"))
        + _bytes(1, _node("Flatten", ["pooled"], "flat", axis))
        + _bytes(1, _node("Gemm", ["flat", "weights", "bias"], "out"))
        + _bytes(2, "means")
        + _bytes(5, _tensor("weights", weights))
        + _bytes(5, _tensor("bias", bias))
        + _bytes(11, _value("in", (1, 3, px, px)))
        + _bytes(12, _value("out", (1, weights.shape[1])))
    )
    path.write_bytes(_number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13)))
    return path
