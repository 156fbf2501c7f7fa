"""The manifest of a data set: one row for each image, stored as manifest.csv with dataset.json, written as a whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.dataset.columns import among
from core.dataset.errors import DatasetInvalid
from core.dataset.layout import HR, INFO_NAME, MANIFEST_NAME, SPLITS, VLR
from core.errors import StorageFailed
from core.images import sha256_of
from core.jobs.context import NO_HOOKS, Hooks
from core.system.atomic_file import write_atomically

VERSION = 1
COLUMNS = ("path", "identity", "split", "kind", "size_px", "pair", "sha256", "phash", "source", "degradation")
MODES = ("unsplit", "as-found", "closed-set", "identity-disjoint")
"""How a data set is split. "as-found": split elsewhere, in an unknown way."""

_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\r", "'", "＝", "＋", "－", "＠")

_ROWS = 4096


@dataclass(frozen=True)
class DatasetInfo:
    """Contents of dataset.json. `vlr_px` is the size in vlr_images/; `parameters` are those of the build or ingest."""

    name: str
    mode: str = "unsplit"
    seed: int | None = None
    vlr_px: int = 32
    synthetic: bool = False
    made_by: str = ""
    source: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True)
class Dataset:
    """A data set on disk: its folder, its information, and its table (COLUMNS and any further text columns).

    `key` is the SHA-256 of manifest.csv, the key of caches: it changes with any row. `crops`: its HR images are aligned
    crops, as those of every data set of this program are; False for a scanned folder or CSV of photographs.
    """

    root: Path
    info: DatasetInfo
    frame: pd.DataFrame
    key: str
    crops: bool = True

    def file(self, path: str) -> Path:
        """The file of a row's `path`."""
        return self.root / path


def make_frame(rows: Any) -> pd.DataFrame:
    """A table with the columns of COLUMNS first, further ones after; missing text is "", size_px is int.

    Takes what pandas.DataFrame takes: a list of dicts, a dict of columns, another table. Raises DatasetInvalid for text
    that isn't valid Unicode (a file name with stray bytes).
    """
    try:
        return _completed(pd.DataFrame(rows).reset_index(drop=True))
    except UnicodeEncodeError as error:
        raise DatasetInvalid(
            f"A name isn't valid Unicode: {error.object!a:.100}.", "Rename the file or folder."
        ) from error


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    for column in COLUMNS:
        if column not in frame.columns:
            frame[column] = 0 if column == "size_px" else ""
    further = [column for column in frame.columns if column not in COLUMNS]
    frame = frame[[*COLUMNS, *further]].copy()
    sizes = pd.to_numeric(frame["size_px"], errors="coerce").fillna(0).astype("int64")
    for column in frame.columns:
        if column != "size_px":
            frame[column] = frame[column].fillna("").astype("str")
    frame["size_px"] = sizes
    return frame


def count(frame: pd.DataFrame) -> dict[str, Any]:
    """Count images, pairs (HR images with a VLR) and identities, in all and for each split ("unsplit" for "")."""

    def of(part: pd.DataFrame) -> dict[str, int]:
        hr, vlr = part[part["kind"] == HR], part[part["kind"] == VLR]
        return {
            "identities": int(part["identity"].nunique()),
            "hr": len(hr),
            "vlr": len(vlr),
            "pairs": int(among(hr["pair"], set(vlr["pair"])).sum()),
        }

    parts = {str(split) or "unsplit": of(part) for split, part in frame.groupby("split", sort=False)}
    order = [*SPLITS, "unsplit", *sorted(set(parts) - {*SPLITS, "unsplit"})]
    return {**of(frame), "splits": {name: parts[name] for name in order if name in parts}}


def write_dataset(root: Path, frame: pd.DataFrame, info: DatasetInfo, hooks: Hooks = NO_HOOKS) -> Dataset:
    """Write manifest.csv, then dataset.json, each atomically: a folder without dataset.json isn't a data set.

    `info.counts` is set from the table. If both exist already, a kill in between leaves the new table with the old
    dataset.json, whose counts are recomputed when it is read. Raises DatasetInvalid for an invalid table,
    StorageFailed.
    """
    table = make_frame(frame)
    _refuse_bad_rows(table, root / MANIFEST_NAME)
    content = manifest_bytes(table, hooks)
    info = replace(info, counts=count(table), version=VERSION)
    write_atomically(root / MANIFEST_NAME, content)
    text = json.dumps(asdict(info), indent=2, default=str)
    write_atomically(root / INFO_NAME, text.encode("utf-8", "backslashreplace"))
    return Dataset(root=root, info=info, frame=table, key=sha256_of(content))


