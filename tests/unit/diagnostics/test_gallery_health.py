"""Planted faults in a gallery: each is found, told of the right person, and mended by its remedy."""

from __future__ import annotations

import numpy as np
import pytest

from core.diagnostics.gallery_health import ALIKE_ABOVE, examine
from core.diagnostics.gallery_troubles import Photo, remove_photograph
from core.errors import SettingsInvalid
from core.gallery import Gallery, IdentityNotFound, NewTemplate, Space
from core.gallery.dismissed_findings import dismiss, read_dismissed, undo_dismissal
from core.gallery.identity_merge import merge_identities
from core.gallery.operating_points import OperatingPoint, save_operating_point

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)
DIM = 512


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


class Maker:
    """People whose photographs have a cosine of about 0.6 with one another, as those of LFW do."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(11)

    def person(self):
        return unit(self.random.normal(size=DIM))

    def of(self, centre, count, spread=0.8):
        noise = spread * unit(self.random.normal(size=(count, DIM)))
        return unit(centre + noise)


def templates(name, vectors, **kind):
    kind = {"kind": "hr", "probe_px": 140.0, **kind}
    return [NewTemplate(vector, image_sha256=f"{name} {number}", **kind) for number, vector in enumerate(vectors)]


@pytest.fixture
def maker():
    return Maker()


@pytest.fixture
def gallery(maker):
    """Eight sound people with four photographs each."""
    with Gallery.open(":memory:") as store:
        for number in range(8):
            store.enrol(f"Sound {number}", templates(f"s{number}", maker.of(maker.person(), 4)), space=SPACE)
        yield store


def codes(health):
    return [each.code for each in health.troubles]


def test_a_sound_gallery_has_no_findings(gallery):
    health = examine(gallery, SPACE)
    assert not health.troubles and (health.people, health.photographs) == (8, 32)
    assert health.line == "No problems were found among 8 people with 32 photographs."


def test_a_wrong_photograph_inside_a_person_is_found_and_removed(gallery, maker):
    victim = maker.person()
    gallery.enrol("Victim", templates("v", maker.of(victim, 4)), space=SPACE)
    mixed = np.concatenate([maker.of(maker.person(), 3), maker.of(victim, 1)])
    gallery.enrol("Mixed", templates("m", mixed), space=SPACE)
    [trouble] = examine(gallery, SPACE).troubles
    assert (trouble.code, trouble.name, trouble.other_name) == ("unlike_own", "Mixed", "Victim") and trouble.serious
    wrong = gallery.templates("Mixed")[3].id
    assert trouble.photos[0].templates == (wrong,) and len(trouble.beside) == 3 and "“Victim”" in trouble.text
    remove_photograph(gallery, trouble.photos[0])
    assert not examine(gallery, SPACE).troubles and len(gallery.templates("Mixed")) == 3


def test_two_photographs_of_one_stranger_do_not_hide_each_other(gallery, maker):
    stranger = maker.person()
    mixed = np.concatenate([maker.of(maker.person(), 4), maker.of(stranger, 2)])
    gallery.enrol("Mixed", templates("m", mixed), space=SPACE)
    health = examine(gallery, SPACE)
    wrong = {number for each in health.troubles for photo in each.photos for number in photo.templates}
    assert {each.id for each in gallery.templates("Mixed")[4:]} <= wrong
    assert all(each.serious and each.name == "Mixed" for each in health.troubles)


def test_one_person_under_two_names_is_found_and_merged(gallery, maker):
    centre = maker.person()
    gallery.enrol("Grace", templates("g", maker.of(centre, 3)), space=SPACE, note="first")
    gallery.enrol("G. Hopper", templates("h", maker.of(centre, 3)), space=SPACE, note="second")
    [trouble] = examine(gallery, SPACE).troubles
    assert (trouble.code, trouble.name, trouble.other_name) == ("two_names", "Grace", "G. Hopper")
    assert trouble.score >= trouble.limit == 0.5 and trouble.remedies == ("merge",)
    merge_identities(gallery, trouble.other, trouble.person)
    kept = gallery.identity("Grace")
    assert (kept.name, kept.templates) == ("Grace", 6)
    assert gallery.find("G. Hopper") is None and not examine(gallery, SPACE).troubles


def test_a_photograph_that_reaches_the_threshold_against_another_is_told_with_its_threshold(gallery, maker):
    other, own = maker.of(maker.person(), 4), maker.of(maker.person(), 4)
    own[0] = unit(own[0] + 0.75 * unit(other.mean(axis=0)))
    gallery.enrol("Other", templates("o", other), space=SPACE)
    gallery.enrol("Own", templates("w", own), space=SPACE)
    health = examine(gallery, SPACE)
    assert ("looks_like_other", "Own", "Other") in [(t.code, t.name, t.other_name) for t in health.troubles]
    trouble = next(t for t in health.troubles if t.name == "Own")
    assert trouble.score >= trouble.limit == 0.35 and "uncalibrated" in trouble.text
    point = OperatingPoint(0, 200, "fpir", 0.01, 100, 0.95, "run", photographs=4)
    save_operating_point(gallery, SPACE, point)
    calibrated = examine(gallery, SPACE)
    assert calibrated.calibrated and calibrated.threshold == 0.95 and not calibrated.troubles


def test_copies_few_and_too_similar_photographs_are_told(gallery, maker):
    centre = maker.person()
    burst = maker.of(centre, 4, spread=0.2)
    gallery.enrol("Burst", templates("b", burst), space=SPACE)
    twice = maker.of(maker.person(), 3)
    gallery.enrol("Twice", templates("t", np.concatenate([twice, twice[:1]])), space=SPACE)
    gallery.enrol("Few", templates("f", maker.of(maker.person(), 1)), space=SPACE)
    found = {each.name: each for each in examine(gallery, SPACE).troubles}
    assert found["Burst"].code == "alike" and found["Burst"].score > ALIKE_ABOVE
    assert found["Twice"].code == "same_photograph" and found["Few"].code == "few"
    assert not any(each.serious for each in found.values())
    assert found["Twice"].photos[0].templates == (gallery.templates("Twice")[3].id,)


def test_two_strangers_under_one_name_are_told_as_such(gallery, maker):
    both = np.concatenate([maker.of(maker.person(), 1), maker.of(maker.person(), 1)])
    gallery.enrol("Both", templates("b", both), space=SPACE)
    trouble = examine(gallery, SPACE).troubles[0]
    assert (trouble.code, trouble.name) == ("unlike_groups", "Both") and trouble.serious and len(trouble.photos) == 2


def test_removing_takes_small_versions_and_other_weights_along_but_never_the_last(gallery, maker):
    vectors = maker.of(maker.person(), 2)
    gallery.enrol("Ada", templates("a", vectors), space=SPACE)
    gallery.add_templates("Ada", templates("a", vectors[:1], kind="sr", probe_px=16.0, size_px=16), space=SPACE)
    gallery.add_templates("Ada", templates("a", vectors[:1]), space=Space("old", "b" * 64, "bicubic", False))
    ids = [each.id for each in gallery.templates("Ada")]
    person = gallery.identity("Ada").id
    remove_photograph(gallery, Photo(person, "Ada", (ids[0],)))
    assert [each.id for each in gallery.templates("Ada")] == [ids[1]]
    with pytest.raises(SettingsInvalid, match="only photograph"):
        remove_photograph(gallery, Photo(person, "Ada", (ids[1],)))
    with pytest.raises(IdentityNotFound):
        remove_photograph(gallery, Photo(person, "Ada", (ids[0],)))


def test_a_finding_that_was_left_stays_away_until_its_photographs_change_and_comes_back_when_asked(gallery, maker):
    centre = maker.person()
    person = gallery.enrol("Ada", templates("a", maker.of(centre, 4)), space=SPACE)
    gallery.add_templates(person.id, templates("x", [maker.person()]), space=SPACE)
    [found] = examine(gallery, SPACE).troubles
    assert found.code == "unlike_own"
    for _ in range(2):  # twice is once
        dismiss(gallery, found.key, actor="Grace")
    health = examine(gallery, SPACE)
    assert health.troubles == () and health.serious == () and "1 finding dismissed" in health.line
    [(left, mark)] = health.left
    assert left.key == found.key and mark.by == "Grace" and mark.at.tzinfo is not None
    trail = [(entry.actor, entry.event, entry.identity_id) for entry in gallery.audit() if "finding" in entry.event]
    assert trail == [("Grace", "finding left: unlike own", person.id)], "who and when, and no name of the person"

    undo_dismissal(gallery, found.key, actor="Joan")
    assert codes(examine(gallery, SPACE)) == ["unlike_own"] and not examine(gallery, SPACE).left
    assert gallery.audit(1)[0].event == "finding taken up again: unlike own"

    dismiss(gallery, found.key)
    gallery.add_templates(person.id, templates("y", [maker.person()]), space=SPACE)
    now = examine(gallery, SPACE)
    assert [each.key.templates for each in now.troubles] != [found.key.templates] and now.troubles, "a new stranger"
    gallery.remove(person.id)
    assert not read_dismissed(gallery), "the mark goes with the person"


def test_two_names_left_name_both_and_need_both(gallery, maker):
    centre = maker.person()
    first = gallery.enrol("Ada", templates("a", maker.of(centre, 4)), space=SPACE)
    second = gallery.enrol("Countess", templates("c", maker.of(centre, 4)), space=SPACE)
    [found] = examine(gallery, SPACE).troubles
    dismiss(gallery, found.key)
    assert not examine(gallery, SPACE).troubles
    assert gallery.audit(1)[0].event == f"finding left: two names, with person {second.id}"
    gallery.add_templates(first.id, templates("n", maker.of(centre, 1)), space=SPACE)
    assert codes(examine(gallery, SPACE)) == ["two_names"], "another photograph is another finding"
    gallery.remove(second.id)
    with pytest.raises(IdentityNotFound):
        dismiss(gallery, found.key)


def test_an_empty_gallery_keeps_its_threshold(gallery):
    save_operating_point(gallery, SPACE, OperatingPoint(0, 200, "fpir", 0.01, 100, 0.95, "run", photographs=4))
    health = examine(gallery, SPACE)
    assert (health.calibrated, health.threshold) == (True, 0.95)
