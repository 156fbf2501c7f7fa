"""The data sets of an installation: their folder, the list, names for new ones, and removal."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.access.trail import write_trail
from core.dataset.cache import remove_cache
from core.dataset.check_cache import remove_verdicts
from core.dataset.errors import BuildRefused, DatasetInvalid
from core.dataset.journal import only_one, work_folder
from core.dataset.layout import INFO_NAME
from core.dataset.manifest import Dataset, DatasetInfo, is_dataset, read_info
from core.errors import CoreError, SettingsInvalid, StorageFailed
from core.settings import Settings

MAX_NAME = 80
_UNSAFE = frozenset('/\\:*?"<>|')


@dataclass(frozen=True)
class Listed:
    """A data set in the list: its name (the path below data/datasets), and its information or the reading error."""

    name: str
    root: Path
    info: DatasetInfo | None
    problem: CoreError | None = None


def datasets_root(settings: Settings) -> Path:
    """The default folder of data sets."""
    return settings.data_dir / "datasets"


def list_datasets(root: Path) -> list[Listed]:
    """Every data set in the folder `root` and in its folders (mode "both" makes two in one), by name. Tables aren't
    read, so that a list of many is quick."""
    found = sorted(path.parent for depth in ("*", "*/*") for path in root.glob(f"{depth}/{INFO_NAME}"))
    listed: list[Listed] = []
    for path in found:
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue  # half-made, or being removed
        name = path.relative_to(root).as_posix()
        try:
            listed.append(Listed(name, path, read_info(path)))
        except CoreError as error:
            listed.append(Listed(name, path, None, error))
    return listed


def any_dataset(root: Path) -> bool:
    """Whether there is a data set in the folder `root`."""
    return any(any(root.glob(f"{depth}/{INFO_NAME}")) for depth in ("[!.]*", "[!.]*/[!.]*"))


def checked_name(text: str) -> str:
    """`text` as the name of a new data set, without the spaces around it. Raises SettingsInvalid."""
    name = text.strip()
    wrong = not name or len(name) > MAX_NAME or name.startswith(".") or name.endswith(".") or bool(_UNSAFE & set(name))
    if wrong or not name.isprintable():
        raise SettingsInvalid(
            f"'{name[:MAX_NAME]}' can't name a data set.",
            f"Use 1 to {MAX_NAME} letters, digits, spaces, '-' and '_', and no '.' at either end.",
        )
    return name


def free_name(root: Path, wanted: str) -> str:
    """`wanted`, or with -2, -3 and so on where it is taken in `root`; invalid characters become "-"."""
    base = "".join("-" if each in _UNSAFE or not each.isprintable() else each for each in wanted).strip(" .")
    base = base[: MAX_NAME - 8] or "faces"
    name, number = base, 1
    while (root / name).exists() or work_folder(root / name).exists():
        number += 1
        name = f"{base}-{number}"
    return name


def remove_dataset(settings: Settings, name: str) -> None:
    """Remove the data set `name` of data/datasets, with its cached pixels and verdicts. The photographs of its source
    stay, and other data sets that share files with it (hard links) too.

    Raises DatasetInvalid when it isn't there, BuildRefused for a name that leads out of data/datasets, StorageFailed,
    NotAllowed.
    """
    require(Permission.DATA)
    root = datasets_root(settings)
    place = root / name
    parts = Path(name).parts
    if not 1 <= len(parts) <= 2 or any(part in ("..", "/") or part.startswith(".") for part in parts):
        raise BuildRefused(
            f"'{name}' isn't the name of a data set.", "Only data sets in data/datasets are removed here."
        )
    if any((root / Path(*parts[:depth])).is_symlink() for depth in range(1, len(parts) + 1)):
        raise BuildRefused(f"{place} is a link to another place.", "Remove the link by hand.")
    if not is_dataset(place):
        raise DatasetInvalid(f"There is no data set {place}.", "It may have been removed already.")
    if any(path.is_dir() and is_dataset(path) for path in place.iterdir()):
        raise BuildRefused(f"{place} holds other data sets.", "Remove those first.")
    remove_cache_of(settings, place)
    doomed = place.with_name(f".removed-{place.name}-{os.getpid()}")
    try:
        place.rename(doomed)  # out of sight first, as a whole
        shutil.rmtree(doomed)
        if place.parent != root and not any(place.parent.iterdir()):
            place.parent.rmdir()
        write_trail(settings, "data set removed", name)
    except OSError as error:
        raise StorageFailed(f"{place} can't be removed: {error.strerror or error}.", "Check permissions.") from error


def remove_cache_of(settings: Settings, root: Path) -> None:
    """Remove the cached pixels and verdicts of the data set at `root`; the pixels of a damaged one can't be
    identified."""
    from core.dataset.manifest import read_dataset

    remove_verdicts(settings, root)
    try:
        dataset: Dataset = read_dataset(root)
    except CoreError:
        return
    remove_cache(dataset, settings.data_dir / "cache")


def discard_unfinished(settings: Settings, out: Path) -> bool:
    """Remove the unfinished work of an ingest into `out`; True when there was some. Only inside data/datasets.

    Raises BuildRefused while an ingest works there, StorageFailed, NotAllowed.
    """
    require(Permission.DATA)
    folder = work_folder(out)
    if out.parent != datasets_root(settings) or not folder.is_dir() or folder.is_symlink():
        return False
    with only_one(out):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise StorageFailed(f"{folder} can't be removed: {error.strerror or error}.", "Check it.") from error
    return True
