"""Ingest of photographs on every core, beside one process."""

from __future__ import annotations

import os
from collections.abc import Iterator

from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.photographs import listed, take_in
from core.bench.row import Row

ONE_PROCESS = "ingest with workers=1: one photograph after another, same detector, crops and files"


def rows(material: Material) -> Iterator[Row]:
    count = min(len(material.photographs), material.size(300, 8))
    photographs, workers = listed(material, count), os.cpu_count() or 1
    material.on_step(f"ingest of {count} photographs")
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
