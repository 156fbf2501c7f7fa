"""Ingest of photographs, timed: detected, aligned, checked and written."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import psutil

from core.bench.material import Material
from core.bench.row import Curve
from core.dataset.engine import Engine
from core.dataset.ingest import ingest_photographs
from core.dataset.manifest import DatasetInfo
from core.dataset.photograph import Photograph, Recipe
from core.faces.quality import Limits


def listed(material: Material, count: int, split: str = "") -> list[Photograph]:
    return [
        Photograph(path, person, f"{number:05d}", path.name, split)
        for number, (person, path) in enumerate(material.photographs[:count])
    ]


def take_in(photographs: list[Photograph], out: Path, workers: int | None) -> None:
    recipe = Recipe((16, 24, 32), "bicubic", 0, 32, Limits())
    shutil.rmtree(out, ignore_errors=True)
    ingest_photographs(photographs, out, recipe, DatasetInfo(name=out.name), Engine(workers=workers))


def curve(material: Material) -> Curve:
    """Seconds of ingest against photographs, and this process's memory after each."""
    counts = [n for n in ((4, 8) if material.quick else (25, 100, 400)) if n <= len(material.photographs)]
    spent, memory = [], []
    for count in counts:
        began = time.perf_counter()
        take_in(listed(material, count), material.folder / "grown", None)
        spent.append(time.perf_counter() - began)
        memory.append(psutil.Process().memory_info().rss / 1e6)
    return Curve("Ingest", "photographs", "s", tuple(map(float, counts)), tuple(spent), tuple(memory))
