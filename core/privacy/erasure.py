"""Erase a person from everything that this installation stores, and report what was erased and what is left.

Stores of personal data are listed in STORES: functions that erase a subject's data. The gallery comes last, so that a
failed erasure can be repeated. The report holds the person's number, never the name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError
from core.gallery.audit import write_audit
from core.gallery.backup import ERASED, SUFFIX
from core.gallery.snapshot import backup_folder, remove_unfinished
from core.gallery.store import Gallery
from core.privacy.backup_erasure import (
    AuditLine,
    BackupMatch,
    ErasureTarget,
    erase_from_backups,
    find_in_backups,
    identity_numbers,
    vectors_by_dim,
)
from core.privacy.cache_erasure import erase_maps, erase_pictures, erase_traced_files
from core.privacy.residue_scan import Trace, Unsearched, find_traces
from core.settings import Settings
from core.system.server_address import is_server
from core.system.sqlite_files import side_files
from core.video.sightings import forget


@dataclass(frozen=True, eq=False)
class Subject:
    """The person to erase, as stores recognise them. `vectors` (N, dim) are of every space; they, `crops` and `names`
    (the present one first) include what backups hold.
    """

    gallery: Gallery
    number: int
    names: tuple[str, ...]
    vectors: tuple[NDArray[np.float32], ...]
    crops: tuple[bytes, ...]
    image_sha256s: frozenset[str]
    numbers: Mapping[int, AuditLine]


@dataclass(frozen=True)
class ErasedItems:
    """What one store erased: number and kind."""

    store: str
    count: int
    what: str


@dataclass(frozen=True)
class ErasureReport:
    """The result of an erasure. `backups` still hold the person (and `unreadable` may); `traces` are files of the
    data folder that contain the name or a vector; `unsearched` may show the person and can't be searched. Holds no
    name.
    """

    number: int
    at: datetime
    erased: tuple[ErasedItems, ...]
    backups: tuple[Path, ...] = ()
    unreadable: tuple[Path, ...] = ()
    traces: tuple[Trace, ...] = ()
    unsearched: tuple[Unsearched, ...] = ()
    searched_files: int = 0
    problems: tuple[str, ...] = field(default_factory=tuple)

    @property
    def complete(self) -> bool:
        """Nothing of the person is left: all that could be searched was, and nothing else is there."""
        return not (self.backups or self.unreadable or self.traces or self.unsearched or self.problems)

    @property
    def text(self) -> str:
        """The record as lines of text, to be kept."""
        lines = [f"Person number {self.number}, erased {self.at:%Y-%m-%d %H:%M} UTC."]
        lines += [f"- {one.store}: {one.count:,} {one.what}" for one in self.erased]
        lines += [
            f"Still held by the backup {path.name}: remove that file when you don't need it any more."
            for path in self.backups
        ]
        lines += [f"The backup {path.name} can't be read here: it may hold them." for path in self.unreadable]
        lines += [f"The {trace.what} is still in {trace.path}." for trace in self.traces]
        lines += list(self.problems)
        many = "file of the data folder was" if self.searched_files == 1 else "files of the data folder were"
        lines.append(
            f"{self.searched_files:,} {many} searched for the name and the vectors"
            f"{': nothing was found.' if not self.traces else '.'}"
        )
        lines += [f"Not searched: {one.text}" for one in self.unsearched]
        lines.append(
            "The erasure is complete." if self.complete else "The erasure isn't complete: see what is listed above."
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
            "not_searched": [{**vars(one), "place": str(one.place)} for one in self.unsearched],
            "problems": list(self.problems),
            "searched_files": self.searched_files,
            "complete": self.complete,
        }


Store = Callable[[Settings, Subject], list[ErasedItems]]


def erase(
    settings: Settings, gallery: Gallery, name_or_id: str | int, *, from_backups: bool = False, actor: str = "local"
) -> ErasureReport:
    """Erase a person for good and report. With `from_backups` also from the backups that the gallery's key opens.

    Raises NotAllowed, IdentityNotFound, and GalleryBusy or StorageFailed when a store couldn't be written: what was
    erased until then stays erased, and the same call goes on.
    """
    require(Permission.DELETE)  # before the first store lets anything go
    subject = _subject(gallery, name_or_id)
    templates = gallery.templates(subject.number)
    subject = _as_backups_know(subject, find_in_backups(gallery, _wanted(subject)))
    erased = [one for store in STORES for one in store(settings, subject)]
    problems: list[str] = []
    seen = forget(gallery, subject.number, actor=actor)
    try:
        gallery.remove(subject.number, actor=actor, event=ERASED)
    except CoreError as error:
        if any(person.id == subject.number for person in gallery.identities()):
            raise
        problems.append(str(error))  # gone, and traces may stay: what has to be done is in the message
    if is_server(gallery.path):
        problems.append("The server's write-ahead log and backups can't be searched: ask its administrator.")
    if gallery.database.vectors is not None and (residue := gallery.database.vectors.residue()):
        problems.append(residue)
    _note_merged(gallery, subject, actor)
    erased += [
        ErasedItems("Gallery", len(templates), "templates"),
        ErasedItems("Gallery", sum(template.crop is not None for template in templates), "pictures of the face"),
        ErasedItems("Gallery", seen, "sightings"),
        *erase_leftovers(settings, subject),  # a backup that began before the removal would still hold them
    ]
    held = find_in_backups(gallery, _wanted(subject))
    if from_backups:
        done = erase_from_backups([one for one in held if one.numbers], problems)
        erased.append(ErasedItems("Backups", done, "files that held the person, now without them"))
        held = find_in_backups(gallery, _wanted(subject))
    holding = [one.path for one in held if one.numbers]
    unreadable = [one.path for one in held if one.unsure]
    places = [settings.data_dir]
    known: list[Path] = []
    if isinstance(gallery.path, Path):
        places += [gallery.path, *side_files(gallery.path)]
        known = [gallery.path, *backup_folder(gallery.path).glob(f"*{SUFFIX}")]
    search = find_traces(
        places,
        _not_of_others(subject),
        _raw(subject),
        home=settings.data_dir,
        others=[person.name for person in gallery.identities()],
        known=known,
        skip={*holding, *unreadable},
    )
    named, traces = erase_traced_files(settings.data_dir / "cache", search.traces)
    erased.append(ErasedItems("Other caches", named, "files in which the name or a vector stood"))
    return ErasureReport(
        subject.number,
        gallery.database.now(),
        tuple(erased),
        backups=tuple(holding),
        unreadable=tuple(unreadable),
        traces=tuple(traces),
        unsearched=search.unsearched,
        searched_files=search.files,
        problems=tuple(problems),
    )


def _subject(gallery: Gallery, name_or_id: str | int) -> Subject:
    person = gallery.identity(name_or_id)
    templates = gallery.templates(person.id)
    dims = sorted({template.space.dim for template in templates})
    return Subject(
        gallery=gallery,
        number=person.id,
        names=(person.name,),
        vectors=tuple(np.stack([t.vector for t in templates if t.space.dim == dim]) for dim in dims),
        crops=tuple(t.crop for t in templates if t.crop is not None),
        image_sha256s=frozenset(t.image_sha256 for t in templates if t.image_sha256),
        numbers=identity_numbers(gallery, person.id),
    )


def _as_backups_know(subject: Subject, held: Sequence[BackupMatch]) -> Subject:
    """With the names, vectors and pictures that backups hold of the person: earlier ones, of other weights."""
    names = dict.fromkeys([*subject.names, *(name for one in held for name in sorted(one.names))])
    vectors = dict.fromkeys(row.astype("<f4").tobytes() for rows in subject.vectors for row in rows)
    vectors |= dict.fromkeys(each for one in held for each in one.vectors)
    crops = dict.fromkeys([*subject.crops, *(each for one in held for each in one.crops)])
    return replace(subject, names=tuple(names), vectors=tuple(vectors_by_dim(vectors)), crops=tuple(crops))


def _wanted(subject: Subject) -> ErasureTarget:
    return ErasureTarget(subject.names[0], subject.numbers, frozenset(_raw(subject)))


def _not_of_others(subject: Subject) -> list[str]:
    """The names to search for: an earlier one that somebody else has now isn't the person's any more."""
    return [name for name in subject.names if subject.gallery.find(name) is None]


def _note_merged(gallery: Gallery, subject: Subject, actor: str) -> None:
    """Entries that had been merged into the person don't come back with a backup either."""
    merged = [number for number in subject.numbers if number != subject.number]
    if merged:
        with gallery.database.transaction(Permission.DELETE) as connection:
            for number in merged:
                write_audit(connection, gallery.database.now(), actor, ERASED, number)


