"""Private files: permissions for new files of a process, and the repair of existing ones.

Every entry point calls `keep_private` first, and no code sets wider permissions than the umask gives.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Repaired:
    """The number of files and folders that were made private, and those that couldn't be."""

    count: int
    refused: tuple[Path, ...]


def keep_private(folder: Path) -> None:
    """Make what this process and its children write readable by its owner only (0600, folders 0700), and `folder`, the
    data folder, inaccessible to others, whatever the permissions of older files in it."""
    os.umask(0o077)
    with suppress(OSError):  # no folder yet, or another account's: `doctor` reports it
        if folder.is_dir():
            _close(folder)


def open_to_others(places: Iterable[Path]) -> list[Path]:
    """The files and folders at and below `places` that the group or others have any permission on.

    Symbolic links aren't followed. A file with a hard link outside isn't listed: its permissions are also those of the
    photograph that it was linked from, and a private folder is above it.
    """
    links: dict[tuple[int, int], int] = {}
    wide: dict[Path, tuple[int, int] | None] = {}
    for path, status in _everything(places):
        shared = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
        inode = (status.st_dev, status.st_ino) if shared else None
        if inode is not None:
            links[inode] = links.get(inode, status.st_nlink) - 1
        if stat.S_IMODE(status.st_mode) & _OTHERS:
            wide[path] = inode
    return [path for path, inode in wide.items() if inode is None or links[inode] == 0]


def make_private(places: Iterable[Path]) -> Repaired:
    """Take every permission of the group and of others from what `open_to_others` lists; the owner's stay."""
    count, refused = 0, []
    for path in open_to_others(places):
        try:
            _close(path)
            count += 1
        except FileNotFoundError:
            continue
        except OSError:
            refused.append(path)
    return Repaired(count, tuple(refused))


def _close(path: Path) -> None:
    mode = stat.S_IMODE(path.lstat().st_mode)
    if mode & _OTHERS:
        path.chmod(mode & ~_OTHERS)


def _everything(places: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Each file and folder once, without symbolic links and what vanishes meanwhile."""
    waiting, seen = list(places), set()
    while waiting:
        path = waiting.pop()
        try:
            status = path.lstat()
            if path in seen or stat.S_ISLNK(status.st_mode):
                continue
            seen.add(path)
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                waiting += path.iterdir()
        except OSError:
            continue
