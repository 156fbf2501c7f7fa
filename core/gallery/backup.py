"""Backup and restore of a gallery in use: checked before anything is replaced, replaced in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError
from core.gallery import schema
from core.gallery.audit import write_audit
from core.gallery.database import Database
from core.gallery.encryption import change_key, encrypt, protection_of
from core.gallery.errors import GalleryError, GalleryUnreadable
from core.gallery.keys import Key
from core.gallery.protection import Protection, read_protection
from core.gallery.server import SCHEMA_ON_SERVERS
from core.gallery.snapshot import backup_folder, copy_database, integrity_problem, publish, temporary_copy
from core.gallery.sqlite_errors import translated_errors
from core.gallery.store import Gallery
from core.system.server_address import is_server
from core.system.sqlite_files import connect
from core.system.text import count

SUFFIX = ".db"
ERASED = "erased"


@dataclass(frozen=True)
class Backup:
    """A backup file. `made_at` is the file's time in UTC; `problem` is "" or the reason why it can't be used, with
    counts 0.
    """

    path: Path
    made_at: datetime
    size_bytes: int
    people: int = 0
    templates: int = 0
    format: int = 0
    protection: Protection = field(default_factory=Protection)
    problem: str = ""


@dataclass(frozen=True)
class RestoreReport:
    """The result of a restore. `earlier` is the backup of the previous content, None where there was none; `left_out`
    are the numbers of people who were erased after the backup and don't come back.
    """

    people: int
    templates: int
    earlier: Path | None
    left_out: tuple[int, ...]

    @property
    def text(self) -> str:
        """For the screen."""
        kept = f" What was there before is kept as {self.earlier.name}." if self.earlier is not None else ""
        erased = f" Erased since the backup, so left out: {len(self.left_out)}." if self.left_out else ""
        held = f"{count(self.people, 'person', 'people')}, {count(self.templates, 'template')}"
        return f"Restored: {held}.{erased}{kept}"


def back_up(gallery: Gallery, target: Path | str | None = None, *, why: str = "", actor: str = "local") -> Backup:
    """Copy the gallery, as it is at this moment, to one file: `target`, or a new one in the folder backups beside it.

    Others may go on reading and writing. An encrypted gallery's backup is encrypted with the same key. Raises
    GalleryError (a gallery in memory, or one that names itself), GalleryUnreadable (damaged), StorageFailed.
    """
    require(Permission.MAINTAIN)
    if not isinstance(gallery.path, Path):
        raise no_file(gallery.path)
    path = gallery.path
    place = _fresh_name(path, gallery.database.now(), why) if target is None else Path(target).expanduser().absolute()
    if place.is_dir():
        place = place / _fresh_name(path, gallery.database.now(), why).name
    if place == path or place.resolve() == path.resolve():
        raise GalleryError(f"{place} is the gallery itself.", "Choose another name for the backup.")
    with translated_errors(place), temporary_copy(place) as temporary:
        copy_database(path, temporary)
        publish(temporary, place)
    with gallery.database.transaction() as connection:
        write_audit(connection, gallery.database.now(), actor, "backed up")
    return inspect_backup(place)


def no_file(place: Path | str) -> GalleryError:
    """Return the error for a gallery that isn't in a file: what takes the place of backups there."""
    if is_server(place):
        return GalleryError(
            "A gallery on a server has no file to back up or restore.",
            f"Use the server's own backups (pg_dump --schema {SCHEMA_ON_SERVERS}), or export and import it.",
        )
    return GalleryError("A gallery in memory has no file to back up or restore.", "Export and import it instead.")


def list_backups(gallery_path: Path | str) -> list[Backup]:
    """Return the backups beside a gallery's file, newest first. Unusable ones say why."""
    if is_server(gallery_path):
        return []
    try:
        paths = sorted(backup_folder(gallery_path).glob(f"*{SUFFIX}"))
    except OSError:
        return []
    return sorted((inspect_backup(path) for path in paths), key=lambda one: (one.made_at, one.path.name), reverse=True)


