"""Merge two identities, and undo the last merge, rename or removal.

What undo needs is held in memory by the caller, never in the file: an earlier name or a removed picture isn't kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.gallery.audit import write_audit
from core.gallery.cipher import CANT_DECRYPT
from core.gallery.errors import GalleryError, IdentityNotFound
from core.gallery.identity_queries import (
    find_identity,
    name_token,
    read_identities,
    refuse_taken,
    store_name,
    store_note,
    touch,
)
from core.gallery.records import Identity, StoredTemplate
from core.gallery.sqlite_errors import damaged_gallery
from core.gallery.storage import Connection
from core.gallery.store import Gallery
from core.gallery.template_queries import insert_templates, reassign_sighting, reassign_template
from core.gallery.validation import clean_name


@dataclass(frozen=True)
class Merged:
    """`gone` was merged into the person of number `into`; `templates` and `sightings` are the numbers of what
    moved."""

    gone: Identity
    into: int
    templates: tuple[int, ...]
    sightings: tuple[int, ...] = ()

    text = "The merge"


@dataclass(frozen=True)
class Renamed:
    """The person of number `person` was called `earlier`, and is called `now`."""

    person: int
    earlier: str
    now: str

    text = "The new name"


@dataclass(frozen=True, eq=False)
class TemplateRemoved:
    """One template, as it was."""

    template: StoredTemplate

    text = "The removal of the photograph"


Change = Merged | Renamed | TemplateRemoved


def merge_identities(gallery: Gallery, gone: str | int, into: str | int, *, actor: str = "local") -> Merged:
    """Move everything of one person to another, and erase the first entry with its name and note from the file.

    Returns what undoes it. Raises IdentityNotFound, GalleryError (a person with themselves), GalleryBusy.
    """
    with gallery.database.transaction() as connection:
        source, _ = find_identity(connection, gone)
        target, _ = find_identity(connection, into)
        if source == target:
            raise GalleryError("A person can't be merged with themselves.", "Choose two different people.")
        identity = read_identities(connection, None, identity_id=source)[0]
        moved, seen = _ids(connection, source), _ids(connection, source, "sighting")
        _move(connection, moved, seen, target)
        connection.execute("DELETE FROM identity WHERE id = ?", (source,))
        touch(connection, target)
        at = gallery.database.now()
        write_audit(connection, at, actor, f"merged into number {target}", source)
        write_audit(connection, at, actor, f"took in number {source}", target)
    gallery.tidy()
    return Merged(identity, target, moved, seen)


def rename(gallery: Gallery, person: int, name: str, *, actor: str = "local") -> Renamed:
    """`Gallery.rename`, with what undoes it."""
    earlier = gallery.identity(person).name
    return Renamed(person, earlier, gallery.rename(person, name, actor=actor).name)


def remove_template(gallery: Gallery, template: StoredTemplate, *, actor: str = "local") -> TemplateRemoved:
    """`Gallery.remove_template`, with what undoes it."""
    gallery.remove_template(template.id, actor=actor)
    return TemplateRemoved(template)


def undo(gallery: Gallery, change: Change, *, actor: str = "local") -> int:
    """Undo a change and return the number of the person concerned.

    Raises GalleryError when the result was changed again since, NameTaken when the earlier name was given to somebody
    else meanwhile. Nothing is changed then.
    """
    if isinstance(change, Renamed):
        return _undo_rename(gallery, change, actor)
    if isinstance(change, Merged):
        return _undo_merge(gallery, change, actor)
    return _undo_removal(gallery, change, actor)


def _undo_rename(gallery: Gallery, change: Renamed, actor: str) -> int:
    with gallery.database.transaction() as connection:
        if _person(connection, change.person).name != change.now:
            raise _changed_since(change)
        refuse_taken(connection, clean_name(change.earlier), except_id=change.person)
        store_name(connection, change.person, change.earlier)
        write_audit(connection, gallery.database.now(), actor, "rename undone", change.person)
    gallery.tidy()
    return change.person


def _undo_merge(gallery: Gallery, change: Merged, actor: str) -> int:
    gone = change.gone
    with gallery.database.transaction() as connection:
        _person(connection, change.into)
        if not set(change.templates) <= set(_ids(connection, change.into)):
            raise _changed_since(change)
        refuse_taken(connection, gone.name)
        connection.execute(
            "INSERT INTO identity(id, name, name_key, note, enrolled_at, revision) VALUES (?, '', ?, '', ?, ?)",
            (gone.id, name_token(connection, gone.name), gone.enrolled_at.isoformat(), _newer(gallery)),
        )
        store_name(connection, gone.id, gone.name)
        store_note(connection, gone.id, gone.note)
        there = set(_ids(connection, change.into, "sighting"))  # some may have been forgotten meanwhile
        _move(connection, change.templates, tuple(each for each in change.sightings if each in there), gone.id)
        for number in (gone.id, change.into):
            touch(connection, number)
            write_audit(connection, gallery.database.now(), actor, "merge undone", number)
    return gone.id


def _undo_removal(gallery: Gallery, change: TemplateRemoved, actor: str) -> int:
    old = change.template
    with gallery.database.transaction() as connection:
        _person(connection, old.identity_id)
        insert_templates(connection, old.identity_id, [old.as_new()], old.space, old.added_at)
        write_audit(connection, gallery.database.now(), actor, "template removal undone", old.identity_id)
    return old.identity_id


def _person(connection: Connection, number: int) -> Identity:
    found = read_identities(connection, None, identity_id=number)
    if not found:
        raise IdentityNotFound(f"No identity has the number {number} any more.", "There is nothing to undo.")
    return found[0]


_IDS_OF = {
    "template": "SELECT id FROM template WHERE identity_id = ? ORDER BY id",
    "sighting": "SELECT id FROM sighting WHERE identity_id = ? ORDER BY id",
}


def _ids(connection: Connection, person: int, table: Literal["template", "sighting"] = "template") -> tuple[int, ...]:
    found = connection.execute(_IDS_OF[table], (person,))
    return tuple(int(row[0]) for row in found)


def _move(connection: Connection, templates: tuple[int, ...], sightings: tuple[int, ...], person: int) -> None:
    try:
        for number in templates:
            reassign_template(connection, number, connection.cipher, connection.cipher, to=person)
        for number in sightings:
            reassign_sighting(connection, number, connection.cipher, connection.cipher, to=person)
    except ValueError as error:
        raise damaged_gallery("The gallery", CANT_DECRYPT) from error


def _newer(gallery: Gallery) -> int:
    """A revision that no copy in memory has seen of this number: the moment in microseconds."""
    now: datetime = gallery.database.now()
    return int(now.timestamp() * 1e6)


def _changed_since(change: Change) -> GalleryError:
    return GalleryError(
        f"{change.text} can't be undone: the gallery has changed since.", "Make the change by hand on the Gallery page."
    )
