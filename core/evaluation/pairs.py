"""Read pairs files in the layout of Labeled Faces in the Wild, and find their photographs.

First line: the number of folds, a tab, the pairs of each kind in a fold. Then for every fold as many same pairs
(`name i j`) and as many different ones (`nameA i nameB j`). Huang et al., UMass technical report 07-49 (2007).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from core.errors import CoreError


class PairsInvalid(CoreError):
    """A pairs file that can't be read, or photographs that it names and that aren't there."""

    help_topic = "evaluation"


@dataclass(frozen=True, order=True)
class Photo:
    """One photograph of a person, numbered from 1."""

    name: str
    number: int

    def path(self, root: Path) -> Path:
        return root / self.name / f"{self.name}_{self.number:04d}.jpg"


@dataclass(frozen=True)
class Pair:
    """Two photographs, in which fold (from 1), and whether they show the same person."""

    fold: int
    same: bool
    a: Photo
    b: Photo


def read_pairs(path: Path, folds: Collection[int] | None = None) -> list[Pair]:
    """The pairs of a file in its order, of the folds named (from 1) or of all.

    Raises PairsInvalid with the line's number when the file isn't in the layout, or when a fold isn't there.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise PairsInvalid(f"There is no pairs file at {path}.", "Check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PairsInvalid(f"{path.name} can't be read as text.", "Choose a pairs file.") from error
    count, each = _header(path, lines)
    wanted = set(range(1, count + 1)) if folds is None else set(folds)
    if outside := sorted(wanted - set(range(1, count + 1))):
        raise PairsInvalid(f"{path.name} has folds 1 to {count}, not {outside[0]}.", "Choose folds that it has.")
    pairs = []
    for index in range(count * each * 2):
        fold, position = index // (2 * each) + 1, index % (2 * each)
        pair = _pair(path, index + 2, lines[index + 1], fold)
        if pair.same != (position < each):
            raise PairsInvalid(
                f"{path.name}, line {index + 2}: a fold has {each} same pairs, then {each} different ones.",
                "Check that the file is complete.",
            )
        if fold in wanted:
            pairs.append(pair)
    return pairs


def photos_of(pairs: Collection[Pair]) -> list[Photo]:
    """Every photograph that the pairs name, once, sorted."""
    return sorted({photo for pair in pairs for photo in (pair.a, pair.b)})


def require_photos(photos: Collection[Photo], root: Path) -> None:
    """Raise PairsInvalid when photographs are missing: how many, and the first."""
    missing = [photo for photo in photos if not photo.path(root).is_file()]
    if missing:
        raise PairsInvalid(
            f"{len(missing)} of {len(photos)} photographs aren't there, first {missing[0].path(root)}.",
            "Point --images at the folder that holds a folder for each person.",
        )


def _header(path: Path, lines: list[str]) -> tuple[int, int]:
    fields = lines[0].split() if lines else []
    if len(fields) != 2 or not all(field.isdigit() and int(field) > 0 for field in fields):
        raise PairsInvalid(
            f"{path.name}, line 1: expected the number of folds and of pairs, as in '10<TAB>300'.",
            "Choose a pairs file in the layout of LFW.",
        )
    count, each = int(fields[0]), int(fields[1])
    if len(lines) - 1 < count * each * 2:
        raise PairsInvalid(
            f"{path.name} announces {count * each * 2} pairs and has {len(lines) - 1}.", "Check that it is complete."
        )
    return count, each


def _pair(path: Path, number: int, line: str, fold: int) -> Pair:
    fields = line.split("\t") if "\t" in line else line.split()
    try:
        if len(fields) == 3:
            name, i, j = fields
            return Pair(fold, True, Photo(name, int(i)), Photo(name, int(j)))
        name_a, i, name_b, j = fields
        return Pair(fold, False, Photo(name_a, int(i)), Photo(name_b, int(j)))
    except ValueError as error:
        raise PairsInvalid(
            f"{path.name}, line {number}: expected 'name i j' or 'nameA i nameB j'.", "Check that line."
        ) from error
