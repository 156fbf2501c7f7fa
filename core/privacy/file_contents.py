"""The searchable contents of a file: its bytes, a database's values, and the members of archives, nested ones included.

Contents come in overlapping pieces, so that nothing is missed at an edge. What can't be opened is reported.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.gallery.database import IN_MEMORY
from core.system.image_files import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from core.system.sqlite_files import connect, is_database, must_stay_open, raw_chunks, side_files

PIECE_BYTES = 1 << 24
MAX_UNPACKED_BYTES = 2_000_000_000
"""What is unpacked of one file at most."""
MAX_DEPTH = 4
"""Archives within archives are opened so deep."""

PICTURES = IMAGE_SUFFIXES | {*UNREAD_SUFFIXES, ".dib", ".pnm"}
FILMS = frozenset(
    (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mjpeg", ".y4m", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp")
)

ENCRYPTED_GALLERY = "an encrypted gallery"
MAX_PACKED_DATABASE_BYTES = 200_000_000

_UNREADABLE = "an archive that can't be opened"
_SQLITE = b"SQLite format 3\0"
_CLOSED = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"%PDF-", "a PDF document"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"MSCF", "a cabinet"),
    (b"LZIP", "lzip"),
    (b"age-encryption.org/", "an encrypted file"),
    (b"-----BEGIN PGP MESSAGE", "an encrypted file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an older Office document"),
    *((magic, "pictures") for magic in (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cj")),
    *((magic, "films") for magic in (b"\x1a\x45\xdf\xa3", b"FLV\1", b"\x30\x26\xb2\x75", b"\0\0\1\xba", b"YUV4MPEG2")),
)
"""Contents that aren't opened here, by their first bytes: compressed and encrypted ones, pictures and films whose name
doesn't say so."""
_CLOSED_FILES = (
    (b"\x5d\0\0", "LZMA"),
    (b"\x1f\x9d", "compress"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
)
"""The same, for files alone: numbers in an archive may begin so by chance."""

_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    LookupError,
    ArithmeticError,
    AttributeError,
    SyntaxError,
    TypeError,
    MemoryError,
)

"""What readers of archives raise at damaged or hostile ones: a search goes on with the next file."""


@dataclass(frozen=True)
class Piece:
    """A part of a content; `first` and `last` of it."""

    content: bytes
    first: bool
    last: bool


Content = Iterator[Piece]


@dataclass
class SearchedFile:
    """A file being searched. `closed` collects what couldn't be searched: "pictures", "an encrypted archive"."""

    path: Path
    overlap: int
    closed: list[str] = field(default_factory=list)
    unpacked: int = 0

    def contents(self) -> Iterator[Content]:
        """Every content of the file, the outermost first; each has to be read before the next is asked for. Raises
        OSError when the file itself can't be read."""
        if must_stay_open(self.path):
            yield _pieces(raw_chunks(self.path, PIECE_BYTES + self.overlap, self.overlap))
            if is_database(self.path):
                yield self._parts(self._guarded(self._values()))
            return
        with self.path.open("rb") as file:
            yield from self._of(file, 0)

    def _of(self, file: IO[bytes], depth: int) -> Iterator[Content]:
        chunks = self._chunks(file, depth)
        yield self._parts(self._guarded(chunks) if depth else chunks)
        try:
            file.seek(0)
            head = file.read(512)
            inner = next((members for fits, members in _ARCHIVES if fits(head)), None)
            closed = _closed(head, whole_file=not depth)
            file.seek(0)
            if closed or (inner is not None and depth == MAX_DEPTH):
                self.closed.append(closed or "archives within archives")
            elif inner is not None:
                for member in inner(self, file):
                    yield from self._of(member, depth + 1)
            elif depth and head.startswith(_SQLITE):
                yield self._parts(self._guarded(self._packed_values(file)))
            elif head.startswith(b"\x93NUMPY"):
                yield self._parts(self._guarded(_array_texts(file)))
        except _BROKEN:
            self.closed.append(_UNREADABLE)

    def _chunks(self, file: IO[bytes], depth: int) -> Iterator[bytes]:
        while content := file.read(PIECE_BYTES):
            yield content
            self.unpacked += len(content) if depth else 0
            if self.unpacked > MAX_UNPACKED_BYTES:
                self.closed.append("too large when unpacked")
                return

    def _guarded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What comes until a fault, which is noted."""
        try:
            yield from chunks
        except _BROKEN:
            self.closed.append(_UNREADABLE)

    def _parts(self, chunks: Iterable[bytes]) -> Content:
        return _pieces(_overlapping(chunks, self.overlap))

    def _values(self) -> Iterator[bytes]:
        """Every value of a database's tables, so that none adjoins another and none is split between pages."""
        journal = any(each.exists() and each.stat().st_size for each in side_files(self.path))
        try:
            with closing(connect(self.path, wait_s=5, mode="ro", immutable=not journal)) as connection:
                yield from self._tables(connection)
        except sqlite3.Error:
            self.closed.append("a database that can't be read")

    def _packed_values(self, file: IO[bytes]) -> Iterator[bytes]:
        """`_values` of a database in an archive."""
        content = bytearray(file.read(MAX_PACKED_DATABASE_BYTES + 1))
        if len(content) > MAX_PACKED_DATABASE_BYTES:
            self.closed.append("a large database in an archive")
            return
        content[18:20] = b"\1\1"  # one in memory has no write-ahead log
        try:
            with closing(sqlite3.connect(IN_MEMORY)) as connection:
                connection.deserialize(bytes(content))
                yield from self._tables(connection)
        except sqlite3.Error:
            self.closed.append("a database that can't be read")

    def _tables(self, connection: sqlite3.Connection) -> Iterator[bytes]:
        names = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in sorted(names):
            quoted = name.replace('"', '""')
            rows = connection.execute(f'SELECT * FROM "{quoted}"')  # nosec B608  # a table's own name, quoted
            while some := rows.fetchmany(500):
                yield b"\0".join(_as_bytes(value) for row in some for value in row) + b"\0"
        if {"identity", "protection"} <= names and connection.execute("SELECT 1 FROM protection").fetchone():
            self.closed.append(ENCRYPTED_GALLERY)


