"""Every way to run the network that is installed here, on one crop and on 32: why the product runs it as it does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.row import Row
from core.encoder.engines import traced
from core.encoder.export_onnx import INPUT, export_onnx
from tests.benchmarks.embedding import MANY, PLAIN, plain_images, plain_model

_FIRST = "PyTorch float32 NCHW"
_INSTALL = "isn't installed: pip install -r requirements-bench.txt"

Run = Callable[[Tensor], object]


def rows(material: Material) -> Iterator[Row]:
    """Batch 1 and 32 of each engine; the cosine to plain PyTorch on real crops says what it costs."""
    network = plain_model(material)
    crops = plain_images(material.crops[:MANY])
    calls, skipped = _engines(network, crops, material)
    with torch.no_grad():
        truth = network(crops)
    worst = {
        name: float(nn.functional.cosine_similarity(torch.as_tensor(np.array(run(crops))).float(), truth).min())
        for name, run in calls.items()
    }
    for batch in (1, MANY):
        part = crops[:batch]
        times = in_turns(
            {name: partial(run, part) for name, run in calls.items()},
            rounds=material.size(60 if batch == 1 else 6, 2),
            warm_up=2,
            most_s=25.0,
        )
        base = 1e3 * times[_FIRST].median
        for name in calls:
            ms = 1e3 * times[name].median
            note = f"cosine {worst[name]:.4f} at worst; {batch / ms * 1e3:.0f} images/s"
            yield Row(
                f"engine-{batch}-{name}", f"{name}, batch {batch}", "ms", ms, base, base / ms, "", None, PLAIN, note
            )
    for name, why in skipped.items():
        yield Row(f"engine-{name}", name, skipped=why)


def _engines(network: nn.Module, crops: Tensor, material: Material) -> tuple[dict[str, Run], dict[str, str]]:
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    calls: dict[str, Run] = {
        _FIRST: _torch(network, torch.contiguous_format),
        "PyTorch float32 channels-last": _torch(last),
        "PyTorch bfloat16 channels-last": _torch(last, bfloat16=True),
        "PyTorch traced float32": _torch(traced(last)),
    }
    skipped: dict[str, str] = {}
    if material.quick:
        skipped["torch.compile"] = "left out of a quick run: compiling takes a minute"
    else:
        material.on_step("compiling")
        try:
            compiled = torch.compile(copy.deepcopy(last), dynamic=False)
            _torch(compiled)(crops[:1])
            calls["torch.compile float32"] = _torch(compiled)
        except Exception as error:  # noqa: BLE001 (the compiler raises whatever its C++ compiler does)
            skipped["torch.compile"] = f"can't compile here: {type(error).__name__}"
    path = material.folder / "engine.onnx"
    try:
        export_onnx(network, path)
    except ImportError as error:
        return calls, {**skipped, "ONNX Runtime": f"{error.name} {_INSTALL}", "OpenVINO": f"{error.name} {_INSTALL}"}
    files = {"float32": path}
    try:
        small = material.folder / "engine-int8.onnx"
        quantise_onnx(path, small, plain_images(material.crops).numpy())
        files["int8"] = small
    except ImportError as error:
        skipped["int8"] = f"{error.name} {_INSTALL}"
    for add in (_onnx_runtime, _openvino):
        add(calls, skipped, files)
    return calls, skipped


def _torch(model: Run, layout: torch.memory_format = torch.channels_last, *, bfloat16: bool = False) -> Run:
    def run(images: Tensor) -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            result: Tensor = model(images.contiguous(memory_format=layout))  # type: ignore[assignment]
            return result.float().numpy()

    return run


def _onnx_runtime(calls: dict[str, Run], skipped: dict[str, str], files: dict[str, Path]) -> None:
    if find_spec("onnxruntime") is None:
        skipped["ONNX Runtime"] = f"onnxruntime {_INSTALL}"
        return
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, path in files.items():
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        calls[f"ONNX Runtime {name}"] = partial(_run_session, session)


def _run_session(session: Any, images: Tensor) -> object:
    return session.run(None, {INPUT: images.numpy()})[0]


def _openvino(calls: dict[str, Run], skipped: dict[str, str], files: dict[str, Path]) -> None:
    if find_spec("openvino") is None:
        skipped["OpenVINO"] = f"openvino {_INSTALL}"
        return
    import openvino

    core = openvino.Core()
    plans = [("float32", "float32", "f32"), ("bfloat16", "float32", "bf16"), ("int8", "int8", "f32")]
    for name, file, precision in plans:
        if file not in files:
            continue
        hints = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        compiled = core.compile_model(core.read_model(files[file]), "CPU", hints)
        calls[f"OpenVINO {name}"] = partial(_run_compiled, compiled)


def _run_compiled(compiled: Any, images: Tensor) -> object:
    return compiled(images.numpy())[0]


def quantise_onnx(source: Path, target: Path, images: NDArray[np.float32]) -> None:
    """`source` with 8-bit products, calibrated on `images` (N, 3, 112, 112). Raises ImportError."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self._left = iter([images[first : first + 16] for first in range(0, min(len(images), 64), 16)])

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._left, None)
            return None if batch is None else {INPUT: batch}

    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()