def read_dataset(root: Path) -> Dataset:
    """Read the data set in the folder `root`. Raises DatasetInvalid (missing, damaged, newer), StorageFailed."""
    info = read_info(root)
    path = root / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetInvalid(f"{root} has {INFO_NAME} but no {MANIFEST_NAME}.", "Build it again.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    frame = _parse(content, path)
    return Dataset(root=root, info=replace(info, counts=count(frame)), frame=frame, key=sha256_of(content))


def read_info(root: Path) -> DatasetInfo:
    """Read dataset.json without the table, for lists. Raises DatasetInvalid, StorageFailed."""
    path = root / INFO_NAME
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetInvalid(
            f"{root} is no data set: it has no {INFO_NAME}.",
            "Make one by edgeface-studio dataset build, ingest or demo.",
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise DatasetInvalid(f"{path} isn't valid JSON.", "Build the data set again.") from error
    return _to_info(said, path)


def is_dataset(root: Path) -> bool:
    """Whether the folder has a dataset.json."""
    return (root / INFO_NAME).is_file()


def manifest_bytes(frame: pd.DataFrame, hooks: Hooks = NO_HOOKS) -> bytes:
    """The table as manifest.csv: UTF-8; text that a spreadsheet would run as a formula gets a leading apostrophe (and
    so does text that has one)."""
    safe = frame.copy()
    for column in safe.columns:
        if column != "size_px":
            risky = safe[column].str.lstrip(" ").str.startswith(_FORMULA)
            if risky.any():
                safe[column] = safe[column].where(~risky, "'" + safe[column])
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")  # with "\n" alone a "\r" in a cell would stay unquoted
    writer.writerow(safe.columns)
    rows = list(zip(*(safe[column].tolist() for column in safe.columns), strict=True))
    for start in range(0, len(rows), _ROWS):
        hooks.progress("write", start, len(rows))
        writer.writerows(rows[start : start + _ROWS])
    hooks.progress("write", len(rows), len(rows))
    return buffer.getvalue().encode("utf-8")


def _parse(content: bytes, path: Path) -> pd.DataFrame:
    broken = DatasetInvalid(f"{path} is damaged or cut off.", "Build the data set again.")
    try:
        text = content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise broken from error
    header = rows[0] if rows else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise DatasetInvalid(f"{path} has no column {', '.join(missing)}.", "Build the data set again.")
    if len(set(header)) < len(header) or any(len(row) != len(header) for row in rows) or not text.endswith("\n"):
        raise broken
    cells = ([cell.removeprefix("'") for cell in column] for column in zip(*rows[1:], strict=True))
    columns: dict[str, list[str]] = dict(zip(header, cells, strict=True)) if len(rows) > 1 else {c: [] for c in header}
    if not all(size.isdigit() and len(size) < 9 for size in columns["size_px"]):
        raise broken
    frame = make_frame(columns)
    _refuse_bad_rows(frame, path)
    return frame


def _refuse_bad_rows(frame: pd.DataFrame, path: Path) -> None:
    """Raises DatasetInvalid for an invalid row: no path, a path outside the folder, an unknown kind."""
    bad = frame[~frame["kind"].isin((HR, VLR)) | ~frame["split"].isin(("", *SPLITS)) | (frame["identity"] == "")]
    outside = pd.Series([is_outside(path) for path in frame["path"]], index=frame.index, dtype=bool)
    bad = bad if len(bad) else frame[outside | frame["path"].duplicated()]
    if len(bad):
        row = bad.iloc[0]
        raise DatasetInvalid(
            f"{path}: a row that can't be used (path {row['path']!r}, kind {row['kind']!r}, split {row['split']!r}).",
            "Each row needs its own path inside the data set, an identity, kind hr or vlr, and split train, val, test "
            "or nothing.",
        )


def is_outside(path: str) -> bool:
    """Whether a row's path is empty or leads outside its data set."""
    return path == "" or path.startswith("/") or "\\" in path or ":" in path or ".." in path.split("/")


def _to_info(said: Any, path: Path) -> DatasetInfo:
    wrong = DatasetInvalid(f"{path} doesn't describe a data set.", "Build the data set again.")
    if not isinstance(said, Mapping) or not isinstance(said.get("version"), int):
        raise wrong
    if said["version"] > VERSION:
        raise DatasetInvalid(
            f"{path} was written by a newer EdgeFace Studio (version {said['version']}, this one reads {VERSION}).",
            "Update EdgeFace Studio.",
        )
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "mode": (str,),
        "seed": (int, type(None)),
        "vlr_px": (int,),
        "synthetic": (bool,),
        "made_by": (str,),
        "source": (str,),
        "parameters": (dict,),
        "counts": (dict,),
        "version": (int,),
    }
    known = {f.name: said[f.name] for f in fields(DatasetInfo) if f.name in said}
    if "name" not in known or any(not isinstance(value, kinds[name]) for name, value in known.items()):
        raise wrong
    info = DatasetInfo(**known)
    if info.mode not in MODES:
        raise DatasetInvalid(
            f"{path}: unknown mode {info.mode!r}, expected one of {', '.join(MODES)}.", "Build the data set again."
        )
    return info


def _unreadable(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(f"{path} can't be read: {error.strerror or error}.", "Check its permissions.")
