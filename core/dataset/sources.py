"""The photographs of a source as input of an ingest: path, identity and the names of their images."""

from __future__ import annotations

from pathlib import Path

from core.dataset.errors import SourceInvalid
from core.dataset.layout import HR, SPLITS, image_name
from core.dataset.manifest import COLUMNS
from core.dataset.photograph import Photograph, unique_names
from core.dataset.run_config import IngestOptions
from core.dataset.scan import scan


def list_photographs(source: Path, options: IngestOptions) -> list[Photograph]:
    """The photographs that `scan` finds, in its order. To align crops again, the HR crops of pairs are taken too.

    Raises SourceInvalid where there are none, and for photographs that should be aligned again.
    """
    aligned = True if options.align_again else options.aligned
    found = scan(source, layout=options.layout, pattern=options.pattern, columns=options.columns)
    if found.layout == "dataset" or (found.layout == "notes" and not options.align_again):
        raise SourceInvalid(
            f"{source} holds crops in pairs already ({found.why}).", "Build from it: edgeface-studio dataset build."
        )
    if options.align_again and not found.crops:
        raise SourceInvalid(
            f"{source} isn't known to hold aligned crops ({found.why}).",
            "Leave out aligning again, as photographs are aligned anyway, or name the layout crops.",
        )
    further = [column for column in found.frame.columns if column not in COLUMNS]
    frame = found.frame[found.frame["kind"] == HR] if options.align_again else found.frame
    rows = frame.to_dict("records")
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
