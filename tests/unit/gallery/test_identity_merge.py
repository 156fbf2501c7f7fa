"""Two entries of one person made one, and the way back from a change: exactly as before, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.gallery import Gallery, GalleryError, IdentityNotFound, NameTaken
from core.gallery.identity_merge import merge_identities, remove_template, rename, undo
from core.gallery.keys import Key


@pytest.fixture(params=["plain", "encrypted", "server"])
def people(request, path, space, person, templates):
    key = Key(b"k" * 32) if request.param == "encrypted" else None
    if request.param == "server":
        server = request.getfixturevalue("postgres")
        path = server.address(server.emptied_database())
    with Gallery.open(path, keys=lambda: key) as gallery:
        for number, name in enumerate(("Ada", "Augusta", "Bob")):
            gallery.enrol(name, templates(person(number), measured=[0.9, 0.3]), space=space, note=f"note of {name}")
        yield gallery


def state(gallery: Gallery) -> list[object]:
    held = {each.id: gallery.templates(each.id) for each in gallery.identities()}
    return [
        gallery.identities(),
        {n: [(t.id, t.vector.tobytes(), t.crop, t.added_at, t.recognisability) for t in h] for n, h in held.items()},
    ]


def test_a_merge_moves_everything_and_can_be_undone_exactly(people, space, person):
    before, search = state(people), people.search(person(1), space)
    change = merge_identities(people, "augusta", "Ada")
    assert [each.name for each in people.identities()] == ["Ada", "Bob"]
    assert people.identity("Ada").templates == 6
    assert people.search(person(1), space)[0][0].name == "Ada"
    assert not any(b"Augusta" in file.read_bytes() for file in Path(people.path).parent.glob("gallery.db*"))
    assert undo(people, change) == 2
    assert state(people) == before and people.search(person(1), space) == search
    events = [(entry.event, entry.identity_id) for entry in people.audit()]
    assert ("merged into number 1", 2) in events and ("merge undone", 2) in events


def test_a_merge_is_not_undone_over_a_later_change(people, space, person, templates):
    change = merge_identities(people, "Augusta", "Ada")
    people.enrol("augusta", templates(person(7)), space=space)
    with pytest.raises(NameTaken):
        undo(people, change)
    people.remove("augusta")
    people.remove_template(change.templates[0])
    with pytest.raises(GalleryError, match="changed since"):
        undo(people, change)
    people.remove("Ada")
    with pytest.raises(IdentityNotFound):
        undo(people, change)
    assert [each.name for each in people.identities()] == ["Bob"]


def test_nobody_is_merged_with_themselves_or_with_nobody(people):
    with pytest.raises(GalleryError, match="themselves"):
        merge_identities(people, "Ada", "ADA")
    with pytest.raises(IdentityNotFound):
        merge_identities(people, "Ada", "Eve")
    assert people.size == 3


def test_sightings_go_with_a_merge_and_come_back_with_its_undo(people):
    with people.database.transaction() as connection:
        for number in (2, 3):
            connection.execute(
                "INSERT INTO sighting(identity_id, began, ended, score, threshold, probe_px, frames, source, crop) "
                "VALUES (?, '2026-01-01T00:00:00+00:00', '2026-01-01T00:01:00+00:00', 0.6, 0.4, 24, 9, 'door', NULL)",
                (number,),
            )
    seen = {person.id: _sighted(people, person.id) for person in people.identities()}
    change = merge_identities(people, 3, 2)
    assert _sighted(people, 2) == sorted(seen[2] + seen[3])
    undo(people, change)
    assert {person.id: _sighted(people, person.id) for person in people.identities()} == seen


def _sighted(gallery, person):
    with gallery.database.reading() as connection:
        found = connection.execute("SELECT id FROM sighting WHERE identity_id = ? ORDER BY id", (person,)).fetchall()
    return [number for (number,) in found]


def test_a_rename_is_undone_unless_something_else_happened_to_the_name(people):
    change = rename(people, 1, "Ada King")
    assert undo(people, change) == 1 and people.identity(1).name == "Ada"
    change = rename(people, 1, "Ada King")
    people.rename(2, "Ada")
    with pytest.raises(NameTaken):
        undo(people, change)
    people.rename(1, "Countess")
    with pytest.raises(GalleryError, match="changed since"):
        undo(people, change)


def test_a_removed_photograph_comes_back_with_all_it_had(people, space, person):
    before = people.templates("Ada")[1]
    change = remove_template(people, before)
    assert people.identity("Ada").templates == 2
    assert undo(people, change) == 1
    back = people.templates("Ada")[-1]
    assert (back.crop, back.added_at, back.image_sha256, back.space, back.recognisability) == (
        before.crop,
        before.added_at,
        before.image_sha256,
        before.space,
        0.3,
    )
    assert (back.vector == before.vector).all()
    people.remove("Ada")
    with pytest.raises(IdentityNotFound):
        undo(people, change)
