"""Pictures to evaluate, with the identities on them, and the hash of them all."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.check import dataset_of
from core.dataset.findings import some
from core.dataset.layout import HR, SPLITS, VLR
from core.dataset.manifest import COLUMNS, Dataset, is_dataset, read_dataset
from core.dataset.scan import scan
from core.errors import SettingsInvalid, StorageFailed
from core.evaluation.pairs import Photo
from core.images import ImageUnreadable, sha256_of
from core.system.shards import is_there, read_bytes

MOST_GROUPS = 60
"""A column with more values doesn't define groups."""


@dataclass(frozen=True)
class StoredVlr:
    """A VLR image of the data set in the folder `root`. Its path is joined on access: a large data set has tens of
    thousands, of which few are opened."""

    root: Path
    name: str
    sha256: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / self.name


@dataclass(frozen=True)
class Picture:
    """One picture of one person. `aligned`: a square crop, aligned already; else a photograph in which the face
    has to be detected. `name` is what tables call it; `vlr` are the data set's own small versions by side in px.
    `cut_out`: the picture is a cut-out face; where the detector finds none, the whole picture is used.
    `groups`: values of further columns of the data set's table, by name."""

    path: Path
    identity: str
    name: str
    aligned: bool
    sha256: str
    vlr: Mapping[int, StoredVlr] = field(default_factory=dict)
    cut_out: bool = False
    groups: Mapping[str, str] = field(default_factory=dict)


def dataset_at(root: Path) -> Dataset:
    """The data set in a folder, or of a CSV; its `key` is "" and its name that of `root` where it has no manifest (a
    folder with hr_images and vlr_images, for example). Raises SourceInvalid, DatasetInvalid, StorageFailed."""
    if is_dataset(root):
        return read_dataset(root)
    # A split's own folder (.../test) holds hr_images itself: the layout is its parent's.
    holds_kinds = (root / "hr_images").is_dir()
    dataset = dataset_of(scan(root.parent if holds_kinds else root))
    dataset = replace(dataset, info=replace(dataset.info, name=root.name))
    if not holds_kinds:
        return dataset
    frame = dataset.frame
    return replace(dataset, frame=frame[frame["path"].str.startswith(f"{root.name}/")].reset_index(drop=True))


def group_columns(dataset: Dataset) -> list[str]:
    """Return the columns that can define groups: those that not every data set has, and `source` where it names a few
    collections rather than each photograph."""
    further = [str(column) for column in dataset.frame.columns if column not in COLUMNS]
    sources = set(dataset.frame.get("source", pd.Series(dtype=str))) - {""}
    return (
        [*further, "source"]
        if sources and len(sources) <= MOST_GROUPS and len(sources) < len(dataset.frame)
        else further
    )


def require_columns(dataset: Dataset, by: Sequence[str]) -> None:
    """Raise SettingsInvalid where a column of `by` is missing."""
    further = group_columns(dataset)
    if missing := [column for column in by if column not in further]:
        raise SettingsInvalid(
            f"{dataset.info.name} has no column '{missing[0]}' to tell groups by.",
            f"Its further columns: {', '.join(further) or 'none'}. A data set made from a CSV keeps those of the CSV.",
        )


def pictures_of_dataset(
    dataset: Dataset, split: str | None = None, *, photographs: Path | None = None, by: Sequence[str] = ()
) -> list[Picture]:
    """The HR images of a data set (of one split, or of all with None), by identity and path.

    `photographs`: the folder that it was ingested from; then the photographs themselves are returned, which end-to-end
    figures need. `by`: columns of its table to return as `groups`. Raises SettingsInvalid when there are no such
    images, or no such column.
    """
    frame = dataset.frame
    require_columns(dataset, by)
    if split is not None and split not in SPLITS:
        raise SettingsInvalid(f"There is no split '{split}'.", f"Choose one of {', '.join(SPLITS)}.")
    chosen = frame if split is None else frame[frame["split"] == split]
    hr = chosen[chosen["kind"] == HR].sort_values(["identity", "path"], kind="stable")
    if hr.empty:
        where = f"the split {split} of {dataset.info.name}" if split else dataset.info.name
        raise SettingsInvalid(f"There are no HR images in {where}.", "Choose another split or data set.")
    if photographs is not None:
        return _grouped(_photographs(hr, photographs), hr, by)
    small = _vlr_of(dataset, chosen)
    paths = [dataset.file(path) for path in hr["path"]]
    hashes = _hashes(paths, list(hr["sha256"]))
    rows = zip(paths, hr["identity"], hr["path"], hashes, hr["pair"], strict=True)
    pictures = [
        Picture(path, who, name, dataset.crops, sha256, small.get(pair, {})) for path, who, name, sha256, pair in rows
    ]
    return _grouped(pictures, hr, by)