def _raw(subject: Subject) -> list[bytes]:
    """The bytes to search for: every stored vector and every picture."""
    return [row.astype("<f4").tobytes() for rows in subject.vectors for row in rows] + list(subject.crops)


# Stores -------------------------------------------------------------------------------------------------------------


def erase_caches(settings: Settings, subject: Subject) -> list[ErasedItems]:
    """What evaluations and inspections kept of the person's own photographs, and maps that may show them."""
    cache = settings.data_dir / "cache"
    rows = erase_pictures(cache, subject.vectors, subject.image_sha256s)
    return [
        ErasedItems("Kept embeddings", rows["embeddings"], "embeddings of the same photographs"),
        ErasedItems("Kept figures", rows["inspections"], "figures of the same photographs"),
        ErasedItems("Kept maps", erase_maps(cache), "maps of embeddings, of anybody"),
    ]


def erase_leftovers(settings: Settings, subject: Subject) -> list[ErasedItems]:
    """Copies of the gallery that a killed process left unfinished."""
    if not isinstance(subject.gallery.path, Path):
        return []
    return [ErasedItems("Unfinished backups", remove_unfinished(backup_folder(subject.gallery.path)), "files")]


STORES: tuple[Store, ...] = (erase_caches,)
"""Everything beside the gallery that may hold a person's data. A new store is one more name here."""
