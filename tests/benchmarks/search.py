"""Searching and opening galleries of a thousand to a hundred thousand templates, beside faiss and plain rows."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count as counted
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.bench.galleries import filled_gallery, names_of, space_of
from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.row import Row
from core.gallery.keys import Key
from core.gallery.records import Space
from core.gallery.store import Gallery
from core.gallery.top_k import top_k
from core.system.sqlite_files import connect

K = 5
BATCH = 100

FLAT = "faiss.IndexFlatIP(512).add(templates); index.search(probes, 5), and the names of what it found"
KERNEL = "faiss.IndexFlatIP(512).add(templates); index.search(probes, 5)"
ONE_BY_ONE = "for each template: connection.execute('SELECT vector FROM template WHERE id = ?', (id,)).fetchone()"
ONE_QUERY = "np.stack([np.frombuffer(v, 'f4') for v, in connection.execute('SELECT vector FROM template')])"
ROWS = f"{ONE_QUERY} @ probe"

Vectors = NDArray[np.float32]
Calls = dict[str, Callable[[], object]]


def rows(material: Material) -> Iterator[Row]:
    """Search in 10^3, 10^4 and 10^5 templates and opening the largest; with `large` search in 10^6."""
    sizes = (200, 1_000) if material.quick else (1_000, 10_000, 100_000)
    for size in sizes:
        material.on_step(f"search in {size:,} templates")
        templates = material.templates(size)
        with filled_gallery(material, templates, f"gallery-{size}") as gallery:
            yield from _search(material, gallery, templates)
            if size == sizes[-1]:
                material.on_step(f"opening {size:,} templates")
                yield from _opening(material, gallery)
    yield from _encrypted(material, sizes[-2])
    if material.large:
        from tests.benchmarks.million import rows as million

        yield from million(material)


def _search(material: Material, gallery: Gallery, templates: Vectors) -> Iterator[Row]:
    import faiss

    size, space, names = len(templates), space_of(material), names_of(len(templates))
    flat = faiss.IndexFlatIP(templates.shape[1])
    flat.add(templates)
    probes = np.asarray(material.queries(templates, BATCH)[1], dtype=np.float32)
    index, turn = gallery.index(space), counted()

    def theirs(asked: Vectors) -> list[list[tuple[str, float]]]:
        scores, found = flat.search(asked, K)
        return [
            [(names[row], score) for row, score in zip(*each, strict=True)]
            for each in zip(found.tolist(), scores.tolist(), strict=True)
        ]

    def one() -> Vectors:
        result: Vectors = probes[next(turn) % BATCH][None]
        return result

    same = sum(
        [candidate.name for candidate in ours] == [name for name, _ in other]
        for ours, other in zip(gallery.search(probes, space, K), theirs(probes), strict=True)
    )
    agree = f"same {K} names in the same order for {same} of {BATCH} probes"
    what, target = f"Search in {size:,} templates", "never slower than faiss Flat"
    calls: Calls = {
        "ours": lambda: gallery.search(one(), space, K),
        "faiss": lambda: theirs(one()),
        "our kernel": lambda: top_k((index.matrix @ one()[0])[None], K),
        "faiss kernel": lambda: flat.search(one(), K),
    }
    ms = _medians(calls, rounds=material.size(300, 5), most_s=10)
    note = f"ours asks the file whether it has changed, checks the probe and says kind and size; {agree}"
    yield _row(f"search-{size}", what, ms["ours"], ms["faiss"], 1, target, FLAT, note)
    note = "the product and the best five alone"
    yield _row(f"search-{size}-kernel", f"{what}, kernel", ms["our kernel"], ms["faiss kernel"], 1, "", KERNEL, note)
    many: Calls = {"ours": lambda: gallery.search(probes, space, K), "faiss": lambda: theirs(probes)}
    ms = _medians(many, rounds=material.size(40, 3), most_s=10)
    yield _row(f"search-{size}-batch", f"{what}, {BATCH} probes", ms["ours"], ms["faiss"], 1, target, FLAT)
    path = str(gallery.path)
    plain: Calls = {"ours": calls["ours"], "rows": lambda: np.argsort(-(read_stacked(path) @ one()[0]))[:K]}
    ms = _medians(plain, rounds=material.size(5, 2), most_s=5)
    yield _row(f"search-{size}-rows", f"{what}, reading rows", ms["ours"], ms["rows"], 1, "", ROWS)


def _opening(material: Material, gallery: Gallery) -> Iterator[Row]:
    size, space, path = gallery.size, space_of(material), str(gallery.path)
    calls: Calls = {
        "ours": lambda: opened(path, space),
        "one by one": lambda: read_one_by_one(path),
        "one query": lambda: read_stacked(path),
    }
    ms = _medians(calls, rounds=material.size(5, 2), most_s=30)
    what, note = f"Opening {size:,} templates", "until the first search can begin; ours reads and checks the names too"
    yield _row("gallery-open", what, ms["ours"], ms["one by one"], 10, ">= 10x", ONE_BY_ONE, note)
    yield _row("gallery-open-query", f"{what}, one query", ms["ours"], ms["one query"], 1, "", ONE_QUERY, note)


def _encrypted(material: Material, size: int) -> Iterator[Row]:
    """What encryption costs: the baseline is the same gallery in plain."""
    material.on_step("an encrypted gallery")
    templates, space, key = material.templates(size), space_of(material), Key(secrets.token_bytes(32))
    with (
        filled_gallery(material, templates, "plain") as plain,
        filled_gallery(material, templates, "sealed", key) as sealed,
    ):
        probe = templates[:1]
        calls: Calls = {"ours": lambda: sealed.search(probe, space, K), "plain": lambda: plain.search(probe, space, K)}
        ms = _medians(calls, rounds=material.size(200, 5), most_s=5)
        what = f"encrypted, beside plain: {size:,} templates"
        yield _row("search-encrypted", f"Search {what}", ms["ours"], ms["plain"], 1, "", "the same, not encrypted")
        paths = str(sealed.path), str(plain.path)
        both: Calls = {"ours": lambda: opened(paths[0], space, key), "plain": lambda: opened(paths[1], space)}
        ms = _medians(both, rounds=material.size(5, 2), most_s=10)
        yield _row("open-encrypted", f"Opening {what}", ms["ours"], ms["plain"], 1, "", "the same, not encrypted")


def opened(path: str, space: Space, key: Key | None = None) -> int:
    """Open a gallery until it can be searched; how many people can be found."""
    with Gallery.open(path, keys=lambda: key) as gallery:
        return gallery.index(space).size


def read_one_by_one(path: str) -> Vectors:
    """Every vector of a gallery's file, a query each."""
    with closing(connect(Path(path), wait_s=60)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM template").fetchall()]
        query = "SELECT vector FROM template WHERE id = ?"
        return np.stack([np.frombuffer(connection.execute(query, (id,)).fetchone()[0], np.float32) for id in ids])


def read_stacked(path: str) -> Vectors:
    """Every vector of a gallery's file, by one query."""
    with closing(connect(Path(path), wait_s=60)) as connection:
        found = connection.execute("SELECT vector FROM template")
        return np.stack([np.frombuffer(blob, np.float32) for (blob,) in found])


def _medians(calls: Calls, *, rounds: int, most_s: float) -> dict[str, float]:
    """Milliseconds of each call, taken in turns."""
    times = in_turns(calls, rounds=rounds, warm_up=2, most_s=most_s)
    return {name: 1e3 * each.median for name, each in times.items()}


def _row(
    name: str, what: str, ours: float, base: float, wanted: float, target: str, command: str, note: str = ""
) -> Row:
    """`wanted`: how many times quicker than the baseline; it counts only where a target is named."""
    ratio = base / ours
    return Row(name, what, "ms", ours, base, ratio, target, ratio >= wanted if target else None, command, note)
