"""Writing of a data set's images into WebDataset shards: one sample for each pair, the same bytes for the same pairs.

A sample's key is a running number; its members are the images by kind and size (`000000012.hr.png`,
`000000012.vlr_16.png`; `vlr.png` is the main size) and `000000012.json` with what the table says of the pair.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from core.dataset.layout import HR, SHARDS_FOLDER, kind_folder
from core.images import sha256_of

_END_BYTES = 2 * tarfile.BLOCKSIZE
_NOT_OF_THE_PAIR = ("path", "kind", "size_px", "sha256", "phash", "degradation")

Span = tuple[int, int, int, str]
"""Where a sample lies: the shard's number, the offset of its first and behind its last byte, and their SHA-256."""


def shard_path(number: int) -> str:
    """A shard's path under its data set's root: "shards/00012.tar"."""
    return f"{SHARDS_FOLDER}/{number:05}.tar"


class ShardWriter:
    """Appends samples to the shards of one data set, each of at most `limit_bytes`, unless one sample is larger.

    `after` is the last sample of an interrupted run that is to stay: what was written behind it is cut off.
    """

    def __init__(self, root: Path, limit_bytes: int, after: Span | None = None) -> None:
        self._root, self._limit = root, limit_bytes
        self._number, self._size = (after[0], after[2]) if after else (0, 0)
        self._file: BinaryIO | None = None
        (root / SHARDS_FOLDER).mkdir(parents=True, exist_ok=True)
        for path in (root / SHARDS_FOLDER).iterdir():
            if path.name > PurePosixPath(shard_path(self._number)).name:
                path.unlink()

    def add(self, key: int, rows: Sequence[dict[str, Any]], files: Mapping[str, bytes], vlr_px: int) -> Span:
        """Append the images of one pair; `rows` get their new paths. Raises OSError."""
        members = {f"{key:09}.{_ending(row, vlr_px)}": files[row["path"]] for row in rows}
        members[f"{key:09}.json"] = _description(rows, list(members))
        content = b"".join(_member(name, data) for name, data in members.items())
        if self._size and _with_end(self._size + len(content)) > self._limit:
            self.finish()
            self._number, self._size = self._number + 1, 0
        if self._file is None:
            self._file = self._opened()
        self._file.write(content)
        self._file.flush()
        start, self._size = self._size, self._size + len(content)
        for row, name in zip(rows, members, strict=False):
            row["path"] = f"{shard_path(self._number)}/{name}"
        return self._number, start, self._size, sha256_of(content)

    def finish(self) -> None:
        """Write the end mark of the last shard, and close it. Raises OSError."""
        if self._size:
            self._file = self._file or self._opened()
            self._file.write(bytes(_with_end(self._size) - self._size))
        self.close()

    def close(self) -> None:
        """Close the shard as it is: another writer goes on behind its last whole sample."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        path = self._root / shard_path(self._number)
        path.touch()
        file = path.open("r+b")
        file.truncate(self._size)
        file.seek(self._size)
        return file


def whole_spans(root: Path, spans: Sequence[Span]) -> int:
    """How many of the samples, from the first on, are as they were written, with the end marks of full shards."""
    before: Span | None = None
    for count, span in enumerate(spans):
        number, start, end, sha256 = span
        try:
            if before and before[0] != number and (root / shard_path(before[0])).stat().st_size != _with_end(before[2]):
                return count - 1
            with (root / shard_path(number)).open("rb") as file:
                file.seek(start)
                if sha256_of(file.read(end - start)) != sha256:
                    return count
        except FileNotFoundError:
            return count
        before = span
    return len(spans)


def _with_end(size: int) -> int:
    """A shard's size with its end mark: two blocks of zeros, filled up to a whole record as tar does."""
    return size + _END_BYTES + -(size + _END_BYTES) % tarfile.RECORDSIZE


def _ending(row: Mapping[str, Any], vlr_px: int) -> str:
    """ "hr.png", "vlr.png" or "vlr_16.png"; the suffix is that of the image's file."""
    kind = kind_folder(row["kind"], row["size_px"], vlr_px).replace("_images", "")
    return f"{kind}{PurePosixPath(row['path']).suffix.lower()}"


def _description(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """The table's columns of the pair, and each VLR image's degradation by its ending, as JSON."""
    hr = next((row for row in rows if row["kind"] == HR), rows[0])
    said = {key: value for key, value in hr.items() if key not in _NOT_OF_THE_PAIR and value != ""}
    how = {
        name.partition(".")[2]: row["degradation"]
        for row, name in zip(rows, names, strict=True)
        if row.get("degradation")
    }
    return json.dumps({**said, "degradation": how}, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _member(name: str, content: bytes) -> bytes:
    """A tar header, the content, and zeros up to the block's end. Owner, mode and time say nothing of this machine."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)
