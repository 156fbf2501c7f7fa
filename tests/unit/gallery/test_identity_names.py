"""Names of people: of every kind kept as typed, those that can't be shown refused before anything is stored."""

from __future__ import annotations

import pytest

from core.errors import CoreError


@pytest.fixture
def ada(gallery, space, person, templates) -> None:
    gallery.enrol("Ada", templates(person(1, 1)), space=space)


@pytest.mark.parametrize("name", ["A" * 10_000_000, "\u202eevil", "a\x00b", "\n", "  ", "\ud800"])
def test_names_that_cannot_be_shown_are_refused_before_anything_is_stored(gallery, ada, space, name):
    for work in (lambda: gallery.rename("Ada", name), lambda: gallery.enrol(name, [], space=space)):
        with pytest.raises(CoreError) as caught:
            work()
        assert len(str(caught.value)) < 2000
    assert gallery.find(name) is None and [each.name for each in gallery.identities()] == ["Ada"]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "عمر الخيام", "👩🏽‍🚀 Ada", "'; DROP TABLE identity --"]
)
def test_names_of_every_kind_are_kept_as_typed(gallery, ada, name):
    assert gallery.rename("Ada", name).name == name and gallery.identity(name).name == name
