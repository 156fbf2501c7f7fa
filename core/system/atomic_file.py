"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from core.errors import StorageFailed


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file, flush it to disk, then `os.replace`: readers see the old or the new file, never a
    partial one.

    Raises StorageFailed (disk full, no permission); an
    earlier file is unchanged then.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StorageFailed(
            f"{path} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error
