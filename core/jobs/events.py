"""The events of a run: JSON lines that one process appends, and readers that follow them by offset."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import StorageFailed
from core.jobs.json_values import to_json
from core.system.platform_files import read_at

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
"""Windows would write two characters for the end of a line."""


@dataclass(frozen=True)
class Event:
    """An event of a run: its time, its `kind` ("progress", "done", ...) and its `data`."""

    at: datetime
    kind: str
    data: dict[str, Any]


class EventLog:
    """Writes the events of a run. Every event is one line, flushed to the system at once: a killed process loses none.

    Safe to call from several threads; not from several processes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._handle: int | None = None

    def append(self, kind: str, /, **data: Any) -> None:
        """Append one event. NaN becomes null. Raises StorageFailed, and TypeError for data that JSON can't hold."""
        record = {"at": datetime.now(UTC), "kind": kind, "data": data}
        line = to_json(record) + b"\n"
        with self._lock:
            try:
                if self._handle is None:
                    self._handle = os.open(self.path, _FLAGS, 0o600)
                    _close_torn_line(self._handle)
                _write(self._handle, line)
            except OSError as error:
                self._drop()  # the next one looks at the file's end again
                raise StorageFailed(
                    f"{self.path} couldn't be written: {error.strerror or error}.", "Free space, then resume the run."
                ) from error

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def read_events(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events from byte `offset` on, and the offset for the next call.

    An incomplete last line is left for the next call; a line that was cut by a kill is skipped. A missing file has no
    events. An offset beyond the end means that the file was replaced: it is read from its start.
    """
    content, offset = _from(path, offset)
    whole = content[: content.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if (event := _parse(line)) is not None]
    return events, offset + len(whole)


def tail_text(path: Path, offset: int = 0, *, most_bytes: int | None = None) -> tuple[str, int]:
    """The text of a log from byte `offset` on, and the offset for the next call.

    An incomplete character is left for the next call; invalid UTF-8 becomes U+FFFD. Of more than `most_bytes` only the
    last ones are returned, from the start of a line.
    """
    content, offset = _from(path, offset)
    end = offset + len(content)
    if most_bytes is not None and len(content) > most_bytes:
        content = content[-most_bytes:] if most_bytes else b""
        content = content[content.find(b"\n") + 1 :]
    cut = _unfinished(content)
    return content[: len(content) - cut].decode("utf-8", "replace"), end - cut


def _write(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


def _close_torn_line(handle: int) -> None:
    """End a line that a kill or a full disk cut, so that the next event gets a line of its own."""
    size = os.fstat(handle).st_size
    if size and read_at(handle, 1, size - 1) != b"\n":
        _write(handle, b"\n")


def _from(path: Path, offset: int) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            offset = offset if 0 <= offset <= size else 0
            file.seek(offset)
            return file.read(), offset
    except (FileNotFoundError, NotADirectoryError):
        return b"", 0
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error


def _parse(line: bytes) -> Event | None:
    try:
        record = json.loads(line)
        at, kind, data = datetime.fromisoformat(record["at"]), record["kind"], record["data"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Event(at, kind, data) if isinstance(kind, str) and isinstance(data, dict) else None


def _unfinished(content: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character without ending it, 0 to 3."""
    for back in range(1, min(3, len(content)) + 1):
        byte = content[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if byte < 0xF8 and length > back else 0
        if byte < 0x80:
            return 0
    return 0
