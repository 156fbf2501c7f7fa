"""EdgeFace as an ONNX file: for devices without PyTorch, and for ONNX Runtime on this one."""

from __future__ import annotations

import copy
import os
import tempfile
import threading
import warnings
from pathlib import Path

import torch
from torch import nn

from core.settings import CROP_PX

INPUT, OUTPUT = "images", "embedding"

_ALONE = threading.Lock()
"""PyTorch's exporter keeps its settings in one place for all threads."""


def export_onnx(network: nn.Module, path: Path, *, any_number: bool = True) -> None:
    """Write float32 (N, 3, 112, 112) in [-1, 1] -> (N, 512), not normalised; `any_number` False: N is 1, a little
    faster. `network` is on the CPU, in eval mode, and stays as it is.

    It appears whole or not at all. Raises ImportError where onnx isn't installed, OSError, RuntimeError.
    """
    import onnx  # noqa: F401 (PyTorch's exporter says otherwise what is missing, later and in other words)

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".making-", suffix=".onnx", dir=path.parent)
    os.close(handle)
    images = torch.zeros(2 if any_number else 1, 3, CROP_PX, CROP_PX)
    axes = {INPUT: {0: "n"}, OUTPUT: {0: "n"}} if any_number else None
    try:
        with _ALONE, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the newer exporter needs three more packages and ten times as long
            plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
            torch.onnx.export(
                plain, (images,), name, input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes, dynamo=False
            )
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def worst_cosine(network: nn.Module, path: Path, count: int) -> float:
    """The lowest cosine of ONNX Runtime's embeddings to PyTorch's over `count` drawn crops. Raises ImportError."""
    import onnxruntime

    images = torch.rand((count, 3, CROP_PX, CROP_PX), generator=torch.Generator().manual_seed(count)) * 2 - 1
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])
    with torch.no_grad():
        ours = network(images)
    return float(nn.functional.cosine_similarity(ours, theirs).min())
