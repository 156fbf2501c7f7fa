"""Logging of the library and the dashboard: one configuration, and redaction of everything about a person.

A message's template is a constant in the code; what may vary is its arguments, and `Redaction` decides by their type
which of them are written: numbers, truth values, times, classes and `Public` texts are; any other text, paths, arrays
and objects are replaced by the kind of thing that they are. An exception is written as its class and the places in the
code, without its message. `logger` attaches the redaction to the logger itself, so it holds for every handler.

    _log = logger(__name__)
    _log.info("data set opened: %d images", len(images))
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import Enum
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from core.errors import SettingsInvalid

LEVEL_VARIABLE = "EDGEFACE_LOG_LEVEL"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

FILE_BYTES, FILES_KEPT = 1_000_000, 4
"""Size at which the dashboard's log file is rotated, and how many earlier files are kept."""

_ROOTS = ("core", "dashboard")
_OURS = "edgeface-studio "  # how the names of the handlers begin that this module attached


class Public(str):
    """A text that may be logged: an id or a word that the code chose, never one that a user entered."""

    __slots__ = ()


class Redaction(logging.Filter):
    """Replaces the arguments of a record that aren't of a public kind, and an exception's message."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, Mapping):
            record.args = {name: _public(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(_public, record.args))
        if not isinstance(record.msg, str):
            record.msg = _public(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redacted_traceback(record.exc_info[1])
        record.exc_info = record.stack_info = None
        return True


_REDACTION = Redaction()


def logger(name: str) -> logging.Logger:
    """The logger of a module, with the redaction attached; `name` is the module's name, below `core` or `dashboard`."""
    found = logging.getLogger(name)
    found.addFilter(_REDACTION)  # adding it twice has no effect
    return found


def redacted_traceback(error: BaseException) -> str:
    """The classes of an exception and its causes, and the places in the code that they passed: no message, no source
    line, and of each path the last three parts."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        lines += [f"{type(cause).__module__}.{type(cause).__qualname__}"]
        for frame in traceback.extract_tb(cause.__traceback__):
            place = "/".join(Path(frame.filename).parts[-3:])
            lines += [f'  File "{place}", line {frame.lineno}, in {frame.name}']
        cause = cause.__cause__ or cause.__context__
        lines += ["caused by"] if cause is not None else []
    return "\n".join(lines)


def level_of(text: str) -> int:
    """The level that "debug", "info", "warning" or "error" names, in any case. Raises SettingsInvalid."""
    try:
        return LEVELS[text.strip().lower()]
    except KeyError:
        raise SettingsInvalid(f"'{text[:40]}' is no log level.", f"Use {', '.join(LEVELS)}.") from None


def log_to_stderr(default: str) -> None:
    """Write log lines to standard error, from the level in EDGEFACE_LOG_LEVEL on, else from `default` on.

    Raises SettingsInvalid for an unknown level.
    """
    _attach(_StandardError(), "standard error", level_of(os.environ.get(LEVEL_VARIABLE) or default))


def log_run_to_stderr() -> None:
    """Write a run's log lines to standard error, which is its output.log; see `_tolerant_level` for the level."""
    level, warn = _tolerant_level()
    _attach(_StandardError(), "standard error", level)
    warn()


def log_to_file(path: Path) -> None:
    """Write log lines to a private file (0600) too, rotated by size, and to standard error; see `_tolerant_level` for
    the level."""
    level, warn = _tolerant_level()
    _attach(_StandardError(), "standard error", level)
    _attach(_PrivateFile(path), "file", level)
    warn()


def _tolerant_level() -> tuple[int, Callable[[], None]]:
    """The level in EDGEFACE_LOG_LEVEL, else "info", and a function that reports an unknown one, taken as "info"."""
    try:
        return level_of(os.environ.get(LEVEL_VARIABLE) or "info"), lambda: None
    except SettingsInvalid:
        report = logger(__name__).warning
        return logging.INFO, lambda: report("%s names no log level; using info", Public(LEVEL_VARIABLE))


def _attach(handler: logging.Handler, name: str, level: int) -> None:
    """Put a handler in the place of the one that this module attached under that name before."""
    handler.set_name(f"{_OURS}{name}")
    handler.setLevel(level)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_REDACTION)  # for a record of a logger that `logger` didn't make
    for root in map(logging.getLogger, _ROOTS):
        for earlier in [each for each in root.handlers if each.get_name() == handler.get_name()]:
            root.removeHandler(earlier)
            earlier.close()
        root.addHandler(handler)
        root.setLevel(min(each.level for each in root.handlers))


class _Formatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds")


class _StandardError(logging.Handler):
    """Writes to what `sys.stderr` is at that moment; a closed one is ignored."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{self.format(record)}\n")


class _PrivateFile(RotatingFileHandler):
    """A rotating file that only its owner can read. A disk that refuses a line doesn't disturb the program."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        return None


def _public(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | Public | date):
        return value
    if isinstance(value, BaseException):
        value = type(value)
    if isinstance(value, type):
        return Public(value.__qualname__)
    if isinstance(value, Enum):
        return Public(value.name)
    kind = "text" if isinstance(value, str | bytes) else "path" if isinstance(value, Path) else type(value).__name__
    return Public(f"<{kind}>")
