"""What commands print: results on stdout, progress and warnings on stderr, a fault as one line and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import typer

from core.errors import CoreError
from core.settings import load_settings

EXIT_FAULT, EXIT_USER, EXIT_INTERRUPTED = 1, 2, 130


class UsageWrong(CoreError):
    """The command line itself can't be used: what is wrong with it, and what to type instead."""


def say(text: str) -> None:
    """One result, on stdout."""
    typer.echo(text)


def say_json(value: Any) -> None:
    """A result for a script: the only thing on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def warn(text: str) -> None:
    """One line on stderr about something that doesn't stop the command."""
    typer.echo(f"warning: {one_line(text)}", err=True)


def progress(text: str, *, end: bool = False) -> None:
    """How far a long command is: rewritten in place on a terminal, a line each elsewhere."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{one_line(text)}", err=True, nl=end)
    else:
        typer.echo(one_line(text), err=True)


def one_line(text: str) -> str:
    """`text` without line breaks, and without characters that a terminal would take for commands."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text).split())


def table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> str:
    """Columns as wide as their widest cell, two spaces between them; the last one isn't padded."""
    cells = [list(headings), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)


def stop(error: CoreError) -> NoReturn:
    """End the command because of something that the user can mend."""
    fail(str(error), EXIT_USER)


def fail(text: str, code: int) -> NoReturn:
    """`error: ` and one line on stderr, then the exit code."""
    typer.echo(f"error: {one_line(text)}", err=True)
    sys.exit(code)


def stop_unexpected(error: BaseException) -> NoReturn:
    """A fault of the program: the traceback goes to a file, one line that names it to stderr."""
    what = type(error).__name__
    try:
        path = _write_log(error)
    except (OSError, CoreError):
        fail(f"the program failed ({what}: {error}), and no log file could be written.", EXIT_FAULT)
    fail(f"the program failed ({what}). The details are in {path}: please report them.", EXIT_FAULT)


def _write_log(error: BaseException) -> Path:
    folder = load_settings().data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"error-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
    return path