def _zip_members(opened: SearchedFile, file: IO[bytes]) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if entry.flag_bits & 1:
                opened.closed.append("an encrypted archive")
            elif (kind := kind_of(entry.filename)) is not None:
                opened.closed.append(kind)
            else:
                with archive.open(entry) as member:
                    yield member


def _tar_members(opened: SearchedFile, file: IO[bytes]) -> Iterator[IO[bytes]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for entry in archive:
            member = archive.extractfile(entry) if entry.isfile() else None
            if member is not None and (kind := kind_of(entry.name)) is not None:
                opened.closed.append(kind)
            elif member is not None:
                yield member


def _stream(kind: Callable[[Any], Any]) -> Callable[[SearchedFile, IO[bytes]], Iterator[IO[bytes]]]:
    def members(opened: SearchedFile, file: IO[bytes]) -> Iterator[IO[bytes]]:
        with kind(file) as member:
            yield member

    return members


_ARCHIVES: tuple[tuple[Callable[[bytes], bool], Callable[[SearchedFile, IO[bytes]], Iterator[IO[bytes]]]], ...] = (
    (lambda head: head.startswith(b"PK\x03\x04"), _zip_members),  # .npz, .xlsx, .docx, .pt and .efgallery too
    (lambda head: head.startswith(b"\x1f\x8b"), _stream(lambda file: gzip.GzipFile(fileobj=file, mode="rb"))),
    (lambda head: head.startswith(b"BZh"), _stream(bz2.BZ2File)),
    (lambda head: head.startswith(b"\xfd7zXZ\0"), _stream(lzma.LZMAFile)),
    (lambda head: head[257:262] == b"ustar", _tar_members),
)


def kind_of(name: str) -> str | None:
    """ "pictures" or "films" by a file's ending; None for what can be searched."""
    ending = Path(name).suffix.lower()
    return "pictures" if ending in PICTURES else "films" if ending in FILMS else None


def _closed(head: bytes, *, whole_file: bool) -> str:
    """What a content is that isn't opened, by its first bytes; "" for one that is."""
    if head.startswith(b"RIFF"):
        return {b"WEBP": "pictures", b"AVI ": "films"}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return "pictures" if head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis") else "films"
    known = (*_CLOSED, *_CLOSED_FILES) if whole_file else _CLOSED
    return next((what for magic, what in known if head.startswith(magic)), "")


def _array_texts(file: IO[bytes]) -> Iterator[bytes]:
    """The texts of a NumPy array: they adjoin each other in the file."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if header(file)[2].kind in "US":
        file.seek(0)
        array = np.lib.format.read_array(file, allow_pickle=False)
        yield b"\0".join(_as_bytes(item) for item in array.ravel().tolist())


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b"" if value is None else str(value).encode("utf-8", "replace")


def _overlapping(chunks: Iterable[bytes], overlap: int) -> Iterator[bytes]:
    """The chunks, each after the end of what came before."""
    waiting = b""
    for chunk in chunks:
        waiting += chunk
        if len(waiting) >= PIECE_BYTES:
            yield waiting
            waiting = waiting[len(waiting) - overlap :]
    yield waiting


def _pieces(chunks: Iterable[bytes]) -> Content:
    before: bytes | None = None
    first = True
    for chunk in chunks:
        if before is not None:
            yield Piece(before, first, False)
            first = False
        before = chunk
    if before is not None:
        yield Piece(before, first, True)
