"""The gallery: people and their templates in one SQLite file, searched in memory, shared by threads and processes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.gallery.audit import read_audit, write_audit
from core.gallery.database import Database
from core.gallery.errors import GalleryBusy, IdentityNotFound, TemplateInvalid
from core.gallery.identity_queries import (
    count_people,
    find_identity,
    insert_identity,
    read_identities,
    refuse_taken,
    store_name,
    store_note,
    touch,
)
from core.gallery.index_build import build_index
from core.gallery.keys import Keys, key_given
from core.gallery.match import Index, Population
from core.gallery.records import AuditEntry, Candidate, Identity, NewTemplate, Space, StoredTemplate
from core.gallery.server import open_server
from core.gallery.spaces import read_spaces
from core.gallery.storage import Clock, Storage, Version, utc_now
from core.gallery.template_queries import insert_templates, read_covers, read_templates
from core.gallery.validation import clean_name, clean_note, unit_rows
from core.system.server_address import is_server

_CACHED_SPACES = 4

Revision = tuple[int, str]
"""The number and time of the latest line of the audit trail."""


class Gallery:
    """An open gallery; use `Gallery.open`. Thread-safe, and other processes may use the file too.

    Every change is complete and on disk when its method returns, or didn't happen when it raises.
    """

    def __init__(self, database: Storage) -> None:
        self.database = database
        self._indexes: dict[Space, tuple[Version, Index]] = {}
        self._counts: dict[Space | None, tuple[Version, tuple[int, int, int]]] = {}

    @classmethod
    def open(
        cls,
        path: Path | str = ":memory:",
        *,
        create: bool = True,
        now: Clock = utc_now,
        wait_s: float = 30.0,
        keys: Keys = key_given,
        backup_first: bool = True,
    ) -> Gallery:
        """Open the gallery at `path`: a file, "postgresql://USER@HOST/DATABASE", or ":memory:". It is created when
        missing, unless `create` is False.

        `wait_s`: how long to wait for another program's write. `keys` returns the key (default: the environment's)
        of an encrypted gallery; a new one is encrypted with it. `backup_first`: copy an older format to the folder
        backups before migrating it. Raises GalleryUnreadable (missing, damaged), GalleryNewer, GalleryLocked,
        GalleryBusy, StorageFailed; a file that isn't a gallery stays unchanged.
        """
        if is_server(path):
            return cls(open_server(str(path), now=now, wait_s=wait_s, create=create, keys=keys))
        return cls(Database(path, now=now, wait_s=wait_s, create=create, keys=keys, backup_first=backup_first))

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._indexes.clear()
        self.database.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path | str:
        """Where the file is, ":memory:", or a server's address."""
        return self.database.path

    # -- changes ---------------------------------------------------------------------------------------------

    def enrol(
        self,
        name: str,
        templates: Sequence[NewTemplate],
        *,
        space: Space,
        note: str = "",
        actor: str = "local",
    ) -> Identity:
        """Add a person with one or more templates.

        Raises NameInvalid, NameTaken (case-insensitive), TemplateInvalid, SpaceMismatch, GalleryBusy, StorageFailed.
        """
        _need_some(templates)
        with self.database.transaction() as connection:
            at = self.database.now()
            identity_id = insert_identity(connection, name, note, at)
            insert_templates(connection, identity_id, templates, space, at)
            write_audit(connection, at, actor, "enrolled", identity_id)
            return read_identities(connection, space, identity_id=identity_id)[0]

    def add_templates(
        self, name_or_id: str | int, templates: Sequence[NewTemplate], *, space: Space, actor: str = "local"
    ) -> Identity:
        """Add templates to an enrolled person. Raises IdentityNotFound and what `enrol` raises."""
        _need_some(templates)
        with self.database.transaction() as connection:
            at = self.database.now()
            identity_id, _ = find_identity(connection, name_or_id)
            insert_templates(connection, identity_id, templates, space, at)
            write_audit(connection, at, actor, "templates added", identity_id)
            return read_identities(connection, space, identity_id=identity_id)[0]

    def rename(self, name_or_id: str | int, new_name: str, *, actor: str = "local") -> Identity:
        """Rename a person and erase the earlier name from the file.

        Raises IdentityNotFound, NameInvalid, NameTaken.
        """
        with self.database.transaction() as connection:
            identity_id, _ = find_identity(connection, name_or_id)
            cleaned = clean_name(new_name)
            refuse_taken(connection, cleaned, except_id=identity_id)
            store_name(connection, identity_id, cleaned)
            write_audit(connection, self.database.now(), actor, "renamed", identity_id)
            identity = read_identities(connection, None, identity_id=identity_id)[0]
        self.tidy(subject="The earlier name")
        return identity

    def set_note(self, name_or_id: str | int, note: str, *, actor: str = "local") -> Identity:
        """Replace a person's note. Raises IdentityNotFound, TemplateInvalid (too long)."""
        with self.database.transaction() as connection:
            identity_id, _ = find_identity(connection, name_or_id)
            store_note(connection, identity_id, clean_note(note))
            write_audit(connection, self.database.now(), actor, "note changed", identity_id)
            return read_identities(connection, None, identity_id=identity_id)[0]

    def remove(self, *names_or_ids: str | int, actor: str = "local", event: str = "removed") -> None:
        """Remove people with all templates and crops, and erase their traces from the file and its journal.

        `event` is the audit trail's entry; people who were "erased" don't come back with a backup. All are removed
        or, when one isn't found, none. Raises IdentityNotFound, GalleryBusy, NotAllowed.
        """
        require(Permission.DELETE)
        with self.database.transaction() as connection:
            for name_or_id in names_or_ids:
                identity_id, _ = find_identity(connection, name_or_id)
                connection.execute("DELETE FROM identity WHERE id = ?", (identity_id,))
                write_audit(connection, self.database.now(), actor, event, identity_id)
        self.tidy()

    def remove_template(self, template_id: int, *, actor: str = "local") -> None:
        """Remove one template with its crop, and erase its traces. Raises IdentityNotFound, NotAllowed."""
        require(Permission.DELETE)
        with self.database.transaction() as connection:
            found = connection.execute(
                "SELECT identity_id FROM template WHERE id = ?", (min(template_id, 2**63 - 1),)
            ).fetchone()
            if found is None:
                raise IdentityNotFound(f"No template has the number {template_id}.", "Reload the list.")
            connection.execute("DELETE FROM template WHERE id = ?", (template_id,))
            touch(connection, int(found[0]))
            write_audit(connection, self.database.now(), actor, "template removed", int(found[0]))
        self.tidy()

    def tidy(self, *, whole: bool = False, subject: str = "What was removed") -> None:
        """Rewrite the file without traces of removed data; removing does this itself. `whole`: also a large gallery's
        search index on a server, which takes as long as building it. Raises GalleryBusy, which names the `subject`."""
        with self.database.reading():
            self._indexes.clear()
        try:
            reason = "" if self.database.tidy() else "another program is reading it."
            if whole and self.database.vectors is not None:
                self.database.vectors.rewrite()
        except (GalleryBusy, StorageFailed) as error:
            reason = error.what
        if reason:
            raise GalleryBusy(
                f"{subject} is gone from the gallery, but traces may stay in its files: {reason}",
                "Close other programs, free space, then run `edgeface-studio gallery tidy`.",
            )

    # -- reading ---------------------------------------------------------------------------------------------

    def identities(self, search: str = "", *, space: Space | None = None) -> list[Identity]:
        """Return everybody whose name contains `search`, case-insensitively, sorted by name."""
        with self.database.reading() as connection:
            return read_identities(connection, space, search=search)

    def identity(self, name_or_id: str | int, *, space: Space | None = None) -> Identity:
        """Return one person by name (case-insensitive) or number. Raises IdentityNotFound."""
        with self.database.reading() as connection:
            identity_id, _ = find_identity(connection, name_or_id)
            return read_identities(connection, space, identity_id=identity_id)[0]

    def find(self, name: str) -> Identity | None:
        """Return one person by name (case-insensitive), or None."""
        try:
            return self.identity(name)
        except IdentityNotFound:
            return None

    def names_in(self, space: Space) -> list[str]:
        """Return the names of the people who can be found in `space`, in order of enrolment."""
        return self.index(space).names

    def templates(self, name_or_id: str | int, *, space: Space | None = None) -> list[StoredTemplate]:
        """Return a person's templates, oldest first, with vectors and crops; with `space`, only those that it meets.

        Raises IdentityNotFound.
        """
        with self.database.reading() as connection:
            identity_id, _ = find_identity(connection, name_or_id)
            return list(read_templates(connection, identity_id, space))

    def covers(self) -> dict[int, bytes]:
        """Return one crop for each identity that has any, by number: that of the largest face."""
        with self.database.reading() as connection:
            return read_covers(connection)

    def spaces(self, specialists: Collection[str] = ()) -> list[tuple[Space, int, int]]:
        """Return (space, templates, identities) for every space of the stored templates, most templates first.

        The upscaler is "" where only full-size templates are stored: they work with any upscaler. `specialists` are
        the SHA-256 of upscalers that are specialists, whose spaces meet small faces through any upscaler.
        """
        with self.database.reading() as connection:
            return read_spaces(connection, specialists)

    def audit(self, limit: int = 100) -> list[AuditEntry]:
        """Return the latest `limit` entries of the audit trail, newest first. Raises NotAllowed."""
        require(Permission.ACCESS)
        with self.database.reading() as connection:
            return read_audit(connection, max(0, min(limit, 1_000_000)))

    @property
    def revision(self) -> Revision:
        """Number and time of the audit trail's latest entry, which change with every audited change by any process.

        The time distinguishes a restored gallery, whose numbers continue from an earlier one.
        """
        with self.database.reading() as connection:
            latest = connection.execute("SELECT id, at FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return (int(latest[0]), str(latest[1])) if latest else (0, "")

    @property
    def size(self) -> int:
        """Number of people enrolled, in any space."""
        with self.database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM identity").fetchone()[0])

    def counts(self, space: Space | None = None) -> tuple[int, int, int]:
        """Return (people, people who can be found in `space`, photographs), cached until the file changes."""
        cached = self._counts.get(space)
        if cached is not None and self.database.is_still(cached[0]):
            return cached[1]
        with self.database.reading() as connection:
            version, found = self.database.version(connection), count_people(connection, space)
        if version is not None:
            self._counts = {space: (version, found)}
        return found

    def index(self, space: Space) -> Index:
        """Return the in-memory index of `space` for the file's current content, cached until it changes."""
        cached = self._indexes.get(space)
        if cached is not None and self.database.is_still(cached[0]):
            return cached[1]
        with self.database.reading() as connection:
            version = self.database.version(connection)
            cached = self._indexes.get(space)
            if cached is not None and cached[0] == version:
                return cached[1]
            same_file = cached is not None and cached[0][0] == self.database.opened
            index = build_index(connection, space, cached[1] if cached is not None and same_file else None)
            if version is None:  # amid a write, which may be rolled back
                return index
            self._indexes.pop(space, None)
            while len(self._indexes) >= _CACHED_SPACES:
                self._indexes.pop(next(iter(self._indexes)))
            self._indexes[space] = (version, index)
            return index

    def population(self, space: Space) -> Population:
        """Return how many people `space` finds, and the mix of their templates."""
        vectors = self.database.vectors
        found = None if vectors is None else vectors.population(space)
        return self.index(space).population if found is None else found

    def search(self, probes: np.ndarray, space: Space, k: int = 5) -> list[list[Candidate]]:
        """Return the k people most similar to each probe, best first, among templates that `space` meets.

        probes: (N, dim) float32 unit rows, or (dim,) for one. Returns N lists, empty when nobody is in the space. An
        identity's score is its highest cosine over its means, one for each kind and size of template. Raises
        SpaceMismatch, TemplateInvalid, SettingsInvalid (k).
        """
        vectors, found = self.database.vectors, None
        if vectors is not None and k >= 1:
            found = vectors.search(unit_rows(probes, space.dim), space, k)
        return self.index(space).search(probes, k) if found is None else found


def _need_some(templates: Sequence[NewTemplate]) -> None:
    if not len(templates):
        raise TemplateInvalid("There is nothing to enrol: no template was given.", "Give at least one photograph.")
