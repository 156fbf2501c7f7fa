"""The photographs of a source as input of an ingest: path, identity and the names of their images."""

from __future__ import annotations

from pathlib import Path

from core.dataset.errors import SourceInvalid
from core.dataset.layout import SPLITS, image_name
from core.dataset.manifest import COLUMNS
from core.dataset.photograph import Photograph, unique_names
from core.dataset.run_config import IngestOptions
from core.dataset.scan import scan


def list_photographs(source: Path, options: IngestOptions) -> list[Photograph]:
    """The photographs that `scan` finds, in its order. Raises SourceInvalid where there are none."""
    aligned = options.aligned
    found = scan(source, layout=options.layout, pattern=options.pattern, columns=options.columns)
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
