"""Reads of files that may lie in tar shards: `faces-000.tar/007/a.jpg` is the member `007/a.jpg` of `faces-000.tar`.

A shard is never extracted. Its headers are read once into an index, and a member is read at its offset; names of
members only look up that index, so a hostile name leads nowhere.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tarfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from core.errors import CoreError

SUFFIX = ".tar"
MOST_INDICES = 32
"""Indices kept in memory: about 200 bytes a member."""

_INTO = re.compile(r"\.tar(?=[/\\])" if os.sep == "\\" else r"\.tar(?=/)", re.IGNORECASE)
_BLOCK = tarfile.BLOCKSIZE
_COPY_AGAIN = "Copy or download it again."
_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "Zstandard"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"))
_DAMAGE = (tarfile.TarError, ValueError, ArithmeticError, LookupError, EOFError, RecursionError)
_indexing = threading.Lock()


class ShardInvalid(CoreError):
    """A shard that isn't a tar archive, is cut off, or holds a member that isn't read."""

    help_topic = "datasets"


def member_of(path: str | Path) -> tuple[str, str] | None:
    """(shard, member) of a path that leads into a shard; None for any other, a folder named x.tar included."""
    place = _place(path)
    return None if place is None else (place.shard, place.member)


def read_bytes(path: str | Path, most: int | None = None) -> bytes:
    """The bytes of a file, or of a shard's member; with `most` no more than that number. A pipe isn't waited for.

    Raises OSError, FileNotFoundError for a missing member too, and ShardInvalid.
    """
    place = _place(path)
    handle = os.open(path if place is None else place.shard, os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_BINARY"))
    with os.fdopen(handle, "rb", buffering=0) as file:
        if place is None:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not an ordinary file", str(path))
            return file.readall() if most is None else _read(file, most)
        start, size = place.found()
        file.seek(start)
        limit = size if most is None else min(size, most)
        content = _read(file, limit)
    if len(content) < limit:
        raise _cut_off(place.shard, place.member)
    return content


def file_stat(path: str | Path) -> os.stat_result:
    """The status of a file; a member has its shard's, whose time and size change with any member. Raises OSError,
    ShardInvalid."""
    place = _place(path)
    if place is None:
        return Path(path).stat()
    place.found()
    return place.stat


def is_there(path: str | Path) -> bool:
    """Whether there is an ordinary file, or a member, of this path. Raises ShardInvalid."""
    place = _place(path)
    return Path(path).is_file() if place is None else place.member in place.index()


def members(shard: str | Path) -> Mapping[str, tuple[int, int]]:
    """(offset, size) of each file in the shard, by name, in order; folders and a leading "./" are left out.

    Raises ShardInvalid, which names the shard and the member: no tar archive, compressed, cut off, without its end
    mark or longer than that, a name that is absolute, has ".." or is there twice, a link or device. Raises OSError.
    """
    return _Place(os.fspath(shard), "", Path(shard).stat()).index()


@dataclass(frozen=True)
class _Place:
    """A member of a shard, and the shard's status, which one system call gives for all that follows."""

    shard: str
    member: str
    stat: os.stat_result

    def index(self) -> Mapping[str, tuple[int, int]]:
        with _indexing:
            return _index(self.shard, self.stat.st_size, self.stat.st_mtime_ns, self.stat.st_ino)

    def found(self) -> tuple[int, int]:
        """The member's offset and size. Raises FileNotFoundError, ShardInvalid."""
        try:
            return self.index()[self.member]
        except KeyError as error:
            raise FileNotFoundError(errno.ENOENT, "no such member", f"{self.shard}/{self.member}") from error


def _place(path: str | Path) -> _Place | None:
    text = os.fspath(path)
    for found in _INTO.finditer(text):
        shard = text[: found.end()]
        try:
            said = Path(shard).stat()
        except OSError:
            return None
        if stat.S_ISREG(said.st_mode):
            return _Place(shard, text[found.end() + 1 :].replace(os.sep, "/"), said)
    return None


@lru_cache(maxsize=MOST_INDICES)
def _index(shard: str, size: int, modified_ns: int, inode: int) -> dict[str, tuple[int, int]]:
    """The index of a shard in this state: another size, time or inode is another entry."""
    found: dict[str, tuple[int, int]] = {}
    with Path(shard).open("rb") as file:
        last = "its first member"
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # a kilobyte of each
                    last = member.name
                    name = _checked(shard, member)
                    if name is None:
                        continue
                    if name in found:
                        raise ShardInvalid(f"{shard} holds the member {name} twice.", "Give each member its own name.")
                    if member.size < 0 or member.offset_data + member.size > size:
                        raise _cut_off(shard, name)
                    found[name] = member.offset_data, member.size
                end = archive.offset
        except _DAMAGE as error:
            raise _no_archive(shard, file, last, found) from error
        _refuse_bad_end(shard, file, end, last)
    return found


def _checked(shard: str, member: tarfile.TarInfo) -> str | None:
    """The member's name without "./"; None for a folder. Raises ShardInvalid."""
    if member.isdir():
        return None
    parts = member.name.split("/")
    if not member.isreg() or member.issparse():
        what = "a link" if member.issym() or member.islnk() else "not an ordinary file"
        raise ShardInvalid(
            f"{shard}: the member {member.name!r} is {what}.", "Pack the files themselves: tar --dereference."
        )
    if member.name.startswith("/") or ".." in parts:
        raise ShardInvalid(
            f"{shard}: the member {member.name!r} has an absolute path or one with '..'.",
            "Pack it again with relative paths.",
        )
    return str(PurePosixPath(member.name))


def _refuse_bad_end(shard: str, file: BinaryIO, end: int, last: str) -> None:
    """Raises ShardInvalid unless a block of zeros ends the archive and only zeros follow: tarfile takes a damaged
    header for the end, and what is behind it would be lost."""
    file.seek(end)
    mark = file.read(_BLOCK)
    if len(mark) < _BLOCK:
        raise ShardInvalid(f"{shard} is cut off after the member {last}: its end mark is missing.", _COPY_AGAIN)
    if any(mark):
        raise ShardInvalid(f"{shard} is damaged after the member {last}.", _COPY_AGAIN)
    while rest := file.read(1 << 20):
        if rest.count(0) < len(rest):
            raise ShardInvalid(
                f"{shard} goes on after its end mark, behind the member {last}.",
                "Join archives with tar --concatenate, not by cat.",
            )


def _no_archive(shard: str, file: BinaryIO, last: str, found: Mapping[str, object]) -> ShardInvalid:
    if found:
        return _cut_off(shard, last)
    file.seek(0)
    head = file.read(8)
    packed = next((kind for magic, kind in _COMPRESSED if head.startswith(magic)), "")
    if packed:
        return ShardInvalid(
            f"{shard} is compressed ({packed}): its members can't be read at random.", "Decompress it first."
        )
    said = "is empty" if not head else "isn't a tar archive"
    return ShardInvalid(f"{shard} {said}.", "Name WebDataset shards, or a folder of photographs.")


def _read(file: BinaryIO, size: int) -> bytes:
    parts, left = [], size
    while left > 0 and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _cut_off(shard: str, member: str) -> ShardInvalid:
    return ShardInvalid(f"{shard} is cut off or damaged at the member {member}.", _COPY_AGAIN)


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))
