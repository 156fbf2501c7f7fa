"""Merge imported people into a gallery: one transaction, and a stated rule for names that are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Literal, get_args

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.gallery.archive_format import ArchivePerson, ArchiveTemplate
from core.gallery.audit import write_audit
from core.gallery.errors import ImportRejected
from core.gallery.identity_queries import insert_identity, name_token
from core.gallery.records import NewTemplate, Space
from core.gallery.storage import Connection
from core.gallery.store import Gallery
from core.gallery.template_queries import insert_templates, read_templates
from core.gallery.validation import MAX_NAME_CHARS

OnConflict = Literal["skip", "add", "error", "rename"]


@dataclass(frozen=True)
class ImportReport:
    """The result of an import. Each list holds names as they are in the gallery now; `renamed` pairs (in the file,
    now).

    added: new identities, `renamed` ones included; extended: templates were added to them; skipped: taken
    names, or nothing new. templates: how many were stored. repeated: how many were there already, number for
    number.
    """

    added: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    templates: int = 0
    repeated: int = 0

    @property
    def text(self) -> str:
        """One sentence for the screen."""
        parts = [f"{len(self.added)} added", f"{len(self.extended)} extended", f"{len(self.skipped)} skipped"]
        return f"People: {', '.join(parts)}. Templates stored: {self.templates}."


def merge_people(
    gallery: Gallery, people: Sequence[ArchivePerson], *, on_conflict: OnConflict = "skip", actor: str = "local"
) -> ImportReport:
    """Store `people`, all of them or, when anything is wrong, none.

    on_conflict, for a name that is taken (case aside): "skip" leaves the enrolled person as is, "add" gives
    them the templates they lack, "rename" enrols a new one as "Name (2)", "error" refuses the whole import.
    Raises ImportRejected ("error" and a name is taken), SettingsInvalid (unknown rule), and what enrolling
    raises.
    """
    if on_conflict not in get_args(OnConflict):
        raise SettingsInvalid(
            f"Expected one of {', '.join(get_args(OnConflict))} for names that are taken, got {on_conflict!r}.",
            "Choose one of them.",
        )
    require(Permission.EXPORT)
    report = ImportReport()
    renamed, stored, repeated = report.renamed, 0, 0
    with gallery.database.transaction() as connection:
        name_key = partial(name_token, connection)
        taken = {key: int(number) for number, key in connection.execute("SELECT id, name_key FROM identity")}
        conflicts = [person.name for person in people if name_key(person.name) in taken]
        if conflicts and on_conflict == "error":
            raise ImportRejected(
                f"{len(conflicts)} of {len(people)} names are enrolled already, first “{conflicts[0]}”.",
                "Nothing was imported. Choose to skip them, add to them, or import under other names.",
            )
        for person in people:
            templates: Iterable[ArchiveTemplate] = person.templates
            name, number = person.name, taken.get(name_key(person.name))
            if number is not None and on_conflict == "skip":
                report.skipped.append(name)
                continue
            if number is not None and on_conflict == "add":
                templates = _lacking(connection, number, person.templates)
                repeated += len(person.templates) - len(list(templates))
                if not templates:
                    report.skipped.append(name)
                    continue
                report.extended.append(name)
            else:
                if number is not None:
                    name = _free_name(name, taken, name_key)
                    renamed.append((person.name, name))
                number = insert_identity(connection, name, person.note, person.enrolled_at)
                taken[name_key(name)] = number
                report.added.append(name)
            stored += _insert(connection, number, templates)
            write_audit(connection, gallery.database.now(), actor, "imported", number)
    return ImportReport(report.added, report.extended, report.skipped, renamed, stored, repeated)


def _insert(connection: Connection, identity_id: int, templates: Iterable[ArchiveTemplate]) -> int:
    stored = 0
    for (space, at), group in groupby(templates, key=lambda item: (item.space, item.added_at)):
        batch: list[NewTemplate] = [item.template for item in group]
        insert_templates(connection, identity_id, batch, space, at)
        stored += len(batch)
    return stored


def _lacking(connection: Connection, identity_id: int, templates: Sequence[ArchiveTemplate]) -> list[ArchiveTemplate]:
    """Those of `templates` that the identity doesn't hold yet, number for number."""
    held = {
        (stored.space.weights_sha256, stored.space.upscaler, stored.space.flip_tta, stored.vector.tobytes())
        for stored in read_templates(connection, identity_id)
    }
    return [
        item
        for item in templates
        if (item.space.weights_sha256, _upscaler(item), item.space.flip_tta, item.template.vector.tobytes()) not in held
    ]


def _upscaler(item: ArchiveTemplate) -> str:
    return item.space.upscaler if item.template.kind == "sr" else ""


def _free_name(name: str, taken: dict[str, int], name_key: Callable[[str], str]) -> str:
    number = 2
    while True:
        suffix = f" ({number})"
        candidate = name[: MAX_NAME_CHARS - len(suffix)].rstrip() + suffix
        if name_key(candidate) not in taken:
            return candidate
        number += 1


def person_of(name: str, templates: Sequence[NewTemplate], space: Space, gallery: Gallery) -> ArchivePerson:
    """A person who is new as of now, ready to be merged."""
    now = gallery.database.now()
    return ArchivePerson(name, "", now, tuple(ArchiveTemplate(template, space, now) for template in templates))
