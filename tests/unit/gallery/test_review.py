"""Before enrolling: odd ones, doubles and people under a second name are found, and nobody is blamed wrongly."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.gallery.review import review_enrolment

pytestmark = pytest.mark.both_databases

LIMITS = {"unlike_below": 0.3, "same_above": 0.5}


@pytest.fixture
def review(gallery, space):
    def run(name, vectors, **more):
        return review_enrolment(gallery, space, name, vectors, **(LIMITS | more))

    return run


def codes(findings):
    return [(finding.code, finding.photo) for finding in findings]


def test_three_photographs_of_one_person_are_fine(review, person):
    assert review("Ada", person(1)) == []


def test_one_of_somebody_else_is_named(review, person):
    mixed = np.concatenate([person(1, 2), person(2, 1), person(1, 3)[2:]])
    [finding] = review("Ada", mixed)
    assert (finding.code, finding.photo) == ("unlike_others", 2)
    others = mixed[[0, 1, 3]].astype(np.float64).mean(axis=0)
    assert finding.score == pytest.approx(float(others @ mixed[2] / np.linalg.norm(others)), abs=1e-6)
    assert "Photograph 3" in finding.text


def test_of_two_that_differ_neither_is_blamed(review, person):
    found = review("Ada", np.concatenate([person(1, 1), person(2, 1)]))
    assert codes(found) == [("unlike_others", None), ("few_photographs", None)]
    assert "1 and 2" in found[0].text


def test_three_different_people_are_one_finding(review, person):
    found = review("Ada", np.concatenate([person(seed, 1) for seed in (1, 2, 3)]))
    assert codes(found) == [("unlike_others", None)]


def test_two_people_in_equal_shares_are_seen(review, person):
    found = review("Ada", np.concatenate([person(1, 3), person(2, 3)]))
    assert codes(found) == [("unlike_others", None)] and "1, 2 and 3; 4, 5 and 6" in found[0].text


def test_the_same_photograph_twice(review, person):
    rows = person(1)
    assert codes(review("Ada", np.concatenate([rows, rows[1:2]]))) == [("duplicate_photograph", 3)]
    found = review("Ada", rows, image_sha256s=["x", "y", "x"])
    assert codes(found) == [("duplicate_photograph", 2), ("few_photographs", None)]
    assert "photograph 1" in found[0].text


def test_a_stranger_twice_does_not_vouch_for_itself(review, person):
    stranger = person(2, 1)
    found = review("Ada", np.concatenate([person(1, 2), stranger, stranger]))
    assert codes(found) == [("duplicate_photograph", 3), ("unlike_others", 2)]


def test_a_person_enrolled_under_another_name(review, gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1, 3)), space=space)
    gallery.enrol("Bob", templates(person(2, 3)), space=space)
    [finding] = review("Augusta", person(1, 7)[3:])
    assert (finding.code, finding.other, finding.photo) == ("already_enrolled", "Ada", None)
    assert finding.score >= 0.5 and "“Ada”" in finding.text
    one_of_bob = np.concatenate([person(5, 7), person(2, 5)[3:4]])
    found = review("Eve", one_of_bob)
    assert ("already_enrolled", 7) in codes(found) and ("unlike_others", 7) in codes(found)


def test_adding_to_somebody_compares_with_what_is_stored(review, gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1, 3)) + templates(person(1, 3), size_px=16), space=space)
    assert review("ADA", person(1, 6)[3:]) == []
    assert codes(review("Ada", person(1, 4)[3:])) == []
    assert codes(review("Ada", person(2, 3))) == [("unlike_others", None)]
    assert codes(review("Ada", np.concatenate([person(1, 4)[3:], person(2, 1)]))) == [("unlike_others", 1)]
    stored = gallery.templates("Ada")[1]
    assert codes(review("Ada", stored.vector)) == [("duplicate_photograph", 0)]


def test_few_photographs_are_counted_without_doubles(review, gallery, space, person, templates):
    [finding] = review("Ada", person(1, 1))
    assert finding.code == "few_photographs" and "1 photograph in all" in finding.text
    gallery.enrol("Ada", templates(person(1, 2)), space=space)
    assert review("Ada", person(1, 3)[2:]) == []


def test_limits_and_hashes_must_make_sense(review, person):
    with pytest.raises(SettingsInvalid):
        review("Ada", person(1), same_above=35.0)
    with pytest.raises(SettingsInvalid):
        review("Ada", person(1), image_sha256s=["x"])
