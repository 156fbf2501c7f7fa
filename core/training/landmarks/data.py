"""The data of a landmark training: sources that train, sources of other people that validate, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.jobs.context import Hooks
from core.settings import Settings
from core.system.text import count
from core.training.errors import UnfitData
from core.training.landmarks.batches import Material
from core.training.landmarks.config import LandmarksConfig
from core.training.landmarks.negatives import load_textures
from core.training.landmarks.photographs import Division, divide
from core.training.landmarks.prepared import Counts, SourceSet, prepare
from core.training.landmarks.recognisability import Known, known_people
from core.training.reporter import Reporter

LEAST_FACES = 10
"""Faces without which nothing is trained."""


@dataclass(frozen=True)
class Data:
    """What a run trains and validates on. `key` names the prepared sources; `people` are those who train."""

    material: Material
    val: list[SourceSet]
    counts: Counts
    people: int
    left_out: int
    key: str
    by_set: Sequence[Sequence[Known]] = ()
    """The sources of people with two photographs or more, for the second stage."""

    @property
    def train_faces(self) -> int:
        return sum(map(len, self.material.sets))

    @property
    def val_faces(self) -> int:
        return sum(map(len, self.val))


def load_data(config: LandmarksConfig, settings: Settings, hooks: Hooks, reporter: Reporter) -> Data:
    """Find, divide and prepare the photographs. Raises UnfitData, JobStopped and what `divide` and `prepare` raise."""
    division = divide(config)
    listed = (*division.train, *division.val)  # positions say who trains and who validates
    prepared = prepare(listed, settings, hooks=hooks)
    first_val = len(division.train)
    train, val = prepared.sets(range(first_val)), prepared.sets(range(first_val, len(listed)))
    counts = prepared.counts
    if counts.unreadable:
        text = f"{count(counts.unreadable, 'picture')} couldn't be read and {_were(counts.unreadable)} left out."
        reporter.event("warning", text=text)
    _require_faces(division, counts, sum(map(len, train)), sum(map(len, val)))
    people = len({photograph.person for photograph in division.train})
    material, key = Material(train, load_textures()), prepared.folder.name
    by_set = known_people(material, [each.person for each in division.train]) if config.edgeface else []
    return Data(material, val, counts, people, division.left_out, key, by_set)


def _require_faces(division: Division, counts: Counts, train: int, val: int) -> None:
    listed = len(division.train) + len(division.val)
    if train >= LEAST_FACES and val:
        return
    what = f"{train:,} pictures to train on and {val:,} to validate on show a face that can be used"
    raise UnfitData(
        f"Of {count(listed, 'picture')} only {what}; {counts.unreadable:,} couldn't be read. At least {LEAST_FACES} "
        "and 1 are needed.",
        "Name folders of photographs with one main face of at least 48 px, or of aligned crops of 112 px.",
    )


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
