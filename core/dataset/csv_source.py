"""Reader of a user's CSV: a path and an identity in each row; other columns are kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from core.dataset.errors import SourceInvalid
from core.dataset.layout import HR, SPLITS, VLR
from core.dataset.manifest import make_frame
from core.errors import StorageFailed

MAX_BYTES = 512_000_000


def read_csv(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table; `columns` maps "path" and "identity" to headings of the file's own. Paths are relative to the CSV's
    folder, or absolute. A missing `pair` is the path without its suffix, a missing `kind` "hr".

    Raises SourceInvalid (no such column, no rows, a row without a path or identity, a file that isn't there).
    """
    header, rows = _rows(path)
    wanted = {name: columns.get(name, name) for name in ("path", "identity")}
    for name, heading in wanted.items():
        if heading not in header:
            raise SourceInvalid(
                f"{path.name} has no column '{heading}': it has {', '.join(header)[:200]}.",
                f"Rename the column, or say which one is the {name}: --column {name}=HEADING.",
            )
    table = pd.DataFrame(rows, columns=header).rename(columns={heading: name for name, heading in wanted.items()})
    table = table.drop(columns=[c for c in ("sha256", "phash") if c in table.columns])
    for number, (file, identity) in enumerate(zip(table["path"], table["identity"], strict=True), start=2):
        if not file.strip() or not identity.strip():
            raise SourceInvalid(f"{path.name}, row {number}: the path or identity is empty.", "Fill it in.")
        if not (path.parent / file).is_file():
            raise SourceInvalid(
                f"{path.name}, row {number}: there is no file {file}.", "Paths go from the CSV's own folder."
            )
    if "kind" not in table.columns:
        table["kind"] = HR
    if "pair" not in table.columns:
        table["pair"] = [str(Path(file).with_suffix("")) for file in table["path"]]
    if "source" not in table.columns:
        table["source"] = table["path"]
    _refuse_unknown(table, path)
    return make_frame(table)


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    not_csv = SourceInvalid(f"{path.name} isn't a CSV in UTF-8 with a header.", "Export it as CSV (UTF-8) with commas.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceInvalid(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB.", "Choose the right file.")
        text = path.read_bytes().decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise not_csv from error
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror or error}.", "Check its permissions.") from error
    if not rows or "\0" in text:
        raise not_csv
    header = [cell.strip() for cell in rows[0]]
    if len(set(header)) < len(header):
        raise SourceInvalid(f"{path.name} has a column twice in its header.", "Give each column its own name.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise SourceInvalid(
                f"{path.name}, row {number}: {len(row)} cells where the header has {len(header)}.",
                "Put text that holds a comma into quotes.",
            )
    if len(rows) == 1:
        raise SourceInvalid(f"{path.name} has a header and no rows.", "List one image in each row.")
    return header, rows[1:]


def _refuse_unknown(table: pd.DataFrame, path: Path) -> None:
    for column, allowed in (("kind", (HR, VLR)), ("split", ("", *SPLITS))):
        if column in table.columns:
            other = sorted(set(table[column]) - set(allowed))
            if other:
                expected = ", ".join(value or "nothing" for value in allowed)
                raise SourceInvalid(f"{path.name}: {column} {other[0]!r} isn't known.", f"Use {expected}.")
    if table["path"].duplicated().any():
        twice = table.loc[table["path"].duplicated(), "path"].iloc[0]
        raise SourceInvalid(f"{path.name} lists {twice} twice.", "List each image once.")
