"""Cache of readings of files and folders: an unchanged one costs one stat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Read = TypeVar("Read")

_Signature = tuple[int, int, int, int]

SETTLED_NS = 100_000_000
"""Changes this recent may share a tick of the file system's clock with later ones: nothing is cached then."""


class StatCache(Generic[Read]):
    """At most `most` readings by path, for all threads of the process. A file is unchanged while its device, inode,
    size and modification time are; for a folder that covers entries that are added, removed or renamed."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: dict[Path, tuple[_Signature, Read]] = {}

    def get(self, path: Path, read: Callable[[], Read]) -> Read:
        """The cached reading of `path`, or a new one by `read` where it changed. Raises what `read` raises, and OSError
        where nothing is at `path`."""
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
