"""What the gallery asks of a database: one interface, which SQLite and other databases implement.

Queries are written once, in the SQL that the databases share, with `?` or `:name` for values. What they don't share is
here: how a transaction begins, what tells that the content has changed, how traces are erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from core.access.roles import Permission
from core.gallery.cipher import Cipher
from core.gallery.keys import Keys
from core.gallery.match import Population
from core.gallery.records import Candidate, Space

Clock = Callable[[], datetime]

Version = tuple[int, int, int]
"""A state of the content. The first number is `Storage.opened`; only equality means anything."""


def utc_now() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(UTC)


class Rows(Protocol):
    """The result of a statement. `rowcount` is how many rows it changed."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Reader(Protocol):
    """What a single query needs."""

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ..., /) -> Rows: ...


class Connection(Reader, Protocol):
    """One transaction's connection, with the cipher of its gallery."""

    cipher: Cipher

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Any: ...

    def stream(self, sql: str, parameters: Mapping[str, Any], /) -> Iterator[tuple[Any, ...]]:
        """Yield many rows without holding them all; no other statement may run meanwhile."""
        ...


class VectorSearch(Protocol):
    """Search by an index that the database holds over the means of large galleries."""

    def search(self, probes: np.ndarray, space: Space, k: int) -> list[list[Candidate]] | None:
        """Return the k best candidates for each of `probes` (N, dim) float32 unit rows, as `Index.search` does; None
        where no index covers the space, or k is too large for one. The index selects; scores are exact."""
        ...

    def population(self, space: Space) -> Population | None:
        """Whom the space can find; None where no index covers it."""
        ...

    def residue(self) -> str:
        """Where `tidy` leaves traces of what was removed, in a sentence for the screen; "" where it leaves none."""
        ...

    def rewrite(self) -> None:
        """Rewrite the means and build their indexes again, without those traces. Takes as long as building them."""
        ...


class Storage(Protocol):
    """A gallery's database, used by threads in turns and by several processes at once."""

    @property
    def path(self) -> Path | str:
        """The file, ":memory:", or a server's address."""
        ...

    @property
    def now(self) -> Clock: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def opened(self) -> int:
        """How often the database was opened. A new number may mean another content."""
        ...

    def transaction(self, needs: Permission = ...) -> AbstractContextManager[Connection]:
        """Begin a write: commit at the end of the block, roll back on an exception. Only one is under way at a time, in
        all processes; within a block of the same thread it is that block's. Raises NotAllowed, GalleryBusy."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Begin a read of one state of the content, for any number of statements."""
        ...

    def version(self, connection: Any, /) -> Version | None:
        """Return a value that changes with the content; None within a write, when nothing should be cached."""
        ...

    def is_still(self, version: Version) -> bool:
        """Whether the content is that of `version`. False where it is unknown, and within a transaction."""
        ...

    @property
    def vectors(self) -> VectorSearch | None:
        """Search within the database; None where it can't, and everybody is compared in memory."""
        ...

    def tidy(self) -> bool:
        """Rewrite the tables without deleted content. False when another program's reads blocked it."""
        ...

    def problem(self) -> str:
        """Return what the database's own check of its content finds, in a few words; "" for a sound one."""
        ...

    def close(self) -> None:
        """Close the connection. Closing twice is harmless; later use raises GalleryError."""
        ...
