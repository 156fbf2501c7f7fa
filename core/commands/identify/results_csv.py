"""Recognition results as CSV, written row by row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands.shared.common import user_path
from core.commands.shared.printing import note
from core.errors import StorageFailed

if TYPE_CHECKING:
    from core.csv_export import CsvLines

_CSV_COLUMNS = (
    "file",
    "face",
    "outcome",
    "identity",
    "possible",
    "nearest",
    "score",
    "threshold",
    "calibrated",
    "margin",
    "probe_px",
    "recognisability",
    "taken",
    "size_px",
    "upscaler",
    "reason",
    "warning",
)


WriteRow = Callable[[dict[str, Any]], None]


@contextmanager
def csv_writer(target: str | None) -> Iterator[WriteRow]:
    """A function that writes a row of results to the CSV asked for: a file, standard output ("-"), or nowhere (None).

    Rows are written one by one, so an interrupted command leaves the finished ones. Raises StorageFailed.
    """
    if target is None:
        yield lambda row: None
        return
    from core.csv_export import CsvLines

    if target == "-":
        yield _cells_of(CsvLines(sys.stdout, _CSV_COLUMNS, mark=False))
        return
    path, rows = user_path(target), 0
    try:
        file = path.open("w", encoding="utf-8", errors="replace", newline="")
        write = _cells_of(CsvLines(file, _CSV_COLUMNS))
    except OSError as error:
        raise _not_written(path, error) from error

    def write_and_count(row: dict[str, Any]) -> None:
        nonlocal rows
        try:
            write(row)
        except OSError as error:
            raise _not_written(path, error) from error
        rows += 1

    with file:
        try:
            yield write_and_count
        except KeyboardInterrupt:
            note(f"Stopped; {path} has {rows} {'row' if rows == 1 else 'rows'} of what was done.")
            raise


def _not_written(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        f"{path} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
    )


def _cells_of(lines: CsvLines) -> WriteRow:
    from core.recognition.results import POSSIBLE

    def write(row: dict[str, Any]) -> None:
        measured = (row["quality"] or {}).get("recognisability")
        lines.add({**row, "possible": POSSIBLE.join(row["possible"]), "recognisability": measured})

    return write
