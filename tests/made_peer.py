"""Another recogniser as an ONNX file: the network that ships, under another name and fed with bytes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from core.settings import PROJECT_ROOT


@cache
def made_peer() -> Path:
    """Made once a process: it subtracts and multiplies before its first convolution, as many published files do, and
    says nothing of itself."""
    import onnx
    from onnx import TensorProto, helper

    from core.encoder.encode import load_encoder
    from core.encoder.export_onnx import INPUT, export_onnx

    folder = Path(tempfile.mkdtemp(prefix="edgeface-peer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "peer.onnx"
    starter = PROJECT_ROOT / "data" / "models" / "edgeface-xxs-starter.safetensors"
    export_onnx(load_encoder(starter, device="cpu", precision="float32", check=False).network, path, any_number=False)
    model = onnx.load(path)
    for node in model.graph.node:
        node.input[:] = ["scaled" if name == INPUT else name for name in node.input]
    for position, (kind, source, name, value) in enumerate(
        [("Sub", INPUT, "mean", 127.5), ("Mul", "centred", "scale", 1 / 127.5)]
    ):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, [1], [value]))
        model.graph.node.insert(position, helper.make_node(kind, [source, name], [("centred", "scaled")[position]]))
    onnx.save(model, path)
    return path
