"""Export of the landmark network to ONNX, with weights in float16; they are cast to float32 when the file is loaded."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.dataset.journal import storage
from core.faces.landmarks.look import LOOK_PX
from core.faces.landmarks.network import INPUT, OUTPUT
from core.system.atomic_file import replacement
from core.training.errors import TrainingError
from core.training.landmarks.network import FACE, POINTS, LandmarkNet

LARGEST_DIFFERENCE = 0.02
"""By how much the file's readings may differ from PyTorch's on noise: 0.8 px of a look of 80 px."""

_SMALLEST_HALVED = 64
"""Number of values from which a weight is stored in half."""


class _Reader(nn.Module):
    """From uint8 looks (N, 80, 80, 3) to readings (N, 17): ten coordinates, five expected errors, the probability of a
    face, and recognisability, which is the probability of a face again where the network has no head for it."""

    def __init__(self, network: LandmarkNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, looks: Tensor) -> Tensor:
        out = self.network(looks.permute(0, 3, 1, 2).float() / 127.5 - 1.0)
        points, log_error = out[:, : 2 * POINTS], out[:, 2 * POINTS : FACE]
        shares = torch.sigmoid(out[:, FACE:])
        return torch.cat([points, torch.exp(log_error.clamp(-6.0, 1.0)), shares[:, :1], shares[:, -1:]], dim=1)


def export_landmarks(network: LandmarkNet, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the network to `path`, atomically, its weights rounded to float16; the network isn't changed.

    Raises TrainingError when ONNX Runtime's readings of the file differ from PyTorch's, StorageFailed.
    """
    reader = _Reader(copy.deepcopy(network).cpu()).eval().to(memory_format=torch.contiguous_format)
    with storage(path.parent), replacement(path, suffix=".onnx") as temporary:
        _write(reader, temporary, metadata)
        difference = _largest_difference(reader, temporary)
        if not difference <= LARGEST_DIFFERENCE:  # NaN fails as well
            raise TrainingError(
                f"The ONNX file's readings differ from PyTorch's by {difference:.3g}, at most {LARGEST_DIFFERENCE} is "
                "allowed.",
                "Train on: weights that can't be stored as float16 are a sign of a training that diverged.",
            )


def _write(reader: _Reader, path: Path, metadata: Mapping[str, str]) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    looks = torch.zeros(2, LOOK_PX, LOOK_PX, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter needs three more packages
        axes = {INPUT: {0: "n"}, OUTPUT: {0: "n"}}
        torch.onnx.export(
            reader, (looks,), str(path), input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes, dynamo=False
        )
    model = onnx.load(str(path))
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size > _SMALLEST_HALVED:
            whole = weight.name
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{whole}.half"))
            casts.append(helper.make_node("Cast", [f"{whole}.half"], [whole], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    helper.set_model_props(model, dict(metadata))
    onnx.save(model, str(path))


def _largest_difference(reader: _Reader, path: Path) -> float:
    from core.faces.landmarks.network import Landmarker

    looks = np.random.default_rng(0).integers(0, 256, (3, LOOK_PX, LOOK_PX, 3), dtype=np.uint8)
    found = Landmarker(path).read(looks)
    with torch.no_grad():
        expected = reader(torch.from_numpy(looks)).numpy()
    columns = [found.points.reshape(len(looks), -1), found.errors, found.is_face[:, None]]
    columns.append(found.recognisability[:, None])
    return float(np.abs(np.concatenate(columns, axis=1) - expected).max())
