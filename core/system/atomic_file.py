"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageFailed


@contextmanager
def replacement(path: Path, *, suffix: str = "") -> Iterator[Path]:
    """Yield an empty private file beside `path`, which replaces it, flushed to disk, when the block ends: readers see
    the old or the new file, never a partial one. After an exception `path` is unchanged. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` as a whole, flushed to disk. Raises StorageFailed (disk full, no permission)."""
    try:
        with replacement(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise StorageFailed(
            f"{path} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error
