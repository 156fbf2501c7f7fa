"""Read pairs files in the layout of Labeled Faces in the Wild, and find their photographs.

First line: the number of folds, a tab, the pairs of each kind in a fold (one number alone means one fold). Then for
every fold as many same pairs (`name i j`) and as many different ones (`nameA i nameB j`). Huang et al., UMass
technical report 07-49 (2007).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import CoreError, SettingsInvalid


class PairsInvalid(CoreError):
    """A pairs file can't be read, or photographs that it names are missing."""

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
    lines = _read_lines(path)
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


def folds_of(text: str | None) -> list[int] | None:
    """ "1-3,7" -> [1, 2, 3, 7]; None, which means all, for nothing or blanks. Raises SettingsInvalid."""
    if text is None or not text.strip():
        return None
    folds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,4})(?:\s*-\s*([0-9]{1,4}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise SettingsInvalid(f"'{text[:40]}' isn't a list of folds.", "Write 1-7, or 1,3,5.")
        folds.update(range(first, last + 1))
    return sorted(folds)


def photos_of(pairs: Collection[Pair]) -> list[Photo]:
    """Every photograph that the pairs name, once, sorted by person and number."""
    return sorted({photo for pair in pairs for photo in (pair.a, pair.b)})


def people_by_fold(pairs: Collection[Pair]) -> dict[int, set[str]]:
    """Return the people of each fold. In a valid file no person is in two folds."""
    people: dict[int, set[str]] = {}
    for pair in pairs:
        people.setdefault(pair.fold, set()).update((pair.a.name, pair.b.name))
    return people


def require_photos(photos: Collection[Photo], root: Path) -> None:
    """Raise PairsInvalid when photographs are missing: how many, and the first."""
    missing = [photo for photo in photos if not photo.path(root).is_file()]
    if missing:
        raise PairsInvalid(
            f"{len(missing)} of {len(photos)} photographs aren't there, first {missing[0].path(root)}.",
            "Point --images at the folder that holds a folder for each person.",
        )


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise PairsInvalid(f"There is no pairs file at {path}.", "Check the path.") from error
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise PairsInvalid(f"{path.name} can't be read as text.", "Choose a pairs file.") from error
    return text.rstrip().splitlines()


def _header(path: Path, lines: Sequence[str]) -> tuple[int, int]:
    """(folds, pairs of each kind in a fold), checked against the number of lines."""
    fields = lines[0].split() if lines else []
    if not 1 <= len(fields) <= 2 or not all(_is_count(field) for field in fields):
        raise PairsInvalid(
            f"{path.name}, line 1: expected the number of folds and of pairs, as in '10<TAB>300'.",
            "Choose a pairs file in the layout of LFW.",
        )
    count, each = (int(fields[0]), int(fields[1])) if len(fields) == 2 else (1, int(fields[0]))
    if len(lines) - 1 != count * each * 2:
        raise PairsInvalid(
            f"{path.name}, line 1 announces {count * each * 2} pairs, and {len(lines) - 1} follow.",
            "Check that the file is complete.",
        )
    return count, each


def _pair(path: Path, number: int, line: str, fold: int) -> Pair:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) == 3:
        pair = _photo(fields[0], fields[1]), _photo(fields[0], fields[2])
    elif len(fields) == 4:
        pair = _photo(fields[0], fields[1]), _photo(fields[2], fields[3])
    else:
        pair = None, None
    a, b = pair
    if a is None or b is None:
        raise PairsInvalid(
            f"{path.name}, line {number}: expected 'name i j' or 'nameA i nameB j', numbers from 1.", "Check that line."
        )
    if a == b or (len(fields) == 4 and a.name == b.name):
        which = "a photograph is paired with itself" if a == b else "a different pair names one person twice"
        raise PairsInvalid(f"{path.name}, line {number}: {which}.", "Check that line.")
    return Pair(fold, len(fields) == 3, a, b)


def _photo(name: str, number: str) -> Photo | None:
    """None for an invalid number, or a name that leads out of the photographs' folder."""
    name = name.strip()
    if not _is_count(number.strip()) or name in ("", ".", "..") or any(c in name for c in "/\\\0"):
        return None
    return Photo(name, int(number))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0
