"""The photographs of a landmark training: which are there, whose they are, and who trains, validates or is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.dataset.degrade import seed_for
from core.errors import SettingsInvalid, StorageFailed
from core.evaluation.pairs import people_by_fold, read_pairs
from core.system.image_files import endings_text, pictures_under
from core.training.errors import UnfitData
from core.training.landmarks.config import LandmarksConfig

VAL_SHARE = 0.05
"""Share of people who validate where no folds do."""

_NUMBER = re.compile(r"_\d{4}$")
"""What ends the names of Labeled Faces in the Wild's files, after the person's."""


@dataclass(frozen=True, order=True)
class Photograph:
    """A picture and its person: the folder that it is in, or itself where pictures lie directly in a named folder."""

    path: Path
    person: str

    @property
    def names(self) -> set[str]:
        """What a pairs file may call the person."""
        own = Path(self.person)
        return {own.name, _NUMBER.sub("", own.name)} if own == self.path.with_suffix("") else {own.name}


@dataclass(frozen=True)
class Division:
    """Photographs that are trained on, and those that validate; no person is in both. `left_out`: the number of
    photographs of people in other folds."""

    train: tuple[Photograph, ...]
    val: tuple[Photograph, ...]
    left_out: int = 0


def divide(config: LandmarksConfig) -> Division:
    """List the photographs and divide their people. Raises UnfitData, SettingsInvalid, StorageFailed, PairsInvalid."""
    listed = list_photographs(config.photographs)
    held, validates = _by_folds(config)
    train: list[Photograph] = []
    val: list[Photograph] = []
    others = 0
    for photograph in listed:
        if photograph.names & validates:
            val.append(photograph)
        elif photograph.names & held:
            others += 1
        else:
            train.append(photograph)
    if config.pairs is not None and not val and (config.val_folds or not others):
        raise UnfitData(
            f"None of {config.pairs.name}'s people who should {'validate' if config.val_folds else 'be left out'} is "
            "in the photographs.",
            "Name the folder that holds a folder for each person of the pairs file.",
        )
    if not config.val_folds:
        train, val = _drawn(train, config.seed)
    return Division(tuple(train), tuple(_some(val, 2 * config.val_faces)), others)


def list_photographs(folders: Sequence[Path]) -> list[Photograph]:
    """The pictures in `folders`, at any depth, each once. Raises UnfitData where there are none, StorageFailed."""
    found: dict[Path, Photograph] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UnfitData(f"There is no folder {folder}.", "Name a folder of photographs.")
        before = len(found)
        for path in pictures_under(folder, _raise):
            person = path.with_suffix("") if path.parent == folder else path.parent
            found.setdefault(path.resolve(), Photograph(path, str(person)))
        if len(found) == before:
            raise UnfitData(
                f"{folder} holds no picture that isn't in another named folder.", f"Pictures end in {endings_text()}."
            )
    return list(found.values())


def _by_folds(config: LandmarksConfig) -> tuple[set[str], set[str]]:
    """The people of the pairs file who aren't trained on, and those of them who validate."""
    if config.pairs is None:
        return set(), set()
    people = people_by_fold(read_pairs(config.pairs))
    if unknown := sorted(set(config.folds + config.val_folds) - set(people)):
        raise SettingsInvalid(f"{config.pairs.name} has no fold {unknown[0]}.", f"It has folds 1 to {max(people)}.")
    trained = set[str]().union(*(people[fold] for fold in config.folds))
    held = set[str]().union(*people.values()) - trained
    return held, set[str]().union(*(people[fold] for fold in config.val_folds)) - trained


def _drawn(photographs: Sequence[Photograph], seed: int) -> tuple[list[Photograph], list[Photograph]]:
    """Draw the people who validate; the rest trains."""
    people = sorted({photograph.person for photograph in photographs})
    if len(people) < 2:
        raise UnfitData(
            "There is only one person to train on, and nobody to validate on.",
            "Name folders with more people: each folder of pictures counts as one.",
        )
    random = np.random.default_rng(seed_for(seed, "people who validate"))
    count = max(1, round(VAL_SHARE * len(people)))
    chosen = {people[place] for place in random.permutation(len(people))[:count]}
    train: list[Photograph] = []
    val: list[Photograph] = []
    for photograph in photographs:
        (val if photograph.person in chosen else train).append(photograph)
    return train, val


def _some(photographs: Sequence[Photograph], most: int) -> Iterator[Photograph]:
    """At most `most`, evenly spread."""
    step = max(1.0, len(photographs) / most)
    yield from (photographs[int(place * step)] for place in range(min(most, len(photographs))))


def _raise(error: OSError) -> None:
    raise StorageFailed(f"{error.filename} can't be read: {error.strerror}.", "Check its permissions.") from error
