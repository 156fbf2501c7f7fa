"""Export of EdgeFace to ONNX, for devices without PyTorch and for ONNX Runtime on this one.

The metadata of an exported file describes its input and output (`onnx_metadata`).
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from core.models.files import WeightsFile
from core.models.variants import EMBEDDING_DIM, LICENCE, LICENCE_OF_DERIVED
from core.settings import CROP_PX
from core.system.atomic_file import replacement

INPUT, OUTPUT = "images", "embedding"
ONNX_FORMAT = "edgeface-studio-onnx-1"
"""Value of the metadata key `format`."""

_ALONE = threading.Lock()
"""PyTorch's exporter has global settings."""


def onnx_metadata(file: WeightsFile, variant: str) -> dict[str, str]:
    """Return an exported file's metadata: input, output, weights and licence.

    Values are texts, as ONNX requires; `mean` and `std` are those of a byte: (byte - 127.5) / 127.5.
    """
    ours = file.official is None and file.origin in ("starter", "fine-tuned")
    licence = LICENCE if file.official else LICENCE_OF_DERIVED if ours else f"unknown; if it {LICENCE_OF_DERIVED}"
    kept = {
        key: file.metadata[key]
        for key in ("parent_sha256", "space_of", "trained_with_upscaler")
        if file.metadata.get(key)
    }
    return {
        "format": ONNX_FORMAT,
        "variant": variant,
        "weights": file.name,
        "weights_sha256": file.sha256,
        "weights_origin": file.origin,
        "input": INPUT,
        "input_shape": f"N,3,{CROP_PX},{CROP_PX}",
        "input_range": "-1,1",
        "channel_order": "RGB",
        "mean": "127.5",
        "std": "127.5",
        "alignment": f"ArcFace five-point template, {CROP_PX} x {CROP_PX} px",
        "output": OUTPUT,
        "output_shape": f"N,{EMBEDDING_DIM}",
        "output_normalised": "no: divide by its L2 norm, then compare by cosine",
        "licence": licence,
        **kept,
    }


def export_onnx(
    network: nn.Module, path: Path, *, any_number: bool = True, metadata: Mapping[str, str] | None = None
) -> None:
    """Write float32 (N, 3, 112, 112) in [-1, 1] -> (N, 512), not normalised; `any_number` False: N is 1, slightly
    faster. `network` is on the CPU, in eval mode, and isn't changed.

    The file is written atomically. Raises ImportError where onnx isn't installed, OSError, RuntimeError.
    """
    import onnx  # first, for a clear error where it is missing

    images = torch.zeros(2 if any_number else 1, 3, CROP_PX, CROP_PX)
    axes = {INPUT: {0: "n"}, OUTPUT: {0: "n"}} if any_number else None
    with replacement(path, suffix=".onnx") as temporary:
        name = str(temporary)
        with _ALONE, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the newer exporter needs three more packages and ten times as long
            plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
            torch.onnx.export(
                plain, (images,), name, input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes, dynamo=False
            )
        if metadata:
            model = onnx.load(name)
            onnx.helper.set_model_props(model, dict(metadata))
            onnx.save(model, name)


def worst_cosine(network: nn.Module, path: Path, count: int) -> float:
    """Lowest cosine of ONNX Runtime's embeddings to PyTorch's over `count` random crops. Raises ImportError."""
    import onnxruntime

    images = torch.rand((count, 3, CROP_PX, CROP_PX), generator=torch.Generator().manual_seed(count)) * 2 - 1
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])
    with torch.no_grad():
        ours = network(images)
    return float(nn.functional.cosine_similarity(ours, theirs).min())
