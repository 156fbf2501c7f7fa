"""One face at a time: which way of running the network is fastest on this machine, measured once and remembered.

A batch keeps the processor busy by itself; one crop mostly waits for what goes on between 150 small operations. ONNX
Runtime fuses them, a recorded ("traced") network at least doesn't go through Python for each.
"""

from __future__ import annotations

import copy
import json
import os
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.encoder.export_onnx import INPUT, export_onnx
from core.errors import CoreError, SettingsInvalid
from core.settings import CROP_PX, Settings, load_settings
from core.system.atomic_file import write_atomically
from core.system.cpu import processor_name

Single = Callable[[Tensor], Tensor]
"""(1, 3, 112, 112) in [-1, 1] -> (1, 512), not normalised."""

ENGINES = ("eager", "traced", "onnx", "onnx-threads")
"""PyTorch as it is, recorded, ONNX Runtime on one thread, and on as many as PyTorch has."""
FUSED_ENGINES = ("onnx", "onnx-threads")
"""Those of them that take as long for a crop in a batch as for one alone."""
OVERRIDE = "EDGEFACE_ENGINE"
"""Environment variable: "auto" (measure), or one of ENGINES."""

LEAST_COSINE = 0.9999
"""An engine whose embedding is further from PyTorch's float32 than this is not used, however fast."""

_ROUNDS = 12
_MOST_S = 1.0


def asked_engine() -> str:
    """What the environment asks for: "auto" or an engine. Raises SettingsInvalid for anything else."""
    asked = os.environ.get(OVERRIDE) or "auto"
    if asked not in ("auto", *ENGINES):
        raise SettingsInvalid(f"{OVERRIDE} is '{asked}'.", f"Set it to one of auto, {', '.join(ENGINES)}.")
    return asked


def single_engine(network: nn.Module, weights_sha256: str, settings: Settings | None = None) -> tuple[str, Single]:
    """(name, function) of the fastest way to embed one crop on this CPU, in float32.

    Measured at the first call for a machine and set of weights (about a second), kept in data/engines/choice.json.
    `network` is on the CPU, in eval mode. Raises SettingsInvalid when what EDGEFACE_ENGINE asks for isn't there.
    """
    settings = settings or load_settings()
    asked = asked_engine()
    wanted = asked if asked != "auto" else _remembered(settings, weights_sha256)
    if wanted is not None:
        try:
            return wanted, _make(wanted, network, weights_sha256, settings)
        except (ImportError, OSError, RuntimeError) as error:
            if asked != "auto":
                reason = str(error).strip().splitlines() or [type(error).__name__]
                raise SettingsInvalid(
                    f"The engine '{asked}' can't be used here: {reason[0][:160]}.", f"Unset {OVERRIDE}."
                ) from error
    made = _candidates(network, weights_sha256, settings)
    times = measure(made)
    best = min(times, key=lambda name: times[name])
    _remember(settings, weights_sha256, best, times)
    return best, made[best]


def measure(engines: Mapping[str, Single], rounds: int = _ROUNDS) -> dict[str, float]:
    """Median milliseconds of each engine on one crop, taken in turns, three rounds at the least and then for a second
    at most; those too far from "eager" are left out."""
    alike = {name: run for name, run in engines.items() if agrees(run, engines["eager"])}
    spent: dict[str, list[float]] = {name: [] for name in alike}
    started = time.perf_counter()
    for number in range(rounds):
        for name, run in alike.items():
            began = time.perf_counter()
            run(_CROP)
            spent[name].append((time.perf_counter() - began) * 1e3)
        if number >= 2 and time.perf_counter() - started > _MOST_S:
            break
    return {name: float(np.median(values)) for name, values in spent.items()}


def agrees(run: Single, eager: Single) -> bool:
    """Whether an engine's embedding of one crop is PyTorch's, by their cosine."""
    cosine = nn.functional.cosine_similarity(run(_CROP).float(), eager(_CROP).float())
    return float(cosine) >= LEAST_COSINE


def onnx_file(settings: Settings, weights_sha256: str) -> Path:
    """Where the network of some weights lies for ONNX Runtime."""
    return settings.data_dir / "engines" / f"{weights_sha256[:24]}.onnx"


_CROP = (torch.rand((1, 3, CROP_PX, CROP_PX), generator=torch.Generator().manual_seed(0)) * 2 - 1).contiguous(
    memory_format=torch.channels_last
)


def _candidates(network: nn.Module, weights_sha256: str, settings: Settings) -> dict[str, Single]:
    made: dict[str, Single] = {}
    for name in ENGINES:
        try:
            made[name] = _make(name, network, weights_sha256, settings)
        except (ImportError, OSError, RuntimeError):
            continue  # not here, or not for this network: the others remain
    return made


def _make(name: str, network: nn.Module, weights_sha256: str, settings: Settings) -> Single:
    if name == "traced":
        return traced(network)
    if name in ("onnx", "onnx-threads"):
        threads = 1 if name == "onnx" else torch.get_num_threads()
        return in_onnx_runtime(network, onnx_file(settings, weights_sha256), threads)
    return eager(network)


def eager(network: nn.Module) -> Single:
    """The network as it is, in float32."""

    def run(crop: Tensor) -> Tensor:
        with torch.inference_mode():
            result: Tensor = network(crop)
        return result

    return run


def traced(network: nn.Module) -> Single:
    """The network with its operations recorded for one crop, constants folded. Raises RuntimeError."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing is called old; what is newer compiles with a C++ compiler
        frozen = torch.jit.freeze(torch.jit.trace(copy.deepcopy(network), _CROP, check_trace=False))  # type: ignore[no-untyped-call]
        for _ in range(3):  # the first calls optimise
            frozen(_CROP)
    return eager(frozen)


def in_onnx_runtime(network: nn.Module, path: Path, threads: int = 1) -> Single:
    """The network in ONNX Runtime, written to `path` where it isn't there or isn't this network's.

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
            pass  # cut short, or of another version: it is written anew
    export_onnx(network, path, any_number=False)
    return _session(path, threads)


def _session(path: Path, threads: int) -> Single:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that wait by spinning take the processor from PyTorch's, and from other visitors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RuntimeError(f"ONNX Runtime refuses {path.name}: {type(error).__name__}") from error

    def run(crop: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {INPUT: crop.contiguous().numpy()})[0])

    return run


def _machine(weights_sha256: str) -> str:
    """What a choice holds for: this processor, these threads, these libraries, these weights."""
    there = all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))
    processor = f"{processor_name()}/{torch.get_num_threads()}"
    return f"{processor}/{torch.__version__}/{'onnx' if there else '-'}/{weights_sha256[:24]}"


def _remembered(settings: Settings, weights_sha256: str) -> str | None:
    try:
        name = str(json.loads(_choices(settings).read_bytes())[_machine(weights_sha256)]["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if name in ENGINES else None


def _remember(settings: Settings, weights_sha256: str, engine: str, times: Mapping[str, float]) -> None:
    path = _choices(settings)
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        kept = {}
    if not isinstance(kept, dict):
        kept = {}
    kept[_machine(weights_sha256)] = {"engine": engine, "ms": {name: round(ms, 2) for name, ms in times.items()}}
    try:
        write_atomically(path, json.dumps(kept, indent=2).encode())
    except CoreError:
        return  # a read-only installation measures again next time


def _choices(settings: Settings) -> Path:
    return settings.data_dir / "engines" / "choice.json"
