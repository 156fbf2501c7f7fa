"""Plans for bulk enrolment, from a folder for each person or a CSV. No image is opened here."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.gallery.errors import ImportRejected, NameInvalid
from core.gallery.validation import clean_name, name_key
from core.system.image_files import is_picture, is_set_aside, pictures_under

MAX_CSV_BYTES = 64_000_000


@dataclass(frozen=True)
class Rejected:
    """A row or folder that isn't taken, and why. `where`: "line 3" of a CSV, or a folder's name."""

    where: str
    reason: str


@dataclass(frozen=True)
class BulkPlan:
    """Whom to enrol with which photographs, in the order found, and what was left out."""

    people: list[tuple[str, list[Path]]]
    rejected: list[Rejected]

    @property
    def photographs(self) -> int:
        """How many photographs the plan holds."""
        return sum(len(paths) for _, paths in self.people)


def plan_from_folder(folder: Path | str) -> BulkPlan:
    """One person for each sub-folder, called as the folder is, with the images in it and in folders of it. A sub-folder
    whose images all lie in several folders of its own is left out: these may be people themselves.

    Raises ImportRejected when there is no such folder or it holds no folder of images.
    """
    root = Path(folder).expanduser()
    try:
        entries = sorted(root.iterdir())
        subfolders = [entry for entry in entries if entry.is_dir() and not is_set_aside(entry.name)]
        loose = sum(is_picture(entry) for entry in entries)
    except (OSError, ValueError) as error:
        raise ImportRejected(
            f"{root} can't be read as a folder: {getattr(error, 'strerror', None) or error}.",
            "Name a folder that holds one folder for each person.",
        ) from error
    plan = _Plan()
    if loose:
        plan.rejected.append(Rejected(root.name, f"Images outside a person's folder: {loose}."))
    for subfolder in subfolders:
        try:
            images = list(pictures_under(subfolder, _stop))
        except OSError as error:
            plan.rejected.append(Rejected(subfolder.name, f"The folder can't be read: {error.strerror or error}."))
            continue
        inside = {path.relative_to(subfolder).parts[0] if path.parent != subfolder else "" for path in images}
        if len(inside) > 1 and "" not in inside:
            reason = f"Its images lie in {len(inside)} folders: if those are people, choose “{subfolder.name}” itself."
            plan.rejected.append(Rejected(subfolder.name, reason))
        elif not images:
            plan.rejected.append(Rejected(subfolder.name, "There is no image in this folder."))
        elif name := plan.name(subfolder.name, subfolder.name, alone=True):
            plan.people[name] = images
    return plan.finished(f"{root} holds no folder with images in it.", "Give each person a folder of photographs.")


def plan_from_csv(path: Path | str) -> BulkPlan:
    """People from a CSV with the columns `path` and `identity` (any order, any case; others are ignored).

    A path is absolute, or relative to the CSV's folder. Commas or semicolons separate; UTF-8, with or without a mark.
    Raises ImportRejected when the file or its columns can't be read, or no row can be used.
    """
    source = Path(path).expanduser()
    reader, delimiter_text = _open_csv(source)
    header = [name.strip().casefold() for name in next(reader, [])]
    columns = {name: position for position, name in enumerate(header)}
    missing = [name for name in ("path", "identity") if name not in columns]
    if missing:
        found = ", ".join(columns)[:200] or "none"
        raise ImportRejected(
            f"{source.name} has no column {' and no column '.join(missing)}; found: {found}.",
            f"The first line must hold path{delimiter_text}identity.",
        )
    twice = [name for name in ("path", "identity") if header.count(name) > 1]
    if twice:
        raise ImportRejected(f"{source.name} has more than one column {twice[0]}.", "Keep one of them.")
    plan = _Plan()
    owners: dict[Path, str] = {}
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                _take_row(plan, owners, source.parent, row, columns, f"line {reader.line_num}")
    except csv.Error as error:
        raise ImportRejected(
            f"{source.name}, line {reader.line_num}, isn't CSV: {error}.", "Save it as CSV (UTF-8) again."
        ) from error
    return plan.finished(f"No row of {source.name} can be used.", "Look at the reasons, mend the file, try again.")


def _take_row(
    plan: _Plan, owners: dict[Path, str], folder: Path, row: list[str], columns: dict[str, int], where: str
) -> None:
    cells = [row[columns[column]].strip() if columns[column] < len(row) else "" for column in ("path", "identity")]
    if not cells[0]:
        plan.rejected.append(Rejected(where, "There is no path."))
        return
    photograph = folder / cells[0]
    try:
        problem = "" if photograph.is_file() else f"There is no file {cells[0]}."
    except (OSError, ValueError):
        problem = "The path can't be read."
    if not problem and not is_picture(photograph):
        problem = f"{cells[0]} isn't an image, by its name."
    if problem:
        plan.rejected.append(Rejected(where, problem))
        return
    name = plan.name(cells[1], where)
    if name is None:
        return
    owner = owners.setdefault(photograph.resolve(), name)
    if owner != name:
        plan.rejected.append(Rejected(where, f"{cells[0]} is listed for “{owner}” already."))
    elif photograph in plan.people.setdefault(name, []):
        plan.rejected.append(Rejected(where, f"{cells[0]} is listed twice."))
    else:
        plan.people[name].append(photograph)


class _Plan:
    """A plan under way: people by name, and the spelling under which each name came first."""

    def __init__(self) -> None:
        self.people: dict[str, list[Path]] = {}
        self.rejected: list[Rejected] = []
        self._spellings: dict[str, str] = {}

    def name(self, given: str, where: str, *, alone: bool = False) -> str | None:
        """The cleaned name; None, with the reason kept, when it can't be used. `alone`: also when it came before."""
        try:
            name = clean_name(given)
        except NameInvalid as error:
            self.rejected.append(Rejected(where, error.what))
            return None
        again = name_key(name) in self._spellings
        first = self._spellings.setdefault(name_key(name), name)
        if first != name:
            self.rejected.append(
                Rejected(where, f"“{name}” differs from “{first}” only in case or spacing: use one spelling.")
            )
            return None
        if alone and again:
            reason = (
                f"Another folder gives the name “{name}” too; the two differ only in invisible ways (spaces at an end, "
                "composed or decomposed accents). If it is the same person, move the photographs into that folder; "
                "else rename this one."
            )
            self.rejected.append(Rejected(where, reason))
            return None
        return name

    def finished(self, nothing: str, next_step: str) -> BulkPlan:
        people = [(name, paths) for name, paths in self.people.items() if paths]
        if not people:
            raise ImportRejected(f"{nothing} {self.rejected[0].reason if self.rejected else ''}".strip(), next_step)
        return BulkPlan(people, self.rejected)


def _open_csv(source: Path) -> tuple[Any, str]:
    try:
        if source.stat().st_size > MAX_CSV_BYTES:
            raise ImportRejected(
                f"{source.name} is larger than {MAX_CSV_BYTES // 1_000_000} MB.", "Split it into several files."
            )
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRejected(f"{source.name} isn't UTF-8 text.", "Save it as CSV (UTF-8).") from error
    except (OSError, ValueError) as error:
        raise ImportRejected(
            f"{source} can't be read: {getattr(error, 'strerror', None) or error}.", "Check the path."
        ) from error
    if "\x00" in text:
        raise ImportRejected(f"{source.name} isn't a text file.", "Save it as CSV (UTF-8).")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), delimiter


def _stop(error: OSError) -> None:
    raise error
