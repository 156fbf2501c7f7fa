"""A gallery of 31 people, of whom one is to be erased."""

from __future__ import annotations

import pytest

from core.gallery import Gallery, NewTemplate
from core.settings import Settings, load_settings
from tests.unit.privacy.made_person import CROP, NAME, SPACE, person, unit


@pytest.fixture
def settings() -> Settings:
    return load_settings()


@pytest.fixture
def gallery(settings: Settings):
    with Gallery.open(settings.gallery_path) as opened:
        for number in range(30):
            opened.enrol(f"Person {number}", [NewTemplate(unit(500 + number), "hr", 112.0, crop=CROP)], space=SPACE)
        opened.enrol(NAME, person(1), space=SPACE, note=f"the note of {NAME}")
        yield opened
