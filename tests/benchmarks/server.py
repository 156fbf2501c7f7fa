"""Search in galleries on a PostgreSQL server: what the vector index costs, how long it takes, and what it finds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import psutil
from numpy.typing import NDArray

from core.bench.galleries import filled_gallery, index_of, space_of
from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.row import Row
from core.gallery.postgres import PostgresDatabase
from core.gallery.postgres_means import build_index, index_name
from core.gallery.store import Gallery
from tests.benchmarks.million import other_looks
from tests.postgres_server import Server, running_server

COSINES = (0.3, 0.5, 0.7)
CLIENTS = 8
MEMORY = "Gallery.index(space).search(probe): everybody compared in memory"
Vectors = NDArray[np.float32]


def rows(material: Material) -> Iterator[Row]:
    """Search, building and size at 10^4 and 10^5 means, with `large` at 10^6; a probe is a template at a set cosine.

    Recall@1: the share of probes for which it finds whom comparing everybody finds.
    """
    sizes = (300,) if material.quick else (10_000, 100_000, *([1_000_000] if material.large else []))
    with running_server() as server:
        for size in sizes:
            material.on_step(f"a server's gallery of {size:,} means")
            templates = material.templates(size)
            with server.database() as name:
                address, began = server.address(name), time.perf_counter()
                with filled_gallery(material, templates, f"server-{size}", address=address) as gallery:
                    yield from _cost(material, server, name, gallery, size, time.perf_counter() - began)
                    yield from _searches(material, gallery, templates)
                    yield _together(material, gallery, templates)


def _cost(material: Material, server: Server, name: str, gallery: Gallery, size: int, filled_s: float) -> Iterator[Row]:
    """Rows for building the index again and for its size on disk."""
    yield Row(f"server-fill-{size}", f"PostgreSQL: {size:,} people stored at once, searchable", "s", filled_s)
    database, space = gallery.database, space_of(material)
    assert isinstance(database, PostgresDatabase)
    index = index_name(1, int(space.flip_tta))
    with database.searching() as connection:
        process = psutil.Process(connection.info.backend_pid)
    server.execute(f"DROP INDEX IF EXISTS edgeface_gallery.{index}", name)
    spent, began = _processor_s(process), time.perf_counter()
    with database.transaction(), database.searching() as connection:
        build_index(connection, 1, int(space.flip_tta), space.dim)
    note = f"processor time of one of its processes {_processor_s(process) - spent:.1f} s"
    yield Row(f"server-build-{size}", f"Index over {size:,} means", "s", time.perf_counter() - began, note=note)
    for of, what in ((index, "index"), ("mean", "means")):
        [(taken,)] = server.execute(f"SELECT pg_relation_size('edgeface_gallery.{of}')", name)
        yield Row(f"server-{what}-{size}", f"{size:,} means: {what} on disk", "MB", taken / 1e6)


def _searches(material: Material, gallery: Gallery, templates: Vectors) -> Iterator[Row]:
    size, space, database = len(templates), space_of(material), gallery.database
    assert isinstance(database, PostgresDatabase) and database.vectors is not None
    with database.searching() as connection:
        process = psutil.Process(connection.info.backend_pid)
    exact = index_of(templates, space)
    for cosine in COSINES:
        meant, probes = other_looks(
            material, templates, np.array([cosine]), material.size(200, 20), seed=int(cosine * 10)
        )
        spent = _processor_s(process)
        found = [database.vectors.search(probe[None], space, 1) for probe in probes]
        taken = 1e3 * (_processor_s(process) - spent) / len(probes)
        best = [row[0].identity_id for row in exact.search(probes, 1)]
        recall = float(
            np.mean([row is not None and row[0][0].identity_id == own for row, own in zip(found, best, strict=True)])
        )
        right = float(np.mean(np.array(best) - 1 == meant))
        times = in_turns(
            {
                "ours": _turns(probes, lambda p: gallery.search(p, space, 5)),
                "memory": _turns(probes, lambda p: exact.search(p, 5)),
            },
            rounds=material.size(100, 5),
            warm_up=2,
            most_s=30,
        )
        ours, base = 1e3 * times["ours"].median, 1e3 * times["memory"].median
        yield Row(
            f"server-search-{size}-{cosine}",
            f"PostgreSQL: search in {size:,} means, probes at cosine {cosine}",
            "ms",
            ours,
            base,
            base / ours,
            "<= 10 ms at recall@1 >= 0.99",
            ours <= 10 and recall >= 0.99,
            MEMORY,
            f"recall@1 {recall:.3f} of {len(probes)}; the server's processor time {taken:.1f} ms a search; comparing "
            f"everybody names the right one for {right:.3f}",
        )


def _together(material: Material, gallery: Gallery, templates: Vectors) -> Row:
    """Probes a second of clients that search at once, each over a connection of its own."""
    space, seconds = space_of(material), material.size(10, 1)
    probes, done, errors = other_looks(material, templates, np.array([0.5]), 100, seed=9)[1], [0] * CLIENTS, []

    def search(number: int, opened: Gallery, end: float) -> None:
        try:
            while time.perf_counter() < end:
                opened.search(probes[done[number] % len(probes)][None], space, 5)
                done[number] += 1
        except Exception as error:  # noqa: BLE001 (any fault is a result here)
            errors.append(error)

    with ExitStack() as stack:
        clients = [stack.enter_context(Gallery.open(gallery.path)) for _ in range(CLIENTS)]
        end = time.perf_counter() + seconds
        threads = [threading.Thread(target=search, args=(n, each, end)) for n, each in enumerate(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rate = sum(done) / seconds
    return Row(
        f"server-together-{len(templates)}",
        f"PostgreSQL: {CLIENTS} clients at once, {len(templates):,} means",
        "probes/s",
        rate,
        target=">= 100 probes/s without errors",
        met=rate >= 100 and not errors,
        note=f"{len(errors)} errors",
    )


def _turns(probes: Vectors, search: Callable[[Vectors], object]) -> Callable[[], object]:
    turn = iter(range(10**9))
    return lambda: search(probes[next(turn) % len(probes)][None])


def _processor_s(process: psutil.Process) -> float:
    taken = process.cpu_times()
    return float(taken.user + taken.system)
