"""The photographs that a scan found, as an ingest takes them: where they lie, whose, their images' names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.dataset.errors import SourceInvalid
from core.dataset.layout import SPLITS, image_name
from core.dataset.manifest import COLUMNS
from core.dataset.photograph import Photograph, unique_names
from core.dataset.scan import scan


def list_photographs(
    source: Path,
    *,
    layout: str | None = None,
    pattern: str | None = None,
    columns: Mapping[str, str] | None = None,
    aligned: bool | None = None,
) -> list[Photograph]:
    """What `scan` finds, in its order. `aligned`: they are faces cut and aligned before; None = as recognised.

    Raises SourceInvalid where there is nothing to take faces from.
    """
    found = scan(source, layout=layout, pattern=pattern, columns=columns)
    if found.layout in ("notes", "dataset"):
        raise SourceInvalid(
            f"{source} holds crops in pairs already ({found.why}).", "Build from it: edgeface-studio dataset build."
        )
    further = [column for column in found.frame.columns if column not in COLUMNS]
    rows = found.frame.to_dict("records")
    if not rows:
        raise SourceInvalid(f"{source} holds no photographs.", "Choose a folder with a folder for each person.")
    names = unique_names([image_name(str(row["identity"]), Path(str(row["path"])).stem) for row in rows])
    return [
        Photograph(
            path=found.root / str(row["path"]),
            identity=str(row["identity"]),
            name=name,
            source=str(row["path"]),
            split=str(row["split"]) if row.get("split") in SPLITS else "",
            aligned=True if aligned is None and found.layout == "crops" else aligned,
            further={str(column): str(row[column]) for column in further},
        )
        for row, name in zip(rows, names, strict=True)
    ]
