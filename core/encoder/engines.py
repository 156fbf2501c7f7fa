"""Engines for a single crop: PyTorch, a traced network, or ONNX Runtime, chosen by a fixed rule.

A batch keeps the processor busy by itself; one crop mostly waits for the overhead of 150 small operations. ONNX Runtime
fuses them, and a traced network at least avoids Python between them. The rule (docs/adr/0036): ONNX Runtime on one
thread where onnx and onnxruntime are installed, else the traced network, else PyTorch. An engine whose embedding isn't
PyTorch's is never used.
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from core.encoder.export_onnx import INPUT, export_onnx
from core.errors import SettingsInvalid
from core.settings import CROP_PX, Settings, load_settings

SingleCropEngine = Callable[[Tensor], Tensor]
"""(1, 3, 112, 112) in [-1, 1] -> (1, 512), not normalised."""

RULE = ("onnx", "traced", "eager")
"""The engines that are tried, in this order; the first that works and agrees with PyTorch is used."""
ENGINES = ("eager", "traced", "onnx", "onnx-threads")
"""PyTorch, a traced network, ONNX Runtime on one thread, and ONNX Runtime on as many threads as PyTorch has."""
FUSED_ENGINES = ("onnx", "onnx-threads")
"""Engines that gain nothing from a batch of a few crops."""
OVERRIDE = "EDGEFACE_ENGINE"
"""Environment variable: "auto" (the rule), or one of ENGINES."""

MIN_COSINE = 0.9999
"""Lowest cosine between an engine's embedding and PyTorch's in float32 at which the engine is used."""


def requested_engine() -> str:
    """Return what EDGEFACE_ENGINE requests: "auto" or an engine. Raises SettingsInvalid for anything else."""
    name = os.environ.get(OVERRIDE) or "auto"
    if name not in ("auto", *ENGINES):
        raise SettingsInvalid(f"{OVERRIDE} is '{name}'.", f"Set it to one of auto, {', '.join(ENGINES)}.")
    return name


def single_crop_engine(
    network: nn.Module, weights_sha256: str, settings: Settings | None = None
) -> tuple[str, SingleCropEngine]:
    """Return the name and function of the engine for single crops, in float32.

    `network` is on the CPU, in eval mode; for ONNX Runtime it is exported once to data/engines. Raises SettingsInvalid
    when the engine that EDGEFACE_ENGINE names can't be used.
    """
    settings = settings or load_settings()
    requested = requested_engine()
    if requested != "auto":
        try:
            return requested, make_engine(requested, network, weights_sha256, settings)
        except (ImportError, OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise SettingsInvalid(
                f"The engine '{requested}' can't be used here: {reason[0][:160]}.", f"Unset {OVERRIDE}."
            ) from error
    reference = eager(network)
    for name in RULE:
        try:
            engine = make_engine(name, network, weights_sha256, settings)
            if agrees(engine, reference):
                return name, engine
        except (ImportError, OSError, RuntimeError):
            continue  # not installed, a full disk, or not possible for this network
    return "eager", reference


def agrees(engine: SingleCropEngine, reference: SingleCropEngine) -> bool:
    """Whether two engines' embeddings of a fixed crop have a cosine of at least MIN_COSINE."""
    cosine = nn.functional.cosine_similarity(engine(_CROP).float(), reference(_CROP).float())
    return float(cosine) >= MIN_COSINE


def onnx_file(settings: Settings, weights_sha256: str) -> Path:
    """Return the path of the ONNX export of these weights."""
    return settings.data_dir / "engines" / f"{weights_sha256[:24]}.onnx"


_CROP = (torch.rand((1, 3, CROP_PX, CROP_PX), generator=torch.Generator().manual_seed(0)) * 2 - 1).contiguous(
    memory_format=torch.channels_last
)


def make_engine(name: str, network: nn.Module, weights_sha256: str, settings: Settings) -> SingleCropEngine:
    """Build one of ENGINES. Raises ImportError, OSError or RuntimeError where that isn't possible."""
    if name == "traced":
        return traced(network)
    if name in FUSED_ENGINES:
        threads = 1 if name == "onnx" else torch.get_num_threads()
        return in_onnx_runtime(network, onnx_file(settings, weights_sha256), threads)
    return eager(network)


def eager(network: nn.Module) -> SingleCropEngine:
    """The network in plain PyTorch, float32."""

    def run(crop: Tensor) -> Tensor:
        with torch.inference_mode():
            result: Tensor = network(crop)
        return result

    return run


def traced(network: nn.Module) -> SingleCropEngine:
    """The network traced for one crop, constants folded. Raises RuntimeError."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing is deprecated in favour of compilers that need a C++ compiler
        frozen = torch.jit.freeze(torch.jit.trace(copy.deepcopy(network), _CROP, check_trace=False))  # type: ignore[no-untyped-call]
        for _ in range(3):  # the first calls optimise
            frozen(_CROP)
    return eager(frozen)


def in_onnx_runtime(network: nn.Module, path: Path, threads: int = 1) -> SingleCropEngine:
    """The network in ONNX Runtime, exported to `path` where that file is missing, damaged or another network's.

    Raises ImportError where onnx or onnxruntime isn't installed, OSError, RuntimeError.
    """
    if find_spec("onnxruntime") is None:
        raise ModuleNotFoundError("onnxruntime isn't installed", name="onnxruntime")
    if path.is_file():
        try:
            run = _session(path, threads)
            if agrees(run, eager(network)):
                return run
        except (OSError, RuntimeError):
            pass  # truncated, or of another version: it is written again
    export_onnx(network, path, any_number=False)
    return _session(path, threads)


def _session(path: Path, threads: int) -> SingleCropEngine:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Spinning threads would take the processor from PyTorch's, and from other visitors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RuntimeError(f"ONNX Runtime refuses {path.name}: {type(error).__name__}") from error

    def run(crop: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {INPUT: crop.contiguous().numpy()})[0])

    return run
