"""Search a folder's files for names and biometric data, and report what couldn't be searched."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.privacy.file_contents import ENCRYPTED_GALLERY, SearchedFile, kind_of
from core.privacy.name_variants import NameFinder
from core.system.sqlite_files import must_stay_open

MAX_FILE_BYTES = 512_000_000
"""Larger files are passed over, and listed; databases are searched whatever their size."""

_RUNS, _DATASETS, _CACHE, _DATASET_INFO = "runs", "datasets", "cache", "dataset.json"
_DECODED = ".u8"
_FROZEN = "frozen"
"""Decoded pictures of data sets, and what a frozen network made of them, kept for training."""


@dataclass(frozen=True)
class Trace:
    """Where something was found: the file, or the folder that is called so, and what ("name" or "biometric data")."""

    path: Path
    what: str


@dataclass(frozen=True)
class Unsearched:
    """What can't be searched: `count` files at or below `place`, of the kind `what` ("films", "an encrypted archive").
    `remedy` says how they are removed."""

    place: Path
    what: str
    count: int
    remedy: str

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.count:,} {'file' if self.count == 1 else 'files'} ({self.what}) in {self.place}. {self.remedy}"


@dataclass(frozen=True)
class ScanResult:
    """The result of a scan."""

    files: int
    traces: tuple[Trace, ...]
    unsearched: tuple[Unsearched, ...]


def find_traces(
    places: Sequence[Path],
    names: Sequence[str],
    pieces: Sequence[bytes],
    *,
    home: Path,
    others: Iterable[str] = (),
    known: Collection[Path] = (),
    skip: Collection[Path] = (),
) -> ScanResult:
    """Search `places`: files, and folders with all that is in them.

    A name counts as `core.privacy.name_variants` says, in a file's or folder's name too, but not within the longer
    name of one of `others`. A piece (a vector's bytes, a picture) counts anywhere. Archives and databases are opened.
    Pictures and films aren't: they are listed by their place in the data folder `home`. Galleries in `known` may be
    encrypted: they were looked into by other means, and are without the person. Files that vanish are passed over.
    """
    finder = NameFinder(names, others)
    overlap = max([finder.overlap, *map(len, pieces)])
    found: list[Trace] = []
    closed: dict[tuple[Path, str], int] = {}
    searched = 0
    for path in dict.fromkeys(path for place in places for path in _files(place)):
        if path in skip:
            continue
        if finder.in_text(path.name):
            found.append(Trace(path, "name"))
        if not path.is_file() or path.name.endswith("-shm"):
            continue
        opened = SearchedFile(path, overlap)
        try:
            size = path.stat().st_size
            kind = _not_opened(path, size)
            if kind is not None:
                opened.closed.append(kind)
                if any(len(piece) == size for piece in pieces) and path.read_bytes() in pieces:
                    found.append(Trace(path, "biometric data"))
            elif size:
                searched += 1
                found += [Trace(path, what) for what in _search(opened, finder, pieces)]
        except FileNotFoundError:
            continue
        except OSError:
            opened.closed.append("can't be read")
        for what in dict.fromkeys(opened.closed):
            if what != ENCRYPTED_GALLERY or path not in known:
                where = _place(path, home)
                if not (what == "pictures" and _is_drawn(where)):
                    closed[where, what] = closed.get((where, what), 0) + 1
    unsearched = [Unsearched(place, what, count, _remedy(place, home)) for (place, what), count in closed.items()]
    return ScanResult(searched, tuple(dict.fromkeys(found)), tuple(unsearched))


def _search(opened: SearchedFile, finder: NameFinder, pieces: Sequence[bytes]) -> list[str]:
    has_name = has_piece = False
    for content in opened.contents():
        for part in content:
            has_name = has_name or finder.in_bytes(part.content, from_start=part.first, to_end=part.last)
            has_piece = has_piece or any(piece in part.content for piece in pieces)
    return ["name"] * has_name + ["biometric data"] * has_piece


def _not_opened(path: Path, size: int) -> str | None:
    if size and (kind := kind_of(path.name)) is not None:
        return kind
    if path.suffix == _DECODED or path.parent.name == _FROZEN:
        return "pictures kept for training"
    return "too large" if size > MAX_FILE_BYTES and not must_stay_open(path) else None


def _place(path: Path, home: Path) -> Path:
    """The unit that is removed as a whole: a run's folder, a data set's, else the folder that a file is in."""
    if home not in path.parents:
        return path
    parts = path.relative_to(home).parts
    if parts[0] == _RUNS and len(parts) > 3:
        return home.joinpath(*parts[:3])
    if parts[0] == _DATASETS and len(parts) > 2:
        sets = (home.joinpath(*parts[:depth]) for depth in (3, 2))
        return next((each for each in sets if (each / _DATASET_INFO).is_file()), home.joinpath(*parts[:2]))
    return home.joinpath(*parts[:2]) if len(parts) > 2 else path


def _remedy(place: Path, home: Path) -> str:
    if home in place.parents and len(parts := place.relative_to(home).parts) == 3 and parts[0] == _RUNS:
        if parts[2].startswith("."):
            return "Remove the folder: it was left by a process that was ended."
        return f"Remove the run: edgeface-studio runs remove {parts[1]}/{parts[2]}"
    if home / _DATASETS in place.parents:
        return "Look at it; a data set is removed on the page Data sets."
    if home / _CACHE in place.parents:
        return "Remove it: it is made again when it is needed."
    return "Look at it, and remove it by hand when it isn't needed."


def _is_drawn(place: Path) -> bool:
    """Whether a data set consists of drawn faces."""
    try:
        said = json.loads((place / _DATASET_INFO).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("synthetic") is True


def _files(place: Path) -> Iterator[Path]:
    try:
        yield from sorted(place.rglob("*")) if place.is_dir() else ([place] if place.exists() else [])
    except OSError:
        return
