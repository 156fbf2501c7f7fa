"""A disk that is really full (a small file system of its own): said in one line, nothing half-made, and with room
again the work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sets import add_pair, notes_set, tree

from core.dataset.build import build
from core.dataset.cache import open_cache
from core.dataset.ingest import ingest
from core.dataset.manifest import read_dataset
from core.dataset.scan import scan
from core.dataset.synthetic.demo import make_demo
from core.errors import StorageFailed
from tests.small_disk import enlarge, small_disk

FULL_KB = 120
ROOMY_KB = 20_000


@pytest.fixture()
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", FULL_KB) as place:
        yield place


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    return notes_set(tmp_path / "in", {f"{n:03}": 5 for n in range(1, 6)})


def refused_then_done(disk: Path, work: Callable[[], object]) -> None:
    """It fails for want of room and leaves nothing; with room it is done."""
    with pytest.raises(StorageFailed, match="No space left"):
        work()
    assert list(disk.iterdir()) == []
    enlarge(disk, ROOMY_KB)
    work()


@pytest.mark.parametrize("mode", ["closed-set", "both"])
def test_a_build(disk: Path, source: Path, tmp_path: Path, mode: str) -> None:
    """The disk isn't the source's: links can't be, so files are copied."""
    before = tree(source)
    refused_then_done(disk, lambda: build(scan(source), disk / "out", mode=mode, seed=2))
    [first, *_] = build(scan(source), tmp_path / "undisturbed" / "out", mode=mode, seed=2, link="copy")
    assert first.linked == "copy" and tree(source) == before
    assert tree(disk / "out") == tree(tmp_path / "undisturbed" / "out")


def test_an_update(disk: Path, tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 5})
    build(scan(source), disk / "out", min_images=2)
    for number in range(30):
        add_pair(source, "train", f"002_01_01_051_{number:02}", 100 + number)
    before = tree(disk / "out")
    with pytest.raises(StorageFailed, match="No space left"):
        build(scan(source), disk / "out", min_images=2, update=True)
    assert tree(disk / "out") == before
    enlarge(disk, ROOMY_KB)
    [summary] = build(scan(source), disk / "out", min_images=2, update=True)
    assert summary.added == 30 and before.keys() <= tree(disk / "out").keys()


def test_a_demo(disk: Path) -> None:
    refused_then_done(disk, lambda: make_demo(disk / "demo", identities=2, images=6))
    assert read_dataset(disk / "demo").info.counts["hr"] == 12


def test_a_cache(disk: Path, source: Path, tmp_path: Path) -> None:
    build(scan(source), tmp_path / "out")
    refused_then_done(disk, lambda: open_cache(read_dataset(tmp_path / "out"), disk))
    assert len(open_cache(read_dataset(tmp_path / "out"), disk)[112]) == 25


def test_an_ingest_goes_on_where_it_stopped(disk: Path, people: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="No space left"):
        ingest(people, disk / "set", workers=1)
    assert not (disk / "set").exists()
    enlarge(disk, ROOMY_KB)
    assert ingest(people, disk / "set", workers=1).reused > 0
    ingest(people, tmp_path / "undisturbed", workers=1)
    made, expected = tree(disk / "set"), tree(tmp_path / "undisturbed")
    assert made.keys() == expected.keys()
    assert all(made[path] == expected[path] for path in expected if path != "dataset.json")
