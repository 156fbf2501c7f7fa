"""What a gallery's people are enrolled by is read from its templates, and follows every change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.gallery.records import NewTemplate
from core.gallery.template_mix import TemplateMix, describe_templates, format_template_sizes, parse_template_sizes

pytestmark = pytest.mark.both_databases


def template(seed: int, size_px: int | None = None) -> NewTemplate:
    vector = np.random.default_rng(seed).normal(size=512)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return NewTemplate(unit, "sr" if size_px else "hr", float(size_px or 112), size_px)


def test_the_mix_follows_the_templates(gallery, space):
    assert gallery.index(space).mix is None
    gallery.enrol("Ada", [template(1), template(2), template(3)], space=space)
    assert gallery.index(space).mix == TemplateMix("HR", 3)
    gallery.enrol("Bo", [template(4)], space=space)
    assert gallery.index(space).mix == TemplateMix("HR", 2)
    gallery.add_templates("Bo", [template(5, 16), template(6, 32)], space=space)
    assert gallery.index(space).mix == TemplateMix("HR,32,16", 2), "those of one photograph count once"
    gallery.remove("Bo")
    assert gallery.index(space).mix == TemplateMix("HR", 3)
    assert gallery.index(replace(space, weights_sha256="f" * 64)).mix is None


def test_sizes_are_written_and_read_in_one_order():
    assert format_template_sizes([16, 0, 32]) == "HR,32,16"
    assert parse_template_sizes(" 16, hr,32 ") == (0, 32, 16)
    assert format_template_sizes(parse_template_sizes("24,HR,24")) == "HR,24"


@pytest.mark.parametrize("text", ["", "HR,20", "HR;16", "VLR"])
def test_sizes_that_no_template_has_are_refused(text):
    with pytest.raises(SettingsInvalid, match="There are no templates"):
        parse_template_sizes(text)


def test_in_words():
    assert describe_templates("HR") == "full-size templates"
    assert describe_templates("HR,32,24,16") == "full-size templates and matched ones at 32, 24 and 16 px"
    assert describe_templates("24,16") == "templates at 24 and 16 px alone"
    assert str(TemplateMix("HR", 1)) == "full-size templates from 1 photograph a person"
