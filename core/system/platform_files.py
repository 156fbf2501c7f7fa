"""File operations that differ between operating systems: locks, folders as files, reading at an offset."""

from __future__ import annotations

import os
import threading
from pathlib import Path

POLL_S = 0.01
_SEEKING = threading.Lock()


def lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file against other processes and handles until it is closed; False when it is locked already and
    `wait` is off. The system releases it however the process ends. Raises OSError where a file system has no locks.
    """
    from filelock import lock_descriptor

    return lock_descriptor(handle, blocking=wait, poll_interval=POLL_S)


def open_folder(folder: Path) -> int:
    """A handle whose lock stands for the folder: the folder itself, or on Windows a hidden file next to it. Raises
    OSError, NotADirectoryError."""
    if hasattr(os, "O_DIRECTORY"):
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    if not folder.is_dir():
        raise (NotADirectoryError if folder.exists() else FileNotFoundError)(f"{folder} is no folder")
    return os.open(folder.with_name(f".{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the system supports it. Raises OSError."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_at(handle: int, size: int, start: int) -> bytes:
    """At most `size` bytes of an open file from `start` on. Raises OSError."""
    if hasattr(os, "pread"):
        return os.pread(handle, size, start)
    with _SEEKING:
        os.lseek(handle, start, os.SEEK_SET)
        return os.read(handle, size)
