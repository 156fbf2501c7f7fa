"""Recovery of an interrupted update: its files are listed, and removed before the next update.

The table decides which files belong to a data set, and an update writes it last: a killed update leaves the earlier
data set intact, and only files that `unfinished.json` lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.dataset.file_placement import part_name
from core.dataset.journal import held
from core.dataset.layout import INFO_NAME, MANIFEST_NAME, UNFINISHED_NAME, placed_file
from core.dataset.manifest import Dataset, is_outside
from core.errors import StorageFailed
from core.system.atomic_file import write_atomically
from core.system.platform_files import open_folder


@contextmanager
def only_update(root: Path) -> Iterator[None]:
    """Lock the data set's folder, if it exists, against other updates. Raises BuildRefused, StorageFailed. The kernel
    releases the lock when the process ends."""
    try:
        handle = open_folder(root)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    except OSError as error:
        raise StorageFailed(f"{root} can't be read: {error.strerror or error}.", "Check its permissions.") from error
    with held(handle, root, f"Another update of {root} is running."):
        yield


def clear_unfinished(dataset: Dataset) -> None:
    """Remove the files of an interrupted update that the table doesn't list. Raises StorageFailed."""
    root, noted = dataset.root, dataset.root / UNFINISHED_NAME
    try:
        for name in (MANIFEST_NAME, INFO_NAME, UNFINISHED_NAME):
            for half in root.glob(f".{name}.*"):
                half.unlink()
        if not noted.exists():
            return
        named = {placed_file(path) for path in dataset.frame["path"].tolist()}
        for path in _listed(noted):
            if path not in named:
                (root / path).unlink(missing_ok=True)
                (root / path).with_name(part_name(Path(path).name)).unlink(missing_ok=True)
        noted.unlink()
    except OSError as error:
        raise StorageFailed(
            f"{root} couldn't be written: {error.strerror or error}.", "Check its permissions."
        ) from error


@contextmanager
def noted(root: Path, paths: Sequence[str]) -> Iterator[None]:
    """List `paths` under `root` as unfinished while files and table are written. After an error the list stays, for
    `clear_unfinished`. Raises StorageFailed."""
    write_atomically(root / UNFINISHED_NAME, json.dumps({"files": list(paths)}).encode("utf-8"))
    yield
    (root / UNFINISHED_NAME).unlink()


def _listed(noted: Path) -> list[str]:
    """The listed paths inside the folder; none where the list is unreadable."""
    try:
        said = json.loads(noted.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return []
    files = said.get("files") if isinstance(said, dict) else None
    return [path for path in files if isinstance(path, str) and not is_outside(path)] if isinstance(files, list) else []