def pictures_of_photos(photos: Sequence[Photo], root: Path, *, aligned: bool = False) -> list[Picture]:
    """The photographs (or `aligned` crops) that a pairs file names, in the order given."""
    paths = [photo.path(root) for photo in photos]
    return [
        Picture(path, photo.name, path.relative_to(root).as_posix(), aligned, sha256)
        for path, photo, sha256 in zip(paths, photos, _hashes(paths), strict=True)
    ]


def pictures_of_paths(paths: Sequence[Path], identities: Sequence[str], *, aligned: bool, root: Path) -> list[Picture]:
    """Files under `root` with their people, in the order given."""
    return [
        Picture(path, identity, path.relative_to(root).as_posix(), aligned, sha256)
        for path, identity, sha256 in zip(paths, identities, _hashes(paths), strict=True)
    ]


def only_people(pictures: Sequence[Picture], people: Collection[str]) -> list[Picture]:
    """Return the pictures of the people named."""
    wanted = set(people)
    return [picture for picture in pictures if picture.identity in wanted]


def with_images(pictures: Sequence[Picture], least: int) -> list[Picture]:
    """Return the pictures of people with at least `least` of them. Raises SettingsInvalid where no person has so
    many."""
    counts = Counter(picture.identity for picture in pictures)
    kept = [picture for picture in pictures if counts[picture.identity] >= least]
    if not kept:
        raise SettingsInvalid(
            f"No person has {least} images; the most is {max(counts.values(), default=0)}.", "Ask for fewer."
        )
    return kept


def require_comparable(identities: Iterable[str], where: str) -> None:
    """Raise SettingsInvalid unless `identities` (one for each picture) make genuine and impostor pairs."""
    counts = Counter(identities)
    people, pictures = len(counts), sum(counts.values())
    has = f"{where} has {some(people, 'person')} and {some(pictures, 'picture')}"
    step = "Choose a split or data set with more of them."
    if people < 2:
        raise SettingsInvalid(f"{has}: there are no two people to tell apart.", step)
    if max(counts.values()) < 2:
        raise SettingsInvalid(f"{has}, one of each: there are no two pictures of one person to compare.", step)


def codes_of(pictures: Sequence[Picture]) -> tuple[NDArray[np.int64], list[str]]:
    """Each picture's person as an integer (N,), and the people that the integers mean, sorted by name."""
    names, codes = np.unique([picture.identity for picture in pictures], return_inverse=True)
    return codes.astype(np.int64), [str(name) for name in names]


def data_sha256(pictures: Sequence[Picture]) -> str:
    """One hash of all pictures and names, whatever their order: 64 hexadecimal digits."""
    lines = sorted(f"{picture.identity}\0{picture.sha256}" for picture in pictures)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _grouped(pictures: list[Picture], hr: pd.DataFrame, by: Sequence[str]) -> list[Picture]:
    if not by:
        return pictures
    records = hr[list(by)].astype(str).to_dict("records")
    return [
        replace(picture, groups={str(name): text for name, text in record.items()})
        for picture, record in zip(pictures, records, strict=True)
    ]


def _photographs(hr: pd.DataFrame, folder: Path) -> list[Picture]:
    sources = list(hr["source"])
    paths = [folder / source for source in sources]
    missing = [path for path, source in zip(paths, sources, strict=True) if not source or not is_there(path)]
    if missing:
        raise SettingsInvalid(
            f"{len(missing)} of {len(paths)} photographs aren't in {folder}, first {missing[0].name}.",
            "Name the folder that the data set was ingested from.",
        )
    rows = zip(paths, hr["identity"], sources, _hashes(paths), strict=True)
    return [Picture(path, identity, source, False, sha256) for path, identity, source, sha256 in rows]


def _vlr_of(dataset: Dataset, chosen: pd.DataFrame) -> dict[str, dict[int, StoredVlr]]:
    small: dict[str, dict[int, StoredVlr]] = {}
    rows = chosen[chosen["kind"] == VLR]
    for path, pair, size, sha256 in zip(rows["path"], rows["pair"], rows["size_px"], rows["sha256"], strict=True):
        small.setdefault(str(pair), {})[int(size)] = StoredVlr(dataset.root, str(path), str(sha256))
    return small


def _hashes(paths: Sequence[Path], known: Sequence[str] | None = None) -> list[str]:
    """SHA-256 of each file, read where it isn't known."""
    given = list(known) if known is not None else [""] * len(paths)
    if all(given):
        return given
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda one: one[1] or hash_of(one[0]), zip(paths, given, strict=True), chunksize=64))


def hash_of(path: Path) -> str:
    """SHA-256 of a picture's bytes. Raises ImageUnreadable, ShardInvalid, StorageFailed."""
    try:
        return sha256_of(read_bytes(path))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ImageUnreadable(f"There is no picture at {path}.", "Check the path.") from error
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
