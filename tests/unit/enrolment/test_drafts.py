"""Drafts of an enrolment: the order of their photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.enrolment.drafts import best_first
from core.faces.quality import Quality
from core.recognition.results import DraftPhoto, EnrolmentDraft, Probe

SIDE = np.zeros((112, 112, 3), np.uint8)
PROBE = Probe(SIDE, SIDE, SIDE, 112.0, None, Quality(112.0, 1.0, 120.0, 40.0), (), None, (112, 112))
VECTOR = np.eye(512, dtype=np.float32)[0]


def photo(name: str, measured: float | None, *, usable: bool = True) -> DraftPhoto:
    probe = replace(PROBE, quality=replace(PROBE.quality, recognisability=measured))
    return DraftPhoto(name, probe=probe, vector=VECTOR if usable else None)


def names(*photos: DraftPhoto) -> list[str]:
    return [each.name for each in best_first(EnrolmentDraft(photos)).photos]


def test_the_best_photographs_come_first_and_unusable_ones_last() -> None:
    photos = (photo("c", 0.2), DraftPhoto("no face"), photo("a", 0.9), photo("e", 0.95, usable=False), photo("b", 0.6))
    assert names(*photos) == ["a", "b", "c", "e", "no face"]


def test_photographs_that_were_not_measured_keep_their_order() -> None:
    assert names(photo("b", None), photo("a", None), photo("c", 0.1)) == ["c", "b", "a"]
