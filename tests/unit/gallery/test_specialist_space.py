"""A space with a specialist meets small templates through any upscaler of the same weights, and can make them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.gallery import Gallery, NewTemplate, Space
from core.gallery.operating_points import OperatingPoint, operating_points, save_operating_point
from core.gallery.template_replacement import (
    other_upscalers,
    plan_replacement,
    read_sources,
    remove_replaced,
    store_replacements,
)

pytestmark = pytest.mark.both_databases

SPECIALIST = "5" * 64


@pytest.fixture
def beside(space: Space) -> Space:
    return replace(space, upscaler=SPECIALIST, any_upscaler=True)


@pytest.fixture
def enrolled(
    gallery: Gallery, space: Space, person: Callable[..., np.ndarray], templates: Callable[..., list[NewTemplate]]
) -> Gallery:
    """Of each way to enrol one person with a small face."""
    gallery.enrol("Bicubic", templates(person(1, 1), size_px=16), space=space)
    gallery.enrol("DSR", templates(person(2, 1), size_px=24), space=replace(space, upscaler="d" * 64))
    gallery.enrol("Large", templates(person(3, 1)), space=space)
    gallery.enrol("No flip", templates(person(4, 1), size_px=16), space=replace(space, flip_tta=False))
    gallery.enrol("Other weights", templates(person(5, 1), size_px=16), space=replace(space, weights_sha256="b" * 64))
    return gallery


def test_small_templates_of_the_same_weights_and_flip_are_found(
    enrolled: Gallery, space: Space, beside: Space, person: Callable[..., np.ndarray]
) -> None:
    assert enrolled.names_in(beside) == ["Bicubic", "DSR", "Large"]
    assert enrolled.names_in(space) == ["Bicubic", "Large"], "an upscaler's space stays as it was"
    found = enrolled.search(np.concatenate([person(1, 1), person(2, 1)]), beside, k=1)
    assert [row[0].name for row in found] == ["Bicubic", "DSR"]
    assert {p.name: p.in_space for p in enrolled.identities(space=beside)} == {
        "Bicubic": 1,
        "DSR": 1,
        "Large": 1,
        "No flip": 0,
        "Other weights": 0,
    }


def test_they_can_be_re_embedded_and_are_found_all_the_time(enrolled: Gallery, beside: Space) -> None:
    """The specialist's own templates of small faces recognise more (docs/measurements.md)."""
    plan = plan_replacement(enrolled, beside)
    assert (plan.photographs, plan.people, plan.searched) == (4, 4, 2), "two are of another flip or other weights"
    sources = [one for one in read_sources(enrolled, plan.sources) if one.space.upscaler == "d" * 64]
    assert store_replacements(enrolled, [(one, one.as_new()) for one in sources], beside) == 1
    again = plan_replacement(enrolled, beside)
    assert (again.photographs, again.searched) == (3, 1) and other_upscalers(enrolled, beside) == {"bicubic": 1}
    assert store_replacements(enrolled, [(one, one.as_new()) for one in sources], beside) == 0, "it is made"
    assert remove_replaced(enrolled, beside) == 1
    assert [one.space.upscaler for one in enrolled.templates("DSR")] == [SPECIALIST]
    assert enrolled.names_in(beside) == ["Bicubic", "DSR", "Large"]


def test_its_own_templates_name_it_and_join_the_same_mean(
    enrolled: Gallery,
    beside: Space,
    person: Callable[..., np.ndarray],
    templates: Callable[..., list[NewTemplate]],
) -> None:
    enrolled.add_templates("Bicubic", templates(person(1, 2)[1:], size_px=16), space=beside)
    assert [t.space.upscaler for t in enrolled.templates("Bicubic")] == ["bicubic", SPECIALIST]
    index = enrolled.index(beside)
    means, groups = index.means(index.names.index("Bicubic"))
    assert groups == [("sr", 16)] and len(means) == 1, "one mean a size, through whatever it came"


def test_thresholds_stay_apart(enrolled: Gallery, space: Space, beside: Space) -> None:
    point = OperatingPoint(0, 40, "far", 0.01, 0, 0.4, "run")
    save_operating_point(enrolled, space, point)
    assert operating_points(enrolled, beside) == []
    save_operating_point(enrolled, beside, replace(point, threshold=0.3))
    assert [p.threshold for p in operating_points(enrolled, beside)] == [0.3]
    assert [p.threshold for p in operating_points(enrolled, space)] == [0.4]


def test_its_stored_space_meets_small_faces_through_any_upscaler_where_it_is_known_as_a_specialist(
    enrolled: Gallery,
    beside: Space,
    person: Callable[..., np.ndarray],
    templates: Callable[..., list[NewTemplate]],
) -> None:
    enrolled.add_templates("Large", templates(person(3, 1), size_px=16), space=beside)
    met = {space: (count, people) for space, count, people in enrolled.spaces([SPECIALIST])}
    largest, *_ = enrolled.spaces([SPECIALIST])
    assert largest == (beside, *met[beside])
    assert met[beside][1] == 3, "Bicubic, DSR and Large"
    unknown = {space.upscaler: people for space, _, people in enrolled.spaces() if space.any_upscaler}
    assert unknown == {}
