"""Identification of files that aren't weights by their first bytes, for an error that names the next step."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

Wanted = Literal["torch", "onnx"]

_HEAD_BYTES = 4096
_MAX_HEADER_BYTES = 100_000_000
_AGAIN = "Copy or download it again."
_UNPACK = "Unpack it and choose the file inside."
_OTHER = {
    "torch": "Choose a file of weights (.pt, .pth, .safetensors).",
    "onnx": "Choose a network exported as ONNX (.onnx).",
}

_SIGNATURES = (
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\x89PNG\r\n", "a PNG picture", ""),
    (0, b"\xff\xd8\xff", "a JPEG picture", ""),
    (0, b"%PDF-", "a PDF document", ""),
    (0, b"SQLite format 3\0", "an SQLite database", ""),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", ""),
    (0, b"\x93NUMPY", "a NumPy array", ""),
    (0, b"GGUF", "a GGUF file", ""),
    (0, b"\x00\x05\x16\x07", "what macOS keeps beside a file (its name begins with “._”), not the file itself", ""),
    (4, b"TFL3", "a TensorFlow Lite network", ""),
    (4, b"ftyp", "a video or HEIC picture", ""),
)


class Stray(NamedTuple):
    """`what` follows "it is"; `next_step` is a sentence."""

    what: str
    next_step: str


def stray(source: Path | bytes, wanted: Wanted) -> Stray | None:
    """What a file (or its content) is, where its first bytes show that it can't be what is wanted; None where they
    don't, and where it can't be read."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return _judge(file, wanted)
    except OSError:
        return None


def _judge(file: BinaryIO, wanted: Wanted) -> Stray | None:
    head = file.read(_HEAD_BYTES)
    size = file.seek(0, io.SEEK_END)
    if size == 0:
        return Stray("empty (0 bytes)", _AGAIN)
    if found := _pointer(head) or _text(head, wanted):
        return found
    for offset, signature, what, step in _SIGNATURES:
        if head[offset:].startswith(signature):
            return Stray(what, step or _OTHER[wanted])
    if wanted == "onnx":
        if head.startswith(b"PK\x03\x04") or _is_safetensors(head, size):
            return Stray("a file of weights, not a network with its operations", "Export the network as ONNX first.")
        return None
    if head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42"):
        return Stray("an ONNX network", _OTHER[wanted])
    if head.startswith(b"PK\x03\x04"):
        return None if zipfile.is_zipfile(file) else Stray("cut off: the end of its archive is missing", _AGAIN)
    return _cut_safetensors(file, size) if _is_safetensors(head, size) else None


def _pointer(head: bytes) -> Stray | None:
    """A short text that stands for a large file in a Git repository."""
    if head.startswith(b"version https://git-lfs.github.com/"):
        step = "Fetch its content: git lfs pull in that repository, or download the file itself."
        return Stray("a Git LFS pointer, which stands for the file in a repository", step)
    if b"annex/objects/" in head[:200] and len(head) < 1000:
        step = "Fetch its content: git annex get in that repository, or download the file itself."
        return Stray("a git-annex pointer, which stands for the file in a repository", step)
    return None


def _text(head: bytes, wanted: Wanted) -> Stray | None:
    """A web page, or other text: what a server answers in place of a file."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) < _HEAD_BYTES or error.start < len(head) - 4:
            return None  # not merely a character cut in two
        text = head[: error.start].decode("utf-8-sig")
    start = text.lstrip()
    if not start or any(not character.isprintable() and character not in "\t\r\n\f" for character in text):
        return None
    if start[:200].casefold().startswith(("<!doctype html", "<html", "<head", "<?xml", "<!--")):
        step = "Use the page's own download link (on GitHub “Download raw file”, on Hugging Face “download”)."
        return Stray("a saved web page, not the file itself", step)
    first = start.splitlines()[0].strip()
    return Stray(f"text, and begins “{first[:60]}”", f"Download it again. {_OTHER[wanted]}")


def _is_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _MAX_HEADER_BYTES


def _cut_safetensors(file: BinaryIO, size: int) -> Stray | None:
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    try:
        header = json.loads(file.read(length)) if length <= size - 8 else None
        ends = [entry["data_offsets"][1] for name, entry in (header or {}).items() if name != "__metadata__"]
        whole = 8 + length + max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None  # damaged in another way: its reader says so
    if whole <= size:
        return None
    there = f"{size:,} of {whole:,} bytes are there" if header is not None else f"only {size:,} bytes are there"
    return Stray(f"cut off: {there}", _AGAIN)
