"""The metadata of an ONNX file, read without the onnx package: a list of files is shown in milliseconds.

An ONNX file is a Protocol Buffers message ModelProto; its field 14, repeated, is a message of key (1) and value (2).
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from pathlib import Path

_METADATA, _KEY, _VALUE = 14, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_onnx_metadata(path: Path) -> dict[str, str]:
    """Return the texts; {} where the file is no such message. Raises OSError."""
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as message:
                entries = [dict(_fields(value)) for _, value in _fields(message, {_METADATA})]
            return {entry[_KEY].decode(): entry.get(_VALUE, b"").decode() for entry in entries}
        except (IndexError, KeyError, ValueError):
            return {}


def _fields(message: bytes | mmap.mmap, wanted: Collection[int] = (_KEY, _VALUE)) -> Iterator[tuple[int, bytes]]:
    """Yield the number and content of each wanted field that holds bytes. Raises IndexError, ValueError for another
    form."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("cut off")
            if number in wanted:
                yield number, bytes(message[at : at + size])
            at += size
        else:
            raise ValueError("no such kind of field")


def _varint(message: bytes | mmap.mmap, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]  # IndexError at the end
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("too long a number")
