"""Core alone: whoever runs these tests is the owner, also where a dashboard was imported before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.access.actor import resolve_with


@pytest.fixture(autouse=True)
def no_dashboard() -> Iterator[None]:
    earlier = resolve_with(None)
    yield
    resolve_with(earlier)
