"""The whole table, top to bottom: every part by name, its rows as they come, one file at the end."""

from __future__ import annotations

import importlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from core.bench.material import Material
from core.bench.row import Curve, Outcome, Row, now, write_outcome
from core.errors import CoreError, SettingsInvalid
from core.settings import Settings

PARTS: dict[str, tuple[str, ...]] = {
    "embed": ("core.bench.embedding:rows",),
    "one-crop": ("core.bench.recognition:rows",),
    "search": ("core.bench.search:rows",),
    "enrolment": ("core.bench.enrolment:rows",),
    "ingest": ("core.bench.photographs:rows",),
    "epochs": ("core.bench.epochs:rows",),
    "browser": ("core.bench.browser:rows",),
    "accuracy": ("core.bench.accuracy:rows",),
    "engines": ("core.bench.engines:rows",),
    "growth": ("core.bench.search:curve", "core.bench.photographs:curve", "core.bench.pairs:curve"),
}
"""What is measured, in this order: each function is given the Material and gives Rows or a Curve."""


def run_bench(
    settings: Settings,
    *,
    only: Sequence[str] = (),
    quick: bool = False,
    large: bool = False,
    weights: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
    on_row: Callable[[Row], None] = lambda row: None,
    on_part: Callable[[str, int, int], None] = lambda part, done, total: None,
) -> Outcome:
    """Measure the parts named by `only` (all by default) and write data/bench/<time>.json.

    `tell` hears what is under way, `on_row` each row, `on_part` each part with how many are done, of how many.
    A part that can't be measured leaves a skipped row that says why. Raises SettingsInvalid for an unknown part,
    StorageFailed.
    """
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        raise SettingsInvalid(f"There is no part '{unknown[0]}' to measure.", f"Choose from {', '.join(PARTS)}.")
    began, rows, curves = time.monotonic(), [], []
    busy = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory(prefix="edgeface-bench-", ignore_cleanup_errors=True) as folder:
        material = Material(settings, Path(folder), quick, large, tell, weights)
        parts = [part for part in PARTS if not only or part in only]
        for done, part in enumerate(parts):
            on_part(part, done, len(parts))
            for function in PARTS[part]:
                for found in _measured(part, function, material):
                    if isinstance(found, Curve):
                        curves.append(found)
                    else:
                        rows.append(found)
                        on_row(found)
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
    """Rows as they come; a skipped one in the place of what a library that isn't there, or a fault, prevents."""
    material.tell(f"measuring {part}")
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
    """What the figures were taken on; no name of the computer."""
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
