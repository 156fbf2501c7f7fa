"""Find and erase a person in the backups of a gallery.

A backup's entry is the person when it has one of their numbers, the name (case and Unicode form aside), or one of their
vectors or pictures. Numbers are the same across renames and other weights; they count only where the backup's audit
trail assigned them to the same person, since the folder may hold backups of another gallery. They need no key.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.gallery.backup import Backup, connect_read_only, list_backups
from core.gallery.cipher import PLAIN, AesGcmCipher, Cipher
from core.gallery.keys import Keys
from core.gallery.store import Gallery
from core.system.sqlite_files import connect, erase_rows, side_files

WAIT_S = 60.0

_MERGED = "merged into number "

AuditLine = tuple[str, str, str]
"""A line of the audit trail for comparison: time, actor, action."""


@dataclass(frozen=True)
class ErasureTarget:
    """Whom to look for. `numbers`: the person's, and those of entries that were merged into theirs, with the line of
    the audit trail that began each. `raw`: bytes of vectors (float32, little-endian) and of pictures."""

    name: str
    numbers: Mapping[int, AuditLine]
    raw: frozenset[bytes]


@dataclass(frozen=True)
class BackupMatch:
    """What a backup holds of a person: `numbers` of its entries, what those are called, and their vectors and pictures.
    `locked`: it is encrypted with a key that isn't given, so only numbers could be compared. `problem` is "" or why
    the file can't be read."""

    path: Path
    numbers: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    vectors: tuple[bytes, ...] = ()
    crops: tuple[bytes, ...] = ()
    locked: bool = False
    problem: str = ""

    @property
    def unsure(self) -> bool:
        """Whether nothing was found although the backup may contain the person."""
        return not self.numbers and (self.locked or bool(self.problem))


def identity_numbers(gallery: Gallery, number: int) -> dict[int, AuditLine]:
    """The numbers that a person has had: their own, and those of entries that were merged into it and not taken
    out again; with the line of the trail that began each."""
    with gallery.database.reading() as connection:
        query = "SELECT at, actor, event, identity_id FROM audit WHERE identity_id IS NOT NULL ORDER BY id"
        trail = connection.execute(query).fetchall()
    began: dict[int, AuditLine] = {}
    ended: dict[int, str] = {}
    for at, actor, event, other in trail:
        began.setdefault(other, (at, actor, event))
        ended[other] = event
    numbers = {number}
    for _, _, event, other in reversed(trail):  # from the last merge to those that it took along
        if event == ended[other] and event.startswith(_MERGED) and event[len(_MERGED) :] in map(str, numbers):
            numbers.add(other)
    return {one: began[one] for one in numbers if one in began}


def find_in_backups(gallery: Gallery, person: ErasureTarget) -> list[BackupMatch]:
    """What each backup beside the gallery holds of the person; those that hold nothing of them are left out."""
    found = [search_backup(backup, gallery.database.keys, person) for backup in _backups(gallery)]
    return [one for one in found if one.numbers or one.unsure]


def search_backup(backup: Backup, keys: Keys, person: ErasureTarget) -> BackupMatch:
    """Search one backup for the person. The file and its folder aren't changed."""
    if backup.problem:
        return BackupMatch(backup.path, problem=backup.problem)
    cipher = _cipher(backup, keys)
    try:
        with _reading(backup.path) as connection:
            numbers = _matching(connection, cipher, person)
            names = _names(connection, cipher, numbers) if cipher is not None else ()
            rows = list(_templates(connection, cipher, numbers)) if cipher is not None else []
    except (sqlite3.Error, ValueError) as error:
        return BackupMatch(backup.path, problem=str(error) or type(error).__name__)
    vectors, crops = tuple(v for _, v, _ in rows), tuple(c for _, _, c in rows if c is not None)
    return BackupMatch(backup.path, frozenset(numbers), frozenset(names), vectors, crops, locked=cipher is None)


def erase_from_backups(held: Iterable[BackupMatch], problems: list[str]) -> int:
    """Erase the entries from each backup, pages and all; how many files. What fails is added to `problems`.

    A backup keeps its file's time, which says when it was made, and its audit trail: by it a restore knows the backup
    as the gallery's own, so that others who were erased since don't come back with it.
    """
    done = 0
    for one in held:
        try:
            made = one.path.stat()
            with closing(connect(one.path, wait_s=WAIT_S, mode="rw")) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                erase_rows(connection, "DELETE FROM identity WHERE id = ?", one.numbers)
            os.utime(one.path, ns=(made.st_atime_ns, made.st_mtime_ns))
            done += 1
        except (sqlite3.Error, OSError) as error:
            problems.append(f"{one.path.name} couldn't be written: {error}.")
    return done


def _backups(gallery: Gallery) -> list[Backup]:
    return list_backups(gallery.path) if isinstance(gallery.path, Path) else []


def _cipher(backup: Backup, keys: Keys) -> Cipher | None:
    if not backup.protection.encrypted:
        return PLAIN
    key = keys()
    return AesGcmCipher(key) if key is not None and key.fingerprint == backup.protection.fingerprint else None


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a backup for reading, its journal included: a manually copied gallery may have one."""
    journal = any(each.exists() for each in side_files(path))
    with closing(connect(path, wait_s=WAIT_S, mode="rw") if journal else connect_read_only(path)) as connection:
        yield connection


def _matching(connection: sqlite3.Connection, cipher: Cipher | None, person: ErasureTarget) -> set[int]:
    """Return the entries that are the person; the only place that decides this."""
    entries = {int(row[0]) for row in connection.execute("SELECT id FROM identity")}
    numbers = {one for one, line in person.numbers.items() if one in entries and _began(connection, one) == line}
    if cipher is None:
        return numbers
    named = connection.execute("SELECT id FROM identity WHERE name_key = ?", (cipher.name_token(person.name),))
    numbers |= {int(row[0]) for row in named}
    for number, vector, crop in _templates(connection, cipher, entries - numbers):
        if vector in person.raw or (crop is not None and crop in person.raw):
            numbers.add(number)
    return numbers


def _began(connection: sqlite3.Connection, number: int) -> AuditLine | None:
    query = "SELECT at, actor, event FROM audit WHERE identity_id = ? ORDER BY id LIMIT 1"
    line: AuditLine | None = connection.execute(query, (number,)).fetchone()
    return line


def _names(connection: sqlite3.Connection, cipher: Cipher, numbers: Collection[int]) -> list[str]:
    rows = connection.execute("SELECT id, name FROM identity").fetchall()
    return [cipher.decrypt_text(name, "name", number) for number, name in rows if number in numbers]


def _templates(
    connection: sqlite3.Connection, cipher: Cipher, numbers: Collection[int]
) -> Iterator[tuple[int, bytes, bytes | None]]:
    for number, vector, crop in connection.execute("SELECT identity_id, vector, crop FROM template"):
        if number in numbers:
            yield (
                number,
                cipher.decrypt(vector, "vector", number),
                None if crop is None else cipher.decrypt(crop, "crop", number),
            )


def vectors_by_dim(raw: Iterable[bytes]) -> list[np.ndarray]:
    """Vectors' bytes as arrays (N, dim), one for each length."""
    by_dim: dict[int, list[np.ndarray]] = {}
    for each in raw:
        row = np.frombuffer(each[: len(each) // 4 * 4], "<f4")
        by_dim.setdefault(len(row), []).append(row)
    return [np.stack(rows) for _, rows in sorted(by_dim.items())]
