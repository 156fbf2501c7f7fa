"""Closed-set accuracy of a classification head, over the identities that it was trained on.

A checkpoint's `head.safetensors` holds one weight row an identity; the accuracy is the share of images whose highest
cosine, without any margin, is their own identity's. It is undefined for
identities that the head doesn't know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.evaluation.intervals import share_interval

HEAD_NAME = "head.safetensors"


class HeadUnusable(CoreError):
    """A head's file that is missing its weights or its identities."""

    help_topic = "evaluation"


@dataclass(frozen=True)
class Head:
    """`weights` (I, D) unit rows, one for each of `identities`."""

    weights: NDArray[np.float32]
    identities: tuple[str, ...]


@dataclass(frozen=True)
class HeadAccuracy:
    """`accuracy` is a fraction with its 95 % interval over people, None where `shared` (identities in both) is 0; the
    interval is None without resamples."""

    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    shared: int
    identities: int
    images: int


def find_head(weights: Path) -> Path | None:
    """Return the head in the folder of an encoder's file, or None."""
    path = weights.parent / HEAD_NAME
    return path if path.is_file() else None


def read_head(path: Path) -> Head:
    """Read a head: its one two-dimensional tensor, and whose rows they are by its metadata ("subject_to_id", a JSON
    object from names to rows). Raises HeadUnusable."""
    from safetensors import SafetensorError, safe_open

    step = "Evaluate without it, or train again."
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise HeadUnusable(f"{path.name} isn't a readable safetensors file.", step) from error
    rows = [tensor for tensor in tensors.values() if tensor.ndim == 2]
    try:
        numbers = {str(name): int(row) for name, row in json.loads(metadata["subject_to_id"]).items()}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HeadUnusable(f"{path.name} doesn't name the identities of its rows.", step) from error
    names = sorted(numbers, key=lambda name: numbers[name])
    if len(rows) != 1 or [numbers[name] for name in names] != list(range(len(rows[0]))):
        held = f"{len(rows)} tables" if len(rows) != 1 else f"{len(rows[0])} rows for {len(names)} identities"
        raise HeadUnusable(f"{path.name} holds {held}, expected one row an identity.", step)
    weights = rows[0].astype(np.float32)
    lengths = np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    return Head(weights / lengths, tuple(names))


def head_accuracy(
    head: Head, vectors: NDArray[np.float32], identities: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> HeadAccuracy:
    """Return the share of embeddings (N, D) of known identities whose highest cosine over all identities is their
    own."""
    place = {name: row for row, name in enumerate(head.identities)}
    known = np.array([place.get(name, -1) for name in identities], dtype=np.int64)
    shared = len({name for name in identities if name in place})
    keep = known >= 0
    if not keep.any():
        return HeadAccuracy(None, None, None, 0, len(head.identities), 0)
    right = np.argmax(vectors[keep] @ head.weights.T, axis=1) == known[keep]
    low, high = share_interval(right, known[keep], resamples=resamples, seed=seed) or (None, None)
    return HeadAccuracy(float(right.mean()), low, high, shared, len(head.identities), len(right))
