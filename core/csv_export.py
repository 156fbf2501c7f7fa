"""CSV for spreadsheet programs: UTF-8 that they recognise, and text that they don't run as formulas.

Every exported CSV is written here. A file begins with a byte order mark: without it, Excel takes the
bytes of "Zoë" for another encoding's. A data set's manifest.csv is no such file: its hash is the data set's key.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pandas as pd

BOM = "\ufeff"

_NOT_SEEN = " \0\x0b\x0c\u00a0\u200b\ufeff"
"""Characters that programs may ignore at the start of a cell."""
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


def csv_text(rows: pd.DataFrame) -> str:
    """`rows` as CSV with a header and without the index; lines end in "\\n".

    A text cell, or a column's name, that starts as a formula does (= + - @, tab, line break) gets a leading
    apostrophe. Numbers stay numbers: -0.5 isn't touched.
    """
    safe = rows.rename(columns=safe_cell)
    safe = safe.map(safe_cell)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def csv_bytes(rows: pd.DataFrame) -> bytes:
    """`csv_text` as a file holds it: UTF-8 with a byte order mark."""
    return (BOM + csv_text(rows)).encode("utf-8", "replace")


class CsvLines:
    """Writes such a CSV row by row, each flushed at once, so that finished rows stay whatever ends the program. `file`
    is a text file for newline="", its encoding UTF-8.

        lines = CsvLines(file, ("file", "identity"))
        lines.add({"file": "a.jpg", "identity": "Ada"})
    """

    def __init__(self, file: TextIO, columns: Sequence[str], *, mark: bool = True) -> None:
        """`mark`: begin with a byte order mark; a pipe to another program gets none."""
        self._file = file
        self._columns = tuple(columns)
        self._writer = csv.writer(file, lineterminator="\n")
        if mark:
            file.write(BOM)
        self._write(self._columns)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row; columns that it lacks stay empty, others are left out."""
        self._write([row.get(column) for column in self._columns])

    def _write(self, cells: Sequence[Any]) -> None:
        self._writer.writerow([safe_cell(cell) for cell in cells])
        self._file.flush()


def safe_cell(value: Any) -> Any:
    """`value`, with a leading apostrophe when it is text that a spreadsheet would take for a formula.

    A carriage return becomes a line feed: on its own it would end the row, and start a cell, unquoted.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return "'" + text if text.lstrip(_NOT_SEEN).startswith(_STARTS_FORMULA) else text
