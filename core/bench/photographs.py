"""Photographs taken into a data set: found, aligned, judged, written."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.row import Curve, Row
from core.dataset.ingest import ingest_photographs
from core.dataset.manifest import DatasetInfo
from core.dataset.photograph import Photograph, Recipe
from core.faces.quality import Limits

ONE_PROCESS = "ingest with workers=1: one photograph after another, same detector, crops and files"


def listed(material: Material, count: int, split: str = "") -> list[Photograph]:
    return [
        Photograph(path, person, f"{number:05d}", path.name, split)
        for number, (person, path) in enumerate(material.photographs[:count])
    ]


def take_in(photographs: list[Photograph], out: Path, workers: int | None) -> None:
    recipe = Recipe((16, 24, 32), "bicubic", 0, 32, Limits())
    shutil.rmtree(out, ignore_errors=True)
    ingest_photographs(photographs, out, recipe, DatasetInfo(name=out.name), workers=workers)


def rows(material: Material) -> Iterator[Row]:
    count = min(len(material.photographs), material.size(300, 8))
    photographs, workers = listed(material, count), os.cpu_count() or 1
    material.tell(f"ingest of {count} photographs")
    times = in_turns(
        {
            "ours": lambda: take_in(photographs, material.folder / "ingested", None),
            "one": lambda: take_in(photographs, material.folder / "ingested-one", 1),
        },
        rounds=material.size(3, 1),
        warm_up=0,
        most_s=60,
    )
    ours, base = count / times["ours"].median, count / times["one"].median
    yield Row(
        "ingest",
        f"Ingest of {count} photographs",
        "images/s",
        ours,
        base,
        ours / base,
        ">= 1.8x",
        ours / base >= 1.8,
        ONE_PROCESS,
        f"{workers} threads",
    )


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
