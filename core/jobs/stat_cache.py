"""What was read of a file or folder, kept for as long as it is the same: a look then costs one stat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Read = TypeVar("Read")

_Signature = tuple[int, int, int, int]

SETTLED_NS = 100_000_000
"""A change this recent isn't told from another in the same tick of the file system's clock: nothing is kept then."""


class Kept(Generic[Read]):
    """Readings by path, at most `most` of them, for every thread of the process. A file is the same while device,
    inode, size and time of change are; for a folder that covers what enters it, leaves it or changes its name."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: dict[Path, tuple[_Signature, Read]] = {}

    def get(self, path: Path, read: Callable[[], Read]) -> Read:
        """The reading of `path` by `read`, a new one where it changed. Whatever `read` raises is raised, and OSError
        where there is nothing at `path`."""
        status = path.stat()
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        kept = self._found.get(path)
        if kept is not None and kept[0] == signature:
            return kept[1]
        found = read()  # not older than the signature: at worst it is read again
        settled = time.time_ns() - status.st_mtime_ns > SETTLED_NS
        with self._lock:
            self._found.pop(path, None)
            if settled:
                self._found[path] = (signature, found)
            if len(self._found) > self._most:
                self._found.pop(next(iter(self._found)))
        return found
