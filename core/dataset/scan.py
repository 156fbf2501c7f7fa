"""Scan of a source: recognises the layout of a folder, CSV or shards, and makes a table of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.access.places import require_paths
from core.dataset import naming
from core.dataset.csv_source import read_csv
from core.dataset.errors import SourceInvalid
from core.dataset.findings import some
from core.dataset.layout import HR, INFO_NAME, kind_of_folder, split_of_folder
from core.dataset.manifest import is_dataset, make_frame, read_dataset
from core.dataset.shard_source import is_pattern, shard_files, shard_rows
from core.errors import CoreError, StorageFailed
from core.images import read_image
from core.settings import Settings, load_settings
from core.system.image_files import is_set_aside, pictures_under

LAYOUTS = ("dataset", "notes", "photographs", "crops", "csv")

CROP_MAX_PX = 160
_SAMPLED = 24
_OWN = naming.compiled(naming.OWN_PATTERN)
_NOTES = naming.compiled(naming.NOTES_PATTERN)


@dataclass(frozen=True)
class Scan:
    """A scanned source. `why` explains the recognised layout; `frame` has the columns of a manifest, with paths under
    `root`; sizes and hashes are measured later. `vlr_px` is 0 until it is known. `crops`: the images are aligned
    crops, as far as their sizes show it."""

    root: Path
    layout: str
    why: str
    frame: pd.DataFrame
    vlr_px: int = 0
    crops: bool = True


def scan(
    source: Path,
    *,
    layout: str | None = None,
    pattern: str | None = None,
    columns: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> Scan:
    """Read the folder, CSV or shards (a .tar, or a pattern of several) `source`; nothing is written, and only a few
    images are opened.

    `layout` overrides what would be recognised. `pattern` (a regular expression with a group `identity`; further groups
    become columns) replaces the pattern of the notes' file names; `columns` maps "path" and "identity" to the headings
    of a CSV, or "identity" to a key of the shards' JSON. `settings` (default: from the environment) say which folders
    the current actor may name.
    Raises SourceInvalid, DatasetInvalid, ShardInvalid, StorageFailed, NotAllowed.
    """
    source = Path(source)
    if layout is not None and layout not in LAYOUTS:
        raise SourceInvalid(f"There is no layout '{layout}'.", f"Choose one of {', '.join(LAYOUTS)}.")
    try:
        there = source.exists() or is_pattern(source)
    except OSError as error:  # a folder above it may not be entered, or the name can't be one
        raise StorageFailed(f"{source} can't be read: {error.strerror or error}.", "Check its permissions.") from error
    if not there:
        raise SourceInvalid(f"There is no {source}.", "Check the path.")
    found = _recognised(source, layout, pattern, columns)
    _refuse_elsewhere(found, settings)
    naming.refuse_look_alikes(found.frame["identity"])
    return found


def scan_splits(
    train: Path, val: Path | None = None, *, pattern: str | None = None, settings: Settings | None = None
) -> Scan:
    """Read two folders with hr_images and vlr_images each as one source with the splits train and val.

    `root` is the folder that holds both. Raises SourceInvalid, StorageFailed, NotAllowed.
    """
    folders = [(folder, split) for folder, split in ((train, "train"), (val, "val")) if folder is not None]
    for folder, _ in folders:
        if not folder.is_dir():
            raise SourceInvalid(f"There is no folder {folder}.", "Check the path.")
        if not _kinds(folder):
            raise SourceInvalid(f"{folder} holds no hr_images and vlr_images.", "Name the folder that contains them.")
    root = Path(os.path.commonpath([folder.resolve() for folder, _ in folders]))
    found = _from_notes(root, [(folder.resolve(), split) for folder, split in folders], pattern)
    _refuse_elsewhere(found, settings)
    naming.refuse_look_alikes(found.frame["identity"])
    return found


def _refuse_elsewhere(found: Scan, settings: Settings | None) -> None:
    """Raises NotAllowed for links, and paths in a CSV, to folders that the current actor may not name."""
    require_paths(settings or load_settings(), (found.root / path for path in found.frame["path"]))


def _recognised(source: Path, layout: str | None, pattern: str | None, columns: Mapping[str, str] | None) -> Scan:
    if not source.is_dir() and (shards := shard_files(source)):
        return _from_shards(
            Path(os.path.commonpath([each.parent for each in shards])), shards, layout, pattern, columns
        )
    if source.is_file() or layout == "csv":
        return _from_csv(source, columns)
    if layout == "dataset" or (layout is None and is_dataset(source)):
        dataset = read_dataset(source)
        why = f"it has a {INFO_NAME}, made by {dataset.info.made_by or 'somebody'}"
        return Scan(source, "dataset", why, dataset.frame, dataset.info.vlr_px)
    children = _children(source)
    splits = [(child, split) for child in children if (split := split_of_folder(child.name)) is not None]
    kinds = {child: _kinds(child) for child, _ in splits}
    if layout == "notes" or (layout is None and any(kinds.values())):
        return _from_notes(source, [(child, split) for child, split in splits if kinds[child]], pattern)
    found = _from_people(source, children, layout, pattern)
    if found is not None:
        return found
    return _from_shards(source, shard_files(source), layout, pattern, columns)


def _from_notes(root: Path, splits: list[tuple[Path, str]], pattern: str | None) -> Scan:
    chosen = naming.compiled(pattern) if pattern else None
    rows: list[dict[str, object]] = []
    strangers: list[str] = []
    for folder, split in splits:
        for kind_path, kind, _ in _kinds(folder):
            for path in _images(kind_path):
                fields = _fields(path.stem, chosen)
                if fields is None:
                    strangers.append(path.name)
                    continue
                rows.append(
                    {
                        **fields,
                        "path": path.relative_to(root).as_posix(),
                        "split": split,
                        "kind": kind,
                        "pair": naming.pair_key(path.stem),
                    }
                )
    _refuse_strangers(strangers, len(rows), pattern)
    _refuse_none(root, rows)
    named = ", ".join(sorted({folder.name for folder, _ in splits}))
    frame = make_frame(_own_pairs(pd.DataFrame(rows)))
    return Scan(root, "notes", f"{named} hold hr_images and vlr_images folders", frame)


def _own_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Make pair keys unique over the whole set: a key in several splits gets its split as a prefix; for a key of two HR
    images of a split (a.png and a.jpg, or two crop sizes) each image's whole name is used."""
    hr = table[table["kind"] == HR]
    several = table.groupby("pair")["split"].nunique()
    moved = table["pair"].isin(several[several > 1].index)
    twice = hr[hr.duplicated(["split", "pair"], keep=False)]
    result = table.copy()
    result.loc[moved, "pair"] = table.loc[moved, "split"] + "/" + table.loc[moved, "pair"]
    if len(twice):
        both = set(zip(twice["split"], twice["pair"], strict=True))
        columns = (table["split"], table["pair"], table["path"], result["pair"])
        result["pair"] = [
            f"{split}/{Path(str(path)).name}" if (split, pair) in both else key
            for split, pair, path, key in zip(*columns, strict=True)
        ]
    return result


