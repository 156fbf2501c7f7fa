"""Rejected photographs: rejected.csv with a reason for each, and thumbnails."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from core.csv_export import CsvLines
from core.dataset.errors import DatasetInvalid
from core.dataset.layout import REJECTED_NAME
from core.dataset.photograph import Photograph, Rejected
from core.errors import CoreError, StorageFailed
from core.images import RGB, read_image, resize

COLUMNS = ("source", "identity", "code", "reason", "file")
"""`source` as in the manifest; `file` is the path of the photograph."""

THUMBNAIL_PX = 160


def reject_row(photograph: Photograph, why: Rejected) -> dict[str, str]:
    """The row of one rejected photograph."""
    cells = (photograph.source, photograph.identity, why.code, why.reason, str(photograph.path))
    return dict(zip(COLUMNS, cells, strict=True))


def rejects_bytes(rows: Sequence[dict[str, str]]) -> bytes:
    """The rows as rejected.csv (see core.csv_export); undecodable file names keep their bytes."""
    buffer = io.StringIO(newline="")
    lines = CsvLines(buffer, COLUMNS)
    for row in rows:
        lines.add(row)
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def read_rejects(root: Path) -> pd.DataFrame:
    """The rejected photographs of the data set at `root`, all text; empty where none were. Raises DatasetInvalid."""
    path = root / REJECTED_NAME
    try:
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig", "surrogateescape"), newline=""), strict=True))
    except FileNotFoundError:
        rows = [list(COLUMNS)]
    except csv.Error as error:
        raise DatasetInvalid(f"{path} is damaged.", "Ingest the photographs again.") from error
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    if not rows or tuple(rows[0]) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise DatasetInvalid(f"{path} is damaged.", "Ingest the photographs again.")
    return pd.DataFrame([[cell.removeprefix("'") for cell in row] for row in rows[1:]], columns=list(COLUMNS))


def thumbnail(file: str | Path, side_px: int = THUMBNAIL_PX) -> RGB | None:
    """A rejected photograph, at most `side_px` wide and high; None where it can't be read (any more)."""
    try:
        rgb = read_image(Path(file))
    except CoreError:
        return None
    factor = side_px / max(rgb.shape[:2])
    return (
        rgb
        if factor >= 1
        else resize(rgb, (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor))))
    )
