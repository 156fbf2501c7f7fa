"""Templates of other weights: planned, made beside the old ones, and the old ones let go; nobody is ever lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.gallery import Gallery, NewTemplate, Space
from core.gallery.template_replacement import (
    other_upscalers,
    plan_replacement,
    read_sources,
    remove_replaced,
    store_replacements,
)

pytestmark = pytest.mark.both_databases

CROP = b"RIFF\x24\x00\x00\x00WEBPVP8 a crop of a face"
NEW = Space("tuned", "b" * 64, "d" * 64, True, bicubic_px=(32,))


def unit(seed: int) -> np.ndarray:
    row = np.random.default_rng(seed).normal(size=512)
    return (row / np.linalg.norm(row)).astype(np.float32)


def template(seed: int, *, size_px: int | None = None, crop: bytes | None = CROP, photo: str | None = None):
    return NewTemplate(
        vector=unit(seed),
        kind="hr" if size_px is None else "sr",
        probe_px=float(size_px or 112),
        size_px=size_px,
        image_sha256=f"photograph {seed}" if photo is None else photo,
        crop=crop,
        recognisability=seed / 10,
    )


def remake(gallery: Gallery, space: Space) -> int:
    """Every source of the plan with a new vector, as an encoder would."""
    sources = read_sources(gallery, plan_replacement(gallery, space).sources)
    made = [
        (s, NewTemplate(unit(900 + s.id), s.kind, s.probe_px, s.size_px, s.image_sha256, s.crop, s.source))
        for s in sources
    ]
    return store_replacements(gallery, made, space)


def test_the_plan_counts_photographs_once_and_names_who_has_no_picture(gallery: Gallery, space: Space) -> None:
    gallery.enrol("Ada", [template(1), template(2)], space=space)
    gallery.add_templates("Ada", [template(3, photo="photograph 1")], space=replace(space, weights_sha256="c" * 64))
    gallery.enrol("Ben", [template(4, crop=None)], space=space)
    gallery.enrol("Cleo", [template(5)], space=NEW)
    plan = plan_replacement(gallery, NEW)
    assert (plan.photographs, plan.people, plan.without_crop) == (2, 1, 1)
    assert [person.name for person in plan.enrol_again] == ["Ben"]
    assert plan_replacement(gallery, space).photographs == 1, "the other way round it is Cleo's"


def test_the_old_ones_stay_until_they_are_let_go_and_go_together(gallery: Gallery, space: Space) -> None:
    gallery.enrol("Ada", [template(1), template(2), template(3, crop=None)], space=space)
    gallery.enrol("Ben", [template(4, crop=None)], space=space)
    assert remake(gallery, NEW) == 2 and remake(gallery, NEW) == 0
    assert gallery.names_in(space) == ["Ada", "Ben"] and gallery.names_in(NEW) == ["Ada"]
    assert remove_replaced(gallery, NEW) == 2
    assert gallery.names_in(space) == ["Ada", "Ben"], "what has no picture stays as it was"
    assert len(gallery.templates("Ada")) == 3 and len(gallery.templates("Ben")) == 1
    assert remove_replaced(gallery, NEW) == 0
    events = [entry.event for entry in gallery.audit()]
    assert "re-embedded from stored crops" in events and "templates of other weights removed" in events


def test_full_size_templates_survive_a_change_of_upscaler(gallery: Gallery, space: Space) -> None:
    """Nothing was enlarged in them. At a size that both leave to bicubic, the small ones survive too."""
    gallery.enrol("Large", [template(1)], space=space)
    gallery.enrol("Small", [template(2, size_px=16)], space=space)
    gallery.enrol("Kept small", [template(3, size_px=32)], space=space)
    dsr = replace(space, upscaler="d" * 64, bicubic_px=(32,))
    assert set(gallery.names_in(dsr)) == {"Large", "Kept small"}
    assert set(gallery.names_in(replace(dsr, bicubic_px=()))) == {"Large"}
    plan = plan_replacement(gallery, dsr)
    [source] = read_sources(gallery, plan.sources)
    assert (plan.photographs, source.size_px, source.space.upscaler) == (1, 16, "bicubic")
    remake(gallery, dsr)
    assert remove_replaced(gallery, dsr) == 1, "the small one of the earlier upscaler alone"
    assert set(gallery.names_in(dsr)) == {"Large", "Small", "Kept small"}
    stored = {t.size_px: t.space.upscaler for name in ("Large", "Small", "Kept small") for t in gallery.templates(name)}
    assert stored == {None: "", 16: "d" * 64, 32: "bicubic"}, "each template names who really enlarged it"


def test_the_other_flip_setting_of_the_same_weights_is_embedded_but_never_removed(gallery, space) -> None:
    gallery.enrol("Ada", [template(1)], space=space)
    without = replace(space, flip_tta=False)
    assert remake(gallery, without) == 1 and remove_replaced(gallery, without) == 0
    assert gallery.names_in(space) == gallery.names_in(without) == ["Ada"]


@pytest.mark.parametrize("hashed", [True, False])
def test_a_photograph_is_known_again_by_its_hash_or_its_picture(gallery, space, hashed: bool) -> None:
    pictures = [CROP + bytes([n]) for n in range(2)]
    photos = ["x", "y"] if hashed else ["", ""]
    gallery.enrol(
        "Ada",
        [template(n, crop=c, photo=p) for n, (c, p) in enumerate(zip(pictures, photos, strict=True))],
        space=space,
    )
    assert remake(gallery, NEW) == 2 and plan_replacement(gallery, NEW).photographs == 0
    assert remove_replaced(gallery, NEW) == 2


def test_who_is_removed_meanwhile_is_passed_over(gallery: Gallery, space: Space) -> None:
    gallery.enrol("Ada", [template(1)], space=space)
    gallery.enrol("Ben", [template(2)], space=space)
    sources = read_sources(gallery, plan_replacement(gallery, NEW).sources)
    gallery.remove("Ada")
    made = [(s, NewTemplate(unit(9), s.kind, s.probe_px, s.size_px, s.image_sha256, s.crop)) for s in sources]
    assert store_replacements(gallery, made, NEW) == 1
    assert gallery.names_in(NEW) == ["Ben"] and gallery.size == 1
    assert read_sources(gallery, [s.id for s in sources]) != sources


def test_small_templates_through_another_upscaler_are_counted_until_they_are_made_again(
    gallery: Gallery, space: Space
) -> None:
    """As after the default upscaler changed: a network made them, and bicubic is in use."""
    network = replace(space, upscaler="d" * 64)
    gallery.enrol("Ada", [template(1), template(2, size_px=16), template(3, size_px=24)], space=network)
    gallery.enrol("Ben", [template(4, size_px=16)], space=space)
    gallery.enrol("Other weights", [template(5, size_px=16)], space=replace(network, weights_sha256="b" * 64))
    gallery.enrol("Other flip", [template(6, size_px=16)], space=replace(network, flip_tta=not space.flip_tta))
    assert other_upscalers(gallery, space) == {"d" * 64: 2}
    assert other_upscalers(gallery, network) == {"bicubic": 1}, "the network in use again finds its own"
    specialist = replace(space, upscaler="5" * 64, any_upscaler=True)
    assert other_upscalers(gallery, specialist) == {"d" * 64: 2, "bicubic": 1}, "it finds them, and makes its own"
    assert set(gallery.names_in(space)) == {"Ada", "Ben"}, "Ada by the full-size template"
    remake(gallery, space)
    assert other_upscalers(gallery, space) == {}, "though the earlier ones are kept"
