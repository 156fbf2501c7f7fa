from __future__ import annotations

import pytest

from tests.unit.training.landmarks.drawn_people import draw_people


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """Six drawn people with two photographs each."""
    return draw_people(tmp_path_factory.mktemp("photographs") / "people")
