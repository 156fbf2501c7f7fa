"""Tables as CSV that a spreadsheet shows instead of running: text that would be a formula is marked as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


def csv_text(rows: pd.DataFrame) -> str:
    """`rows` as CSV with a header and without the index; lines end in "\\n".

    A text cell, or a column's name, that starts as a formula does (= + - @, tab, line break) gets a leading
    apostrophe. Numbers stay numbers: -0.5 isn't touched.
    """
    safe = rows.rename(columns=safe_cell)
    safe = safe.map(safe_cell)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def safe_cell(value: Any) -> Any:
    """`value`, with a leading apostrophe when it is text that a spreadsheet would take for a formula.

    A carriage return becomes a line feed: on its own it would end the row, and start a cell, unquoted.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return "'" + text if text.lstrip(" ").startswith(_STARTS_FORMULA) else text
