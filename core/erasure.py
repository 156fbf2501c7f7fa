"""Erase a person from everything that this installation keeps, and say what was erased, where, and what is left.

What holds people's data registers itself in STORES: one function that erases what belongs to a subject. The gallery
comes last, so that an erasure which fails half-way finds the person again. Nothing here writes a name anywhere: the
record that can be kept says the person's number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.access.actor import require
from core.access.roles import Permission
from core.erased_caches import forget_maps, forget_named, forget_pictures
from core.errors import CoreError
from core.gallery.backup import ERASED, Backup, backups_of, read_only
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

    Raises NotAllowed, IdentityNotFound, and GalleryBusy or StorageFailed when a store couldn't be written: what was
    erased until then stays erased, and the same call goes on.
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
    named, traces = forget_named(settings.data_dir / "cache", traces)
    erased.append(Erased("Other caches", named, "files in which the name or a vector stood"))
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


def erase_caches(settings: Settings, subject: Subject) -> list[Erased]:
    """What evaluations and inspections kept of the person's own photographs, and maps that may show them."""
    cache = settings.data_dir / "cache"
    rows = forget_pictures(cache, subject.vectors, subject.image_sha256s)
    return [
        Erased("Kept embeddings", rows["embeddings"], "embeddings of the same photographs"),
        Erased("Kept figures", rows["inspections"], "figures of the same photographs"),
        Erased("Kept maps", forget_maps(cache), "maps of embeddings, of anybody"),
    ]


def erase_leftovers(settings: Settings, subject: Subject) -> list[Erased]:
    """Copies of the gallery that a killed process left unfinished."""
    if not isinstance(subject.gallery.path, Path):
        return []
    return [Erased("Unfinished backups", remove_leftovers(folder_of(subject.gallery.path)), "files")]


STORES: tuple[Store, ...] = (erase_caches, erase_leftovers)
"""Everything beside the gallery that may hold a person's data. A new store is one more name here."""


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
