"""An update that was cut short: what it had put in place already is known, and taken away before the next one begins.

The table decides what belongs to a data set, and an update writes it last; so a killed one leaves the earlier data set
whole, and beside it only files that `unfinished.json` lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.dataset.file_placement import part_name
from core.dataset.journal import held
from core.dataset.layout import INFO_NAME, MANIFEST_NAME, UNFINISHED_NAME
from core.dataset.manifest import Dataset, is_outside
from core.errors import StorageFailed
from core.system.atomic_file import write_atomically
from core.system.platform_files import open_folder


@contextmanager
def only_update(root: Path) -> Iterator[None]:
    """Hold the data set's folder, if it is there: two updates at once would lose one's rows. Raises BuildRefused,
    StorageFailed. The lock lives in the kernel, so a killed process leaves none behind."""
    try:
        handle = open_folder(root)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    except OSError as error:
        raise StorageFailed(f"{root} can't be read: {error.strerror or error}.", "Check its permissions.") from error
    with held(handle, root, f"Another update of {root} is at work."):
        yield


def clear_unfinished(dataset: Dataset) -> None:
    """Take away what an update left that was cut short; whatever the table names stays. Raises StorageFailed."""
    root, noted = dataset.root, dataset.root / UNFINISHED_NAME
    try:
        for name in (MANIFEST_NAME, INFO_NAME, UNFINISHED_NAME):
            for half in root.glob(f".{name}.*"):
                half.unlink()
        if not noted.exists():
            return
        named = set(dataset.frame["path"].tolist())
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
    """While files are put at `paths` under `root` and the table is written, it is on record that they may lie there
    unwanted. On an error the record stays, for `clear_unfinished`. Raises StorageFailed."""
    write_atomically(root / UNFINISHED_NAME, json.dumps({"files": list(paths)}).encode("utf-8"))
    yield
    (root / UNFINISHED_NAME).unlink()


def _listed(noted: Path) -> list[str]:
    """The paths on record, none out of the folder; none where the record isn't readable."""
    try:
        said = json.loads(noted.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return []
    files = said.get("files") if isinstance(said, dict) else None
    return [path for path in files if isinstance(path, str) and not is_outside(path)] if isinstance(files, list) else []
