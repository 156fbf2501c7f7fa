"""Printing of results, JSON, tables, notes and progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from core.system.text import columns_of, printable


def plain(text: object) -> str:
    """`text` on one line without control characters, so that a file's name can't control the terminal."""
    return printable(" ".join(str(text).split())).encode("utf-8", "replace").decode("utf-8")


def say(text: str = "") -> None:
    """Print a line of the result to standard output."""
    typer.echo("  " * ((len(text) - len(text.lstrip(" "))) // 2) + plain(text))


def note(text: str) -> None:
    """Print a remark to standard error."""
    typer.echo(f"note: {plain(text)}", err=True)


def say_json(value: Any) -> None:
    """Print `value` as JSON to standard output, in ASCII, which every terminal's encoding can show."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, default=str))


def say_result(facts: Any, text: str, as_json: bool) -> None:
    """Print `facts` as JSON, or else `text`."""
    say_json(facts) if as_json else say(text)


def say_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: columns as wide as their widest cell, left-aligned, separated by two spaces."""
    cells = [[plain("" if cell is None else cell) for cell in row] for row in (header, *rows)]
    widths = [max(columns_of(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = [cell + " " * (width - columns_of(cell)) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(padded).rstrip())


def say_audit(entries: Sequence[Any], header: Sequence[str], subject: str, as_json: bool) -> None:
    """Print entries of an audit trail as a table, its last column their field `subject`, or as JSON."""
    if as_json:
        say_json([{**vars(entry), "at": entry.at.isoformat()} for entry in entries])
        return
    rows = [(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor, entry.event, getattr(entry, subject)) for entry in entries]
    say_table(header, rows)


def progress(text: str) -> None:
    """Replace the last line of standard error if it is a terminal; "" clears the line."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{plain(text)}", err=True, nl=False)


@contextmanager
def progress_line(text: str = "") -> Iterator[None]:
    """Show `text` as progress if it isn't empty, and clear the progress at the end, also after an error."""
    if text:
        progress(text)
    try:
        yield
    finally:
        progress("")