def inspect_backup(path: Path) -> Backup:
    """Describe a backup file without its key and without changing it. Faults are returned in `problem`."""
    try:
        status = path.stat()
    except OSError as error:
        return Backup(path, datetime.fromtimestamp(0, UTC), 0, problem=f"It can't be read: {error.strerror}.")
    made_at = datetime.fromtimestamp(status.st_mtime, UTC)
    try:
        if not schema.check_file(path):
            raise GalleryUnreadable(f"{path} is empty.")
        with translated_errors(path), closing(connect_read_only(path)) as connection:
            version = schema.user_version(connection)
            people, templates = _counts(connection)
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'protection'").fetchone()
            protection = read_protection(connection) if known else Protection()
    except CoreError as error:
        return Backup(path, made_at, status.st_size, problem=error.what)
    return Backup(path, made_at, status.st_size, people, templates, version, protection)


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a connection that leaves the file and its folder unchanged."""
    return connect(path, wait_s=0, mode="ro", immutable=True)


def restore(
    gallery: Gallery, source: Path | str, *, backup_key: Key | None = None, actor: str = "local"
) -> RestoreReport:
    """Replace the gallery's content with the backup `source`.

    The backup is copied, checked (SQLite's integrity, the key, every person's values) and migrated before it replaces
    the content in one transaction. The previous content is backed up first. If the backup is one of this gallery's
    own, the audit trail continues and people erased since stay erased; numbers are never reused. `backup_key` opens a
    backup from before a change of key. An encrypted gallery stays encrypted with its own key. Raises
    GalleryUnreadable (damaged, no gallery), GalleryNewer, GalleryLocked, GalleryBusy, StorageFailed; nothing is
    changed then.
    """
    require(Permission.MAINTAIN)
    database = gallery.database
    if not (isinstance(database, Database) and isinstance(gallery.path, Path)):
        raise no_file(gallery.path)
    origin = Path(source).expanduser().absolute()
    if not schema.check_file(origin):
        raise GalleryUnreadable(f"There is no backup at {origin}.", "See edgeface-studio gallery backups.")
    place = backup_folder(gallery.path) / f"{gallery.path.stem}-restoring{SUFFIX}"
    with translated_errors(origin), temporary_copy(place) as temporary:
        copy_database(origin, temporary)
        with Gallery.open(
            temporary,
            create=False,
            now=gallery.database.now,
            keys=gallery.database.keys if backup_key is None else lambda: backup_key,
            backup_first=False,
        ) as incoming:
            _read_everything(incoming)
            left_out = _carry_on(gallery, incoming, actor)
            _keep_encrypted(gallery, incoming, actor)
            people, templates = incoming.size, sum(person.templates for person in incoming.identities())
        earlier = back_up(gallery, why="before-restore", actor=actor).path if _worth_keeping(gallery) else None
        with closing(connect(temporary, wait_s=0)) as whole:
            if problem := integrity_problem(whole):
                raise GalleryUnreadable(f"{origin} is damaged: {problem}.", "Choose another backup.")
            database.replace_content(whole)
    return RestoreReport(people, templates, earlier, left_out)


def _worth_keeping(gallery: Gallery) -> bool:
    return bool(gallery.size or gallery.revision[0])


def _read_everything(gallery: Gallery) -> None:
    """Every value is opened once, so that a wrong key or damage shows before anything is replaced."""
    for person in gallery.identities():
        gallery.templates(person.id)


def _keep_encrypted(gallery: Gallery, incoming: Gallery, actor: str) -> None:
    wanted, found = protection_of(gallery), protection_of(incoming)
    key = gallery.database.keys() if wanted.encrypted else None
    if key is None or wanted.fingerprint == found.fingerprint:
        return
    (change_key if found.encrypted else encrypt)(incoming, key, actor=actor)


def _carry_on(gallery: Gallery, incoming: Gallery, actor: str) -> tuple[int, ...]:
    """Make `incoming` the continuation of `gallery`: audit trail, erasures, numbers, and revisions that no copy in
    memory takes for what it has. The numbers of people who were left out."""
    with gallery.database.reading() as connection:
        trail = connection.execute("SELECT id, at, actor, event, identity_id FROM audit ORDER BY id").fetchall()
        revisions = dict(connection.execute("SELECT id, revision FROM identity").fetchall())
        numbers = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    with incoming.database.transaction() as connection:
        own = connection.execute("SELECT id, at, actor, event, identity_id FROM audit ORDER BY id").fetchall()
        gone: list[int] = []
        if _is_continued_by(own, trail):
            gone = sorted({row[4] for row in trail[len(own) :] if row[3] == ERASED and row[4] is not None})
            gone = [
                number
                for number in gone
                if connection.execute("SELECT 1 FROM identity WHERE id = ?", (number,)).fetchone()
            ]
            connection.executemany("DELETE FROM identity WHERE id = ?", [(number,) for number in gone])
            connection.executemany(
                "INSERT INTO audit(id, at, actor, event, identity_id) VALUES (?, ?, ?, ?, ?)", trail[len(own) :]
            )
        for number, revision in revisions.items():
            connection.execute("UPDATE identity SET revision = max(revision, ?) + 1 WHERE id = ?", (revision, number))
        for table, seq in numbers.items():
            connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (seq, table))
            connection.execute(
                "INSERT INTO sqlite_sequence(name, seq) SELECT ?, ? WHERE NOT EXISTS "
                "(SELECT 1 FROM sqlite_sequence WHERE name = ?)",
                (table, seq, table),
            )
        write_audit(connection, incoming.database.now(), actor, "restored from a backup")
    if gone:
        incoming.tidy()
    return tuple(gone)


def _is_continued_by(own: Sequence[tuple[object, ...]], trail: Sequence[tuple[object, ...]]) -> bool:
    """Whether the backup's audit trail is how this gallery's began. The entry that a backup leaves comes after it."""
    return bool(own) and list(trail[: len(own)]) == list(own)


def _counts(connection: sqlite3.Connection) -> tuple[int, int]:
    people = int(connection.execute("SELECT count(*) FROM identity").fetchone()[0])
    return people, int(connection.execute("SELECT count(*) FROM template").fetchone()[0])


def _fresh_name(path: Path, now: datetime, why: str) -> Path:
    stem = f"{path.stem}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}{f'-{why}' if why else ''}"
    folder, number = backup_folder(path), 1
    while (place := folder / f"{stem}{f'-{number}' if number > 1 else ''}{SUFFIX}").exists():
        number += 1
    return place
