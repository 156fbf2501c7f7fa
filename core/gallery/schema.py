"""The gallery's tables and migrations, and the check whether a file is a gallery."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString

from core.gallery.errors import GalleryNewer, GalleryUnreadable
from core.gallery.sqlite_errors import translated_errors
from core.system.sqlite_files import read_header, transaction

APPLICATION_ID = 0x45464753
"""Written into the file's header ("EFGS"): a database of another program is recognised without opening it.
"""


@dataclass(frozen=True)
class Migration:
    """One named step; its statements run together or not at all. Steps are only ever appended.

    `postgresql` says the same to a gallery on a server, whose tables begin with the format of
    `core.gallery.postgres_schema`.
    """

    name: str
    statements: tuple[str, ...]
    postgresql: tuple[LiteralString, ...] = ()


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "identities, templates, operating points and the audit trail",
        (
            """CREATE TABLE migration(
                version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT""",
            """CREATE TABLE encoder(
                id INTEGER PRIMARY KEY, name TEXT NOT NULL, weights_sha256 TEXT NOT NULL UNIQUE,
                dim INTEGER NOT NULL CHECK (dim > 0)) STRICT""",
            # name_key is the case-folded name; revision grows with every change of the identity's templates,
            # so that a copy in memory can tell what to read again. Numbers are never given twice: the audit
            # trail needs that.
            """CREATE TABLE identity(
                id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, name_key TEXT NOT NULL UNIQUE,
                note TEXT NOT NULL, enrolled_at TEXT NOT NULL, revision INTEGER NOT NULL) STRICT""",
            """CREATE TABLE template(
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                identity_id INTEGER NOT NULL REFERENCES identity(id) ON DELETE CASCADE,
                encoder_id INTEGER NOT NULL REFERENCES encoder(id),
                vector BLOB NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('hr', 'sr')),
                probe_px REAL NOT NULL CHECK (probe_px > 0),
                size_px INTEGER CHECK ((kind = 'hr') = (size_px IS NULL)),
                upscaler_sha256 TEXT CHECK ((kind = 'hr') = (upscaler_sha256 IS NULL)),
                flip_tta INTEGER NOT NULL CHECK (flip_tta IN (0, 1)),
                image_sha256 TEXT NOT NULL, source TEXT NOT NULL, added_at TEXT NOT NULL,
                crop BLOB) STRICT""",
            "CREATE INDEX template_of_identity ON template(identity_id)",
            """CREATE TABLE operating_point(
                id INTEGER PRIMARY KEY,
                encoder_id INTEGER NOT NULL REFERENCES encoder(id),
                upscaler_sha256 TEXT NOT NULL, flip_tta INTEGER NOT NULL CHECK (flip_tta IN (0, 1)),
                probe_px_min REAL NOT NULL, probe_px_max REAL NOT NULL,
                measure TEXT NOT NULL CHECK (measure IN ('fpir', 'far')), target REAL NOT NULL,
                gallery_size INTEGER NOT NULL, threshold REAL NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL,
                UNIQUE (encoder_id, upscaler_sha256, flip_tta, probe_px_min, probe_px_max, measure, target,
                        gallery_size)) STRICT""",
            """CREATE TABLE audit(
                id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL,
                event TEXT NOT NULL, identity_id INTEGER) STRICT""",
        ),
    ),
    Migration(
        "encryption",
        (
            """CREATE TABLE protection(
                id INTEGER PRIMARY KEY CHECK (id = 1), scheme TEXT NOT NULL, fingerprint TEXT NOT NULL,
                since TEXT NOT NULL) STRICT""",
        ),
    ),
    Migration(
        "sightings",
        (
            # Removing a person removes where that person was seen. One row is one stay before one camera.
            """CREATE TABLE sighting(
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                identity_id INTEGER NOT NULL REFERENCES identity(id) ON DELETE CASCADE,
                began TEXT NOT NULL, ended TEXT NOT NULL, score REAL NOT NULL, threshold REAL NOT NULL,
                probe_px REAL NOT NULL, frames INTEGER NOT NULL, source TEXT NOT NULL, crop BLOB) STRICT""",
            "CREATE INDEX sighting_of_identity ON sighting(identity_id)",
            "CREATE INDEX sighting_ended ON sighting(ended)",
            """CREATE TABLE sighting_rule(
                id INTEGER PRIMARY KEY CHECK (id = 1), kept INTEGER NOT NULL CHECK (kept IN (0, 1)),
                crops INTEGER NOT NULL CHECK (crops IN (0, 1)),
                retention_h REAL NOT NULL CHECK (retention_h > 0)) STRICT""",
        ),
    ),
    Migration(
        "reviewed findings",
        (
            # What somebody looked at and left. `templates` are numbers, in order, with a space between.
            """CREATE TABLE reviewed(
                id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL,
                identity_id INTEGER NOT NULL REFERENCES identity(id) ON DELETE CASCADE,
                other_id INTEGER REFERENCES identity(id) ON DELETE CASCADE,
                templates TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL) STRICT""",
            "CREATE UNIQUE INDEX reviewed_once ON reviewed(code, identity_id, ifnull(other_id, 0), templates)",
            "CREATE INDEX reviewed_with ON reviewed(other_id)",
        ),
    ),
    Migration(
        "indexes for counting",
        (
            # Rows hold vectors and crops: what a page only counts is read from these.
            "DROP INDEX template_of_identity",
            "CREATE INDEX template_of_identity ON template(identity_id, image_sha256, kind)",
            """CREATE INDEX template_in_space ON template(
                encoder_id, flip_tta, kind, upscaler_sha256, size_px, identity_id)""",
        ),
    ),
    Migration(
        "what thresholds were calibrated for",
        (
            # Templates' sizes and photographs a person that a threshold was calibrated with, frames that a probe pools,
            # and the confidence of a bound (0: none). Earlier ones were made with full-size templates alone.
            """CREATE TABLE calibrated_point(
                id INTEGER PRIMARY KEY,
                encoder_id INTEGER NOT NULL REFERENCES encoder(id),
                upscaler_sha256 TEXT NOT NULL, flip_tta INTEGER NOT NULL CHECK (flip_tta IN (0, 1)),
                probe_px_min REAL NOT NULL, probe_px_max REAL NOT NULL,
                measure TEXT NOT NULL CHECK (measure IN ('fpir', 'far')), target REAL NOT NULL,
                gallery_size INTEGER NOT NULL, threshold REAL NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL,
                templates TEXT NOT NULL, photographs INTEGER NOT NULL CHECK (photographs > 0),
                frames INTEGER NOT NULL CHECK (frames > 0),
                confidence REAL NOT NULL CHECK (confidence >= 0 AND confidence < 1),
                UNIQUE (encoder_id, upscaler_sha256, flip_tta, probe_px_min, probe_px_max, measure, target,
                        gallery_size, templates, photographs, frames)) STRICT""",
            """INSERT INTO calibrated_point SELECT id, encoder_id, upscaler_sha256, flip_tta, probe_px_min,
                probe_px_max, measure, target, gallery_size, threshold, run, at, 'HR', 1, 1, 0.0
                FROM operating_point""",
            "DROP TABLE operating_point",
            "ALTER TABLE calibrated_point RENAME TO operating_point",
        ),
    ),
    Migration(
        "recognisability of templates",
        (
            # It weighs the templates of a mean; NULL where nothing measured it.
            "ALTER TABLE template ADD COLUMN recognisability REAL CHECK (recognisability BETWEEN 0 AND 1)",
        ),
    ),
)


def check_file(path: Path) -> bool:
    """Whether there is a gallery at `path`; False for a missing or empty file.

    Only the header is read, so that other files are never touched. Raises GalleryUnreadable, GalleryNewer,
    StorageFailed when the file can't be read.
    """
    if not path.exists():
        return False
    if not path.is_file():
        raise GalleryUnreadable(f"{path} is a folder, not a gallery.", "Name a file, such as gallery.db in it.")
    with translated_errors(path):
        try:
            header = read_header(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
                raise
            raise GalleryUnreadable(
                f"{path} is no gallery: it isn't an SQLite database.",
                "Choose another file, or a new name for a new one.",
            ) from error
    if header is None:
        return False
    if header.application_id != APPLICATION_ID:
        raise GalleryUnreadable(
            f"{path} is a database of another program, not a gallery.",
            "Choose another file, or a new name for a new one.",
        )
    refuse_newer(path, header.user_version)
    return True


def refuse_newer(path: Path | str, version: int) -> None:
    """Raises GalleryNewer when `version` is beyond what this program knows."""
    if version > len(MIGRATIONS):
        raise GalleryNewer(
            f"{path} was written by a newer EdgeFace Studio (format {version}, known {len(MIGRATIONS)}).",
            "Update EdgeFace Studio, then open it again.",
        )


def user_version(connection: sqlite3.Connection) -> int:
    """How many migrations the database has had."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, now: datetime, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Apply the migrations that are missing, each once and whole; their names, in order.

    The connection is in autocommit mode (isolation_level None). Processes that start together wait for each
    other.
    """
    applied: list[str] = []
    while user_version(connection) < len(migrations):
        with transaction(connection):
            version = user_version(connection)
            if version < len(migrations):
                step = migrations[version]
                if version == 0:
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in step.statements:
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO migration(version, name, applied_at) VALUES (?, ?, ?)",
                    (version + 1, step.name, now.isoformat()),
                )
                connection.execute(f"PRAGMA user_version = {version + 1}")
                applied.append(step.name)
    return applied