def _from_people(root: Path, children: list[Path], layout: str | None, pattern: str | None) -> Scan | None:
    """A folder for each person; None where there are no pictures."""
    chosen = naming.compiled(pattern) if pattern else None
    rows: list[dict[str, object]] = []
    for person in children:
        for path in _images(person):
            fields = (naming.fields_of(path.stem, chosen) if chosen else None) or {}
            rows.append(
                {
                    **fields,
                    "path": path.relative_to(root).as_posix(),
                    "identity": person.name,
                    "kind": HR,
                    "pair": f"{person.name}/{path.relative_to(person).with_suffix('').as_posix()}",
                }
            )
    if not rows:
        loose = sum(1 for _ in _images(root))
        if loose:
            raise SourceInvalid(
                f"{root} holds {loose} images but no folder a person.",
                "Put each person's images into a folder of their name, or list them in a CSV with path and identity.",
            )
        return None
    frame = make_frame(rows)
    frame["source"] = frame["path"]
    content, why = _content(root, frame, layout)
    why = f"a folder for each of {frame['identity'].nunique()} people; {why}"
    return Scan(root, content, why, frame, crops=content == "crops")


def _from_shards(
    root: Path, shards: list[Path], layout: str | None, pattern: str | None, columns: Mapping[str, str] | None
) -> Scan:
    _refuse_none(root, shards)
    rows, where = shard_rows(root, shards, pattern, columns or {})
    frame = make_frame(rows)
    content, why = _content(root, frame, layout)
    people = some(frame["identity"].nunique(), "person")
    why = f"{some(len(shards), 'tar shard')} with {people}, named by {where}; {why}"
    return Scan(root, content, why, frame, crops=content == "crops")


