"""Run the parts of a measurement in order, collect their rows and write one file at the end."""

from __future__ import annotations

import importlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.bench.material import Material
from core.bench.row import Curve, Outcome, Row, now, write_outcome
from core.errors import CoreError, SettingsInvalid
from core.settings import Settings

PARTS: dict[str, tuple[str, ...]] = {
    "embed": ("core.bench.measurements:embedding",),
    "one-crop": ("core.bench.measurements:one_crop",),
    "search": ("core.bench.measurements:search",),
    "enrolment": ("core.bench.measurements:enrolment",),
    "ingest": ("core.bench.measurements:ingest",),
    "growth": ("core.bench.measurements:search_curve", "core.bench.photographs:curve"),
}
"""The parts in their order. Each function takes the Material and returns Rows or a Curve."""

MOVED = ("epochs", "browser", "accuracy", "engines")
"""Parts that are comparisons, which `make bench` measures."""


@dataclass(frozen=True)
class BenchHooks:
    """What a measurement reports: a line about the current step, each row, and each part with the number of parts done
    and in all."""

    on_step: Callable[[str], None] = lambda text: None
    on_row: Callable[[Row], None] = lambda row: None
    on_part: Callable[[str, int, int], None] = lambda part, done, total: None


def run_bench(
    settings: Settings,
    *,
    only: Sequence[str] = (),
    quick: bool = False,
    large: bool = False,
    weights: str | None = None,
    parts: Mapping[str, tuple[str, ...]] = PARTS,
    hooks: BenchHooks | None = None,
) -> Outcome:
    """Measure the `parts` named by `only` (all by default) and write data/bench/<time>.json.

    A part that can't be measured yields a skipped row with the reason. Raises SettingsInvalid for an unknown part,
    StorageFailed.
    """
    hooks = hooks or BenchHooks()
    unknown = sorted(set(only) - set(parts))
    if unknown:
        raise SettingsInvalid(
            f"There is no part '{unknown[0]}' to measure.",
            f'Use make bench BENCH="--only {unknown[0]}".'
            if unknown[0] in MOVED
            else f"Choose from {', '.join(parts)}.",
        )
    began, rows, curves = time.monotonic(), [], []
    busy = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory(prefix="edgeface-bench-", ignore_cleanup_errors=True) as folder:
        material = Material(settings, Path(folder), quick, large, hooks.on_step, weights)
        chosen = [part for part in parts if not only or part in only]
        for done, part in enumerate(chosen):
            hooks.on_part(part, done, len(chosen))
            for function in parts[part]:
                for found in _measured(part, function, material):
                    if isinstance(found, Curve):
                        curves.append(found)
                    else:
                        rows.append(found)
                        hooks.on_row(found)
        facts = {
            **machine(),
            "load_before": busy,
            "encoder": f"{material.weights.name} ({material.encoder.name})",
            "notes": list(material.notes),
        }
    outcome = Outcome(now(), facts, quick, round(time.monotonic() - began, 1), tuple(rows), tuple(curves))
    write_outcome(outcome, settings)
    return outcome


def _measured(part: str, function: str, material: Material) -> Iterable[Row | Curve]:
    """The rows of a function; a skipped row where a missing library or an error prevents the measurement."""
    material.on_step(f"measuring {part}")
    module, _, name = function.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)(material)
        yield from (found,) if isinstance(found, Curve) else found
    except ImportError as error:
        yield Row(part, part, skipped=f"{error.name} isn't installed: pip install -r requirements-bench.txt")
    except CoreError as error:
        yield Row(part, part, skipped=error.what)
    except (OSError, RuntimeError, ValueError) as error:
        yield Row(part, part, skipped=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}")


def machine() -> dict[str, object]:
    """The processor and libraries that the figures belong to; the computer's name isn't among them."""
    import torch

    from core.system.cpu import cpu_has_bfloat16, processor_name

    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "bfloat16": cpu_has_bfloat16(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
