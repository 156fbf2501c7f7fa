"""Export and import of a gallery as one portable file; also exports the `.pt` functions of
`core.gallery.embeddings_pt`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.gallery.archive_format import (
    SUFFIX,
    ArchivePerson,
    ArchiveTemplate,
    read_gallery_archive,
    write_gallery_archive,
)
from core.gallery.audit import write_audit
from core.gallery.embeddings_pt import import_embeddings_pt, read_embeddings_pt, write_embeddings_pt
from core.gallery.identity_queries import find_identity, read_identities
from core.gallery.import_merge import ImportReport, OnConflict, merge_people
from core.gallery.records import StoredTemplate
from core.gallery.store import Gallery
from core.gallery.template_queries import read_templates
from core.system.atomic_file import replacement

__all__ = [
    "SUFFIX",
    "ExportReport",
    "ImportReport",
    "OnConflict",
    "export_bytes",
    "export_gallery",
    "import_embeddings_pt",
    "import_gallery",
    "read_embeddings_pt",
    "read_gallery_archive",
    "write_embeddings_pt",
]


@dataclass(frozen=True)
class ExportReport:
    """The content of an export. It is biometric data: show this before the file leaves the machine."""

    identities: int
    templates: int
    crops: int
    size_bytes: int

    @property
    def text(self) -> str:
        """One sentence for the screen."""
        crops = f"{self.crops} face crops" if self.crops else "no face crops"
        return f"The file holds {self.identities} names, {self.templates} embeddings and {crops}, unencrypted."


def export_gallery(
    gallery: Gallery,
    path: Path | str,
    *,
    names: Sequence[str | int] | None = None,
    include_crops: bool = True,
    actor: str = "local",
) -> ExportReport:
    """Write the gallery, or only `names` of it, to one portable file, and say what the file holds.

    The file appears whole or not at all; one that is there is replaced. Readable by its owner only, not
    encrypted. Raises IdentityNotFound, StorageFailed (can't write there, or `path` is the gallery's own
    file).
    """
    target = Path(path).expanduser().absolute()
    try:
        if target.is_dir() or _is_own_file(gallery, target):
            raise StorageFailed(f"{target} is a folder or the gallery itself.", "Choose another name for the export.")
        with replacement(target) as temporary, temporary.open("w+b") as file:
            return _export(gallery, file, names, include_crops, actor)
    except OSError as error:
        raise StorageFailed(
            f"{target} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error


def export_bytes(
    gallery: Gallery, *, names: Sequence[str | int] | None = None, include_crops: bool = True, actor: str = "local"
) -> tuple[bytes, ExportReport]:
    """Return the portable file's bytes, for a download, and what it holds. Raises IdentityNotFound."""
    file = io.BytesIO()
    report = _export(gallery, file, names, include_crops, actor)
    return file.getvalue(), report


def import_gallery(
    gallery: Gallery, source: Path | str | bytes, *, on_conflict: OnConflict = "skip", actor: str = "local"
) -> ImportReport:
    """Take in a portable file (a path or its bytes): checked to the last byte first, then stored in one
    transaction.

    on_conflict: "skip", "add", "rename" or "error", see `merge_people`. Templates of other weights are kept
    and never meet those of the encoder in use. Raises ImportRejected; nothing is changed then.
    `read_gallery_archive` looks without importing.
    """
    return merge_people(gallery, read_gallery_archive(source).people, on_conflict=on_conflict, actor=actor)


def _export(
    gallery: Gallery, file: BinaryIO, names: Sequence[str | int] | None, include_crops: bool, actor: str
) -> ExportReport:
    require(Permission.EXPORT)
    counted = {"templates": 0, "crops": 0}
    with gallery.database.reading() as connection:
        if names is None:
            numbers = [int(row[0]) for row in connection.execute("SELECT id FROM identity ORDER BY id")]
        else:
            numbers = list(dict.fromkeys(find_identity(connection, name)[0] for name in names))

        def people() -> Iterator[ArchivePerson]:
            for number in numbers:
                identity = read_identities(connection, None, identity_id=number)[0]
                stored = list(read_templates(connection, number))
                templates = tuple(_portable(template, include_crops) for template in stored)
                counted["templates"] += len(stored)
                counted["crops"] += sum(item.template.crop is not None for item in templates)
                yield ArchivePerson(identity.name, identity.note, identity.enrolled_at, templates)

        write_gallery_archive(file, people(), gallery.database.now())
    with gallery.database.transaction() as connection:
        write_audit(connection, gallery.database.now(), actor, f"exported: {len(numbers)} identities")
    return ExportReport(len(numbers), counted["templates"], counted["crops"], file.tell())


def _portable(stored: StoredTemplate, include_crops: bool) -> ArchiveTemplate:
    template = stored.as_new()
    return ArchiveTemplate(template if include_crops else replace(template, crop=None), stored.space, stored.added_at)


def _is_own_file(gallery: Gallery, target: Path) -> bool:
    own = Path(gallery.path)
    names = {own.name, f"{own.name}-wal", f"{own.name}-shm"}
    return target.name in names and target.parent.resolve() == own.parent.resolve()