def _content(root: Path, frame: pd.DataFrame, layout: str | None) -> tuple[str, str]:
    """The layout "crops" or "photographs", by a look at some images or as requested, and the reason."""
    content, why = _crops_or_photographs(root, frame)
    return (layout, "as requested") if layout is not None and layout != content else (content, why)


def _from_csv(source: Path, columns: Mapping[str, str] | None) -> Scan:
    frame = read_csv(source, columns or {})
    content, why = _crops_or_photographs(source.parent, frame)
    said = f"a CSV with a path and an identity a row, of {content}: {why}"
    return Scan(source.parent, "csv", said, frame, crops=content == "crops")


def _crops_or_photographs(root: Path, frame: pd.DataFrame) -> tuple[str, str]:
    """Aligned crops are square, of one size, and small; everything else counts as photographs."""
    step = max(1, len(frame) // _SAMPLED)
    shapes: set[tuple[int, int]] = set()
    for path in list(frame["path"])[::step]:
        try:
            shapes.add(read_image(root / path).shape[:2])
        except CoreError:
            continue
    if len(shapes) == 1:
        [(height, width)] = shapes
        if height == width <= CROP_MAX_PX:
            return "crops", f"the images looked at are all {width} x {height} px, as aligned crops are"
    return "photographs", f"the images looked at aren't all square, of one size and at most {CROP_MAX_PX} px"


def _fields(stem: str, chosen: re.Pattern[str] | None) -> dict[str, str] | None:
    if chosen is not None:
        return naming.fields_of(stem, chosen)
    return naming.fields_of(stem, _OWN) or naming.fields_of(stem, _NOTES)


def _refuse_strangers(strangers: list[str], known: int, pattern: str | None) -> None:
    if strangers:
        expected = f"the pattern {pattern!r}" if pattern else "007_01_01_010_00_crop_128.png or Name__photo.png"
        raise SourceInvalid(
            f"{len(strangers)} of {len(strangers) + known} file names don't say whose they are, as {strangers[0]!r}: "
            f"expected {expected}.",
            "Give a --pattern with a group (?P<identity>...), or take those files out.",
        )


def _refuse_none(root: Path, found: Sized) -> None:
    if not found:
        raise SourceInvalid(
            f"{root} holds no images that could be a data set.",
            "Expected train/ and val/ with hr_images/ and vlr_images/, a folder of images a person, a CSV, or "
            "WebDataset shards.",
        )


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not is_set_aside(path.name))
    except NotADirectoryError as error:
        raise SourceInvalid(f"{folder} isn't a folder.", "Choose a folder or a CSV.") from error
    except OSError as error:
        raise StorageFailed(f"{folder} can't be read: {error.strerror or error}.", "Check its permissions.") from error


def _kinds(split_folder: Path) -> list[tuple[Path, str, int | None]]:
    return [(child, *kind) for child in _children(split_folder) if (kind := kind_of_folder(child.name)) is not None]


def _images(folder: Path) -> Iterator[Path]:
    """Image files under `folder`, at any depth, in order; hidden ones and a system's own are left out. Raises
    StorageFailed."""

    def stop(error: OSError) -> None:
        raise StorageFailed(
            f"{error.filename} can't be read: {error.strerror or error}.", "Check its permissions."
        ) from error

    return pictures_under(folder, stop)
