"""Erase a person from everything that this installation keeps, and say what was erased, where, and what is left.

What holds people's data registers itself in STORES: one function that erases what belongs to a subject. The gallery
comes last, so that an erasure which fails half-way finds the person again. Nothing here writes a name anywhere: the
record that can be kept says the person's number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError
from core.gallery.backup import ERASED, Backup, backups_of, read_only
from core.gallery.review import SAME_PHOTOGRAPH
from core.gallery.sealing import PLAIN, Sealed
from core.gallery.snapshot import folder_of, journals, remove_leftovers
from core.gallery.store import Gallery
from core.settings import Settings
from core.traces import Trace, find_traces
from core.video.sightings import forget


@dataclass(frozen=True, eq=False)
class Subject:
    """Who is to be erased: what stores recognise them by. `vectors` (N, dim) are of every space that has any."""

    gallery: Gallery
    number: int
    name: str
    vectors: tuple[NDArray[np.float32], ...]
    crops: tuple[bytes, ...]
    image_sha256s: frozenset[str]


@dataclass(frozen=True)
class Erased:
    """What one store let go: how many of what."""

    store: str
    count: int
    what: str


@dataclass(frozen=True)
class ErasureReport:
    """What became of an erasure. `backups` still hold the person (and `unreadable` may: they couldn't be opened);
    `traces` are files of the data folder in which the name or a vector is still found. Holds no name."""

    number: int
    at: datetime
    erased: tuple[Erased, ...]
    backups: tuple[Path, ...] = ()
    unreadable: tuple[Path, ...] = ()
    traces: tuple[Trace, ...] = ()
    searched_files: int = 0
    problems: tuple[str, ...] = field(default_factory=tuple)

    @property
    def complete(self) -> bool:
        """Nothing of the person is known to be left."""
        return not (self.backups or self.unreadable or self.traces or self.problems)

    @property
    def text(self) -> str:
        """The record as lines of text, to be kept."""
        lines = [f"Person number {self.number}, erased {self.at:%Y-%m-%d %H:%M} UTC."]
        lines += [f"- {one.store}: {one.count:,} {one.what}" for one in self.erased]
        lines += [f"Still held by the backup {path.name}." for path in self.backups]
        lines += [f"The backup {path.name} can't be read here: it may hold them." for path in self.unreadable]
        lines += [f"The {trace.what} is still in {trace.path}." for trace in self.traces]
        lines += list(self.problems)
        lines.append(
            f"{self.searched_files:,} files of the data folder were searched for the name and the vectors"
            f"{': nothing was found.' if not self.traces else '.'}"
        )
        return "\n".join(lines)

    def facts(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "person": self.number,
            "at": self.at.isoformat(),
            "erased": [vars(one) for one in self.erased],
            "backups": [str(path) for path in self.backups],
            "unreadable_backups": [str(path) for path in self.unreadable],
            "traces": [{"path": str(trace.path), "what": trace.what} for trace in self.traces],
            "problems": list(self.problems),
            "searched_files": self.searched_files,
            "complete": self.complete,
        }


Store = Callable[[Settings, Subject], list[Erased]]


def erase(
    settings: Settings, gallery: Gallery, name_or_id: str | int, *, from_backups: bool = False, actor: str = "local"
) -> ErasureReport:
    """Erase a person for good and report. With `from_backups` also from the backups that the gallery's key opens.

    Raises NotAllowed, IdentityNotFound, and GalleryBusy or StorageFailed when a store couldn't be written: what was erased until
    then stays erased, and the same call goes on.
    """
    require(Permission.DELETE)  # before the first store lets anything go
    subject = _subject(gallery, name_or_id)
    erased = [one for store in STORES for one in store(settings, subject)]
    problems: list[str] = []
    templates, crops = sum(len(rows) for rows in subject.vectors), len(subject.crops)
    seen = forget(gallery, subject.number, actor=actor)
    try:
        gallery.remove(subject.number, actor=actor, event=ERASED)
    except CoreError as error:
        if any(person.id == subject.number for person in gallery.identities()):
            raise
        problems.append(str(error))  # gone, and traces may stay: what has to be done is in the message
    erased += [
        Erased("Gallery", templates, "templates"),
        Erased("Gallery", crops, "pictures of the face"),
        Erased("Gallery", seen, "sightings"),
    ]
    holding, unreadable = _backups_with(gallery, subject)
    if from_backups:
        erased.append(Erased("Backups", len(holding), "files that held the person, now without them"))
        holding = [path for path in holding if not _erase_in(gallery, path, subject, actor, problems)]
    places = [settings.data_dir]
    if isinstance(gallery.path, Path):
        places += [gallery.path, *journals(gallery.path)]
    searched, traces = find_traces(places, subject.name, _raw(subject), skip={*holding, *unreadable})
    return ErasureReport(
        subject.number, gallery.database.now(), tuple(erased), tuple(holding), tuple(unreadable), tuple(traces),
        searched, tuple(problems),
    )  # fmt: skip


def _subject(gallery: Gallery, name_or_id: str | int) -> Subject:
    person = gallery.identity(name_or_id)
    templates = gallery.templates(person.id)
    dims = sorted({template.space.dim for template in templates})
    return Subject(
        gallery=gallery,
        number=person.id,
        name=person.name,
        vectors=tuple(np.stack([t.vector for t in templates if t.space.dim == dim]) for dim in dims),
        crops=tuple(t.crop for t in templates if t.crop is not None),
        image_sha256s=frozenset(t.image_sha256 for t in templates if t.image_sha256),
    )


def _raw(subject: Subject) -> list[bytes]:
    """What to look for byte by byte: every vector as it is stored, and every picture."""
    return [row.astype("<f4").tobytes() for rows in subject.vectors for row in rows] + list(subject.crops)


# Stores -------------------------------------------------------------------------------------------------------------


def erase_embeddings(settings: Settings, subject: Subject) -> list[Erased]:
    """Embeddings that evaluations kept of the person's own photographs: known by their vector, for the photograph may
    lie elsewhere under another name."""
    found = 0
    for path in sorted((settings.data_dir / "cache" / "embeddings").glob("*.db")):
        found += _erase_rows(path, subject.vectors)
    return [Erased("Kept embeddings", found, "embeddings of the same photographs")]


def erase_leftovers(settings: Settings, subject: Subject) -> list[Erased]:
    """Copies of the gallery that a killed process left unfinished."""
    if not isinstance(subject.gallery.path, Path):
        return []
    return [Erased("Unfinished backups", remove_leftovers(folder_of(subject.gallery.path)), "files")]


STORES: tuple[Store, ...] = (erase_embeddings, erase_leftovers)
"""Everything beside the gallery that may hold a person's data. A new store is one more name here."""


def _erase_rows(path: Path, vectors: Iterable[NDArray[np.float32]]) -> int:
    try:
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            rows = connection.execute("SELECT sha256, vector FROM face WHERE vector IS NOT NULL").fetchall()
            gone = [row[0] for row in rows if _is_of(np.frombuffer(row[1], "<f4"), vectors)]
            if not gone:
                return 0
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM face WHERE sha256 = ?", [(sha256,) for sha256 in gone])
            connection.execute("COMMIT")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return len(gone)
    except sqlite3.DatabaseError:  # damaged, or busy: a cache is thrown away rather than left
        for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            each.unlink(missing_ok=True)
        return 0


def _is_of(vector: NDArray[np.float32], known: Iterable[NDArray[np.float32]]) -> bool:
    norm = float(np.linalg.norm(vector))
    return any(
        rows.shape[1] == len(vector) and norm > 0 and float((rows @ vector).max()) / norm >= SAME_PHOTOGRAPH
        for rows in known
    )


# Backups ------------------------------------------------------------------------------------------------------------


def _backups_with(gallery: Gallery, subject: Subject) -> tuple[list[Path], list[Path]]:
    holding, unreadable = [], []
    for backup in backups_of(gallery.path):
        held = None if backup.problem else _holds(gallery, backup, subject)
        if held is None:
            unreadable.append(backup.path)
        elif held:
            holding.append(backup.path)
    return holding, unreadable


def _holds(gallery: Gallery, backup: Backup, subject: Subject) -> bool | None:
    """Whether a backup has an identity of the name, or any of the vectors; None when it can't be opened."""
    key = gallery.database.keys() if backup.protection.encrypted else None
    if backup.protection.encrypted and (key is None or key.fingerprint != backup.protection.fingerprint):
        return None
    wanted = set(_raw(subject))
    try:
        with closing(read_only(backup.path)) as connection:
            seal = PLAIN if key is None else Sealed(key)
            token = seal.token(subject.name)
            if connection.execute("SELECT 1 FROM identity WHERE name_key = ?", (token,)).fetchone():
                return True
            found = connection.execute("SELECT identity_id, vector FROM template")
            return any(seal.open(vector, "vector", person) in wanted for person, vector in found)
    except (sqlite3.Error, ValueError):
        return None


def _erase_in(gallery: Gallery, path: Path, subject: Subject, actor: str, problems: list[str]) -> bool:
    wanted = set(_raw(subject))
    try:
        with Gallery.open(path, create=False, keys=gallery.database.keys, backup_first=False) as backup:
            numbers = {
                person.id
                for person in backup.identities()
                if person.name == subject.name
                or any(t.vector.astype("<f4").tobytes() in wanted for t in backup.templates(person.id))
            }
            backup.remove(*numbers, actor=actor, event=ERASED)
        return True
    except CoreError as error:
        problems.append(f"{path.name}: {error}")
        return False
