"""What `bench` measures on this machine: embedding, one small crop, search, enrolment and ingest, each by itself.

The comparisons with other libraries and with plainer code are in tests/benchmarks (`make bench`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count as counted
from pathlib import Path

import numpy as np

from core.bench.galleries import filled_gallery, index_of, space_of
from core.bench.material import Material
from core.bench.measure import Times, in_turns
from core.bench.photographs import listed, take_in
from core.bench.row import Curve, Row
from core.enrolment.bulk_enrol import enrol_many
from core.gallery.records import Space
from core.gallery.sketch import SKETCH_FROM, build_sketch
from core.gallery.store import Gallery
from core.images import resize
from core.pipeline import Pipeline, PipelineConfig, build_pipeline

BATCH, TOP = 32, 5
PHOTOGRAPHS = 5
"""Photographs of each person whose enrolment is measured."""


def _times(call: Callable[[], object], rounds: int, most_s: float) -> Times:
    return in_turns({"": call}, rounds=rounds, warm_up=2, most_s=most_s)[""]


def _milliseconds(name: str, what: str, times: Times, note: str = "") -> Row:
    tail = f"p99 {1e3 * times.p99:.1f} ms"
    return Row(name, what, "ms", 1e3 * times.median, note=f"{tail}; {note}" if note else tail)


def embedding(material: Material) -> Iterator[Row]:
    """A batch of 32 aligned crops, and one crop at a time."""
    encoder, crops = material.load_encoder(), material.crops
    for _ in range(8):
        encoder.encode(crops[:1])  # the first calls prepare the engine for single crops
    many = _times(lambda: encoder.encode(crops[:BATCH]), material.size(20, 2), 8.0)
    note = f"{encoder.name}, {encoder.info.precision}; preprocessing and L2 norm included"
    yield Row("embed-32", "Embedding, batch of 32", "images/s", BATCH / many.median, note=note)
    one = _times(lambda: encoder.encode(crops[:1]), material.size(200, 5), 5.0)
    yield _milliseconds("embed-1", "Embedding, one crop", one, f"engine {encoder.engine}; preprocessing included")


def one_crop(material: Material) -> Iterator[Row]:
    """A 32 px crop from pixels to a name among 10,000 people: super-resolution, embedding, search."""
    from core.models.landmark_networks import detector_in_use
    from core.sr import load_upscaler

    encoder, upscaler = material.load_encoder(), load_upscaler(material.dsr_file)
    space = Space(encoder.name, encoder.weights_sha256, upscaler.id, encoder.flip_tta, bicubic_px=upscaler.bicubic_px)
    templates = material.templates(material.size(10_000, 200))
    detector = detector_in_use(material.settings)
    with filled_gallery(material, templates, "one-crop", space=space) as gallery:
        pipeline = Pipeline(PipelineConfig(device="cpu", aligned=True), encoder, upscaler, detector, gallery)
        smalls, turn = [resize(crop, 32) for crop in material.crops[:16]], counted()
        times = _times(lambda: pipeline.run(smalls[next(turn) % len(smalls)]), material.size(120, 3), 8.0)
        taken = [pipeline.run(small).timings_ms for small in smalls]
        steps = ", ".join(f"{step} {float(np.median([each[step] for each in taken])):.1f}" for step in taken[0])
    what = f"One 32 px crop: DSR, embedding, 1:{len(templates):,}"
    yield _milliseconds("one-crop", what, times, f"steps in ms: {steps}; engine {encoder.engine}")


def search(material: Material) -> Iterator[Row]:
    """One search in galleries on disk, and opening the largest until the first search can begin."""
    space = space_of(material)
    sizes = (200, 1_000) if material.quick else (1_000, 10_000)
    for size in sizes:
        material.on_step(f"search in {size:,} templates")
        templates = material.templates(size)
        probes, turn = material.queries(templates, 100)[1], counted()
        with filled_gallery(material, templates, f"gallery-{size}") as gallery:
            times = _times(lambda: gallery.search(probes[next(turn) % 100][None], space, TOP), material.size(200, 5), 4)  # noqa: B023
            yield _milliseconds(f"search-{size}", f"Search in {size:,} templates", times)
            if size == sizes[-1]:
                path = Path(gallery.path)
                times = _times(lambda: _opened(path, space), material.size(5, 2), 5.0)  # noqa: B023
                yield _milliseconds("gallery-open", f"Opening {size:,} templates", times, "until a search can begin")


def _opened(path: Path, space: Space) -> int:
    with Gallery.open(path, keys=lambda: None) as gallery:
        return gallery.index(space).size


def enrolment(material: Material) -> list[Row]:
    """Bulk enrolment of people with five photographs each into an empty gallery, from files to the disk."""
    plan = enrolment_plan(material, material.size(20, 3))
    material.on_step(f"enrolment of {len(plan)} people")
    config = PipelineConfig(device="cpu", weights=material.weights, skip_dsr=True)
    made, folder = build_pipeline(config, material.settings), material.folder / "enrolment"

    def into_empty() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with Gallery.open(folder / "gallery.db") as gallery:
            enrol_many(Pipeline(config, made.encoder, made.upscaler, made.detector, gallery), plan, force=True)

    times = in_turns({"": into_empty}, rounds=material.size(2, 1), warm_up=0, most_s=15)[""]
    what = f"Enrolment of {len(plan)} people x {PHOTOGRAPHS} photographs"
    return [Row("enrol-bulk", what, "people/s", len(plan) / times.median, note="from files to the disk, with crops")]


def enrolment_plan(material: Material, people: int) -> list[tuple[str, list[Path]]]:
    """(name, five photographs) of so many people: first the people who have five photographs, then further names with
    the photographs in order. They are enrolled whatever the checks say, so that each costs the same."""
    by_person: dict[str, list[Path]] = {}
    for person, path in material.photographs:
        by_person.setdefault(person, []).append(path)
    own = [paths[:PHOTOGRAPHS] for paths in by_person.values() if len(paths) >= PHOTOGRAPHS][:people]
    others = [path for _, path in material.photographs]
    while len(own) < people:
        first = len(own) * PHOTOGRAPHS
        own.append([others[(first + place) % len(others)] for place in range(PHOTOGRAPHS)])
    return [(f"Person {number:04d}", paths) for number, paths in enumerate(own)]


def ingest(material: Material) -> list[Row]:
    """Photographs taken into a data set: found, aligned, checked and written, on every core."""
    photographs = listed(material, min(len(material.photographs), material.size(100, 8)))
    material.on_step(f"ingest of {len(photographs)} photographs")
    out = material.folder / "ingested"
    times = in_turns({"": lambda: take_in(photographs, out, None)}, rounds=material.size(2, 1), warm_up=0, most_s=15)[
        ""
    ]
    return [Row("ingest", f"Ingest of {len(photographs)} photographs", "images/s", len(photographs) / times.median)]


def search_curve(material: Material) -> Curve:
    """Milliseconds of one search against the number of people, and the memory held for it."""
    sizes = [100, 1_000] if material.quick else [100, 1_000, 10_000, 100_000]
    if material.large and not material.quick:
        sizes.append(1_000_000)
    space, spent, memory = space_of(material), [], []
    for size in sizes:
        templates = material.templates(size)
        index = index_of(templates, space)
        if size >= SKETCH_FROM:
            build_sketch(templates)
        times = _times(lambda: index.search(index.matrix[0], TOP), material.size(40, 3), 4.0)  # noqa: B023
        spent.append(1e3 * times.median)
        memory.append((templates.nbytes + (size * templates.shape[1] / 8 if size >= SKETCH_FROM else 0)) / 1e6)
    x = tuple(map(float, sizes))
    return Curve("Identify: one search", "people in the gallery", "ms", x, tuple(spent), tuple(memory))
