"""`identify photos`: recognise the faces of photographs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.enroll.app import PhotosByDefault
from core.commands.shared.common import UsageMistake, example, gallery_file, image_files, open_gallery, user_path
from core.commands.shared.option_types import (
    DEFAULT_THRESHOLD,
    GalleryOption,
    JsonOption,
    ThresholdOption,
    TieMarginOption,
)
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import PipelineOptions
from core.commands.shared.printing import note, progress, say, say_json
from core.errors import CoreError, StorageFailed
from core.settings import TIE_MARGIN, load_settings
from core.system.text import count

if TYPE_CHECKING:
    from core.csv_export import CsvLines
    from core.pipeline import Pipeline
    from core.recognition.results import Recognition


group = typer.Typer(cls=PhotosByDefault, help="Say who is in photographs, or in video.", rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="identify")


@group.command(
    "photos",
    epilog=example(
        "identify photo.jpg",
        "identify photos/ --csv found.csv",
        "identify group.jpg --all-faces --json",
        "identify video hall.mp4",
    ),
)
@takes_options
def identify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Photographs, folders of them, or patterns.")],
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write the results as CSV while they are computed; - for standard output."
        ),
    ] = None,
    as_json: JsonOption = False,
    gallery_path: GalleryOption = None,
    size: Annotated[
        Literal["16", "24", "32"] | None,
        typer.Option("--size", help="Simulate distance: shrink the photograph until its face has this many px."),
    ] = None,
    all_faces: Annotated[
        bool, typer.Option("--all-faces", help="Recognise every face of a photograph, not only one.")
    ] = False,
    threshold: ThresholdOption = DEFAULT_THRESHOLD,
    tie_margin: TieMarginOption = TIE_MARGIN,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Number of candidates to show for each face.")] = None,
    options: PipelineOptions = PipelineOptions(),
) -> None:
    """Say who is in photographs: a match, unknown, or unrecognisable with the reason.

    Every face is compared with everybody in the gallery who was enrolled with the same weights. Two names whose
    scores are too close are a tie; when one name fits two faces of a photograph, the better face keeps it and the other
    is a repeat. A tie and a repeat name nobody. A file that can't be read gets a row with the reason; the command exits
    with 2 only when none can be read.
    """
    if csv == "-" and as_json:
        raise UsageMistake("--json and --csv - both want standard output.", "Give --csv a file, or drop one of them.")
    if csv is not None and csv != "-" and user_path(csv).is_dir():
        raise UsageMistake(f"--csv {csv} is a folder.", "Name a file.")
    paths = image_files(files)
    open_gallery(gallery_path).close()
    pipeline = options.pipeline(
        recognition_threshold=threshold,
        tie_margin=tie_margin,
        gallery_path=gallery_file(load_settings(), gallery_path),
        top_k=5 if top_k is None else top_k,
    )
    quiet = as_json or csv == "-"
    with pipeline.gallery.store as store, _csv_writer(csv) as write:
        if lost := pipeline.gallery.elsewhere:
            were = "was" if lost == 1 else "were"
            people = count(store.size, "person", "people")
            note(f"{lost} of {people} {were} enrolled with other weights or settings and can't be found.")
            note("Re-embed them: edgeface-studio gallery reembed")
        results, unreadable = _identify(pipeline, paths, int(size) if size else None, all_faces, quiet, top_k, write)
        protocol = _protocol(pipeline, size, results)
    for warning in dict.fromkeys(str(row["warning"]) for row in results if row["warning"]):
        note(warning)
    if as_json:
        say_json({"protocol": protocol, "results": results})
    elif csv != "-":
        from core.recognition.decision import counted

        counts = counted(str(row["outcome"]) for row in results)
        summary = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        here = count(protocol["gallery_size"], "person", "people")
        say(f"{summary}. {_thresholds(results, threshold)}, {here} in the gallery.")
    if len(unreadable) == len(paths):
        first = unreadable[0]
        raise (
            first
            if len(paths) == 1
            else UsageMistake(f"None of the {len(paths)} files could be read; the first: {first.what}", first.next_step)
        )
    if unreadable:
        note(f"{len(unreadable)} of {count(len(paths), 'file')} couldn't be read.")


def _identify(
    pipeline: Pipeline,
    paths: list[Path],
    size: int | None,
    all_faces: bool,
    quiet: bool,
    top_k: int | None,
    write: WriteRow,
) -> tuple[list[dict[str, Any]], list[CoreError]]:
    """The rows of all faces in order, each written once it is known, and the errors of unreadable files."""
    from core.recognition.batch import recognise_files

    rows: list[dict[str, Any]] = []
    unreadable: list[CoreError] = []
    results = recognise_files(pipeline, paths, reduce_to_px=size, every=all_faces)
    for number, result in enumerate(results, start=1):
        progress(f"{number} of {len(paths)}")
        if result.error is not None:
            unreadable.append(result.error)
            rows.append(_unreadable_row(result.path, result.error))
            write(rows[-1])
            if not quiet:
                progress("")
                say(f"{result.path}: unreadable ({result.error.what.rstrip('.')})")
            continue
        for face, recognition in enumerate(result.faces, start=1):
            rows.append(_row(result.path, face, recognition))
            write(rows[-1])
            if not quiet:
                progress("")
                _print_row(rows[-1], len(result.faces), top_k)
    progress("")
    return rows, unreadable


def _row(path: Path, face: int, result: Recognition) -> dict[str, Any]:
    quality = result.quality
    return {
        "file": str(path),
        "face": face,
        "outcome": result.outcome,
        "identity": result.identity,
        "possible": list(result.possible),
        "nearest": result.top_k[0].name if result.top_k else None,
        "score": _rounded(result.score),
        "threshold": result.threshold,
        "calibrated": result.calibrated,
        "warning": result.warning,
        "margin": _rounded(result.margin),
        "reason": result.reason,
        "probe_px": _rounded(result.probe_px, 1),
        "taken": result.taken,
        "size_px": result.size_px,
        "upscaler": result.upscaler,
        "box_share": [round(v, 4) for v in result.probe.box_share] if result.probe and result.probe.box_share else None,
        "quality": {k: _rounded(v, 3) for k, v in vars(quality).items()} if quality else None,
        "problems": [problem.code for problem in result.problems],
        "top_k": [{"identity": c.name, "score": _rounded(c.score)} for c in result.top_k],
        "timings_ms": {step: _rounded(ms, 2) for step, ms in result.timings_ms.items()},
    }


def _thresholds(results: list[dict[str, Any]], asked: float) -> str:
    """The threshold that decided and whether it was calibrated: "Threshold 0.45 (calibrated)"."""
    decided = [row for row in results if row["score"] is not None]
    used = sorted({f"{row['threshold']:.2f}" for row in decided}) or [f"{asked:.2f}"]
    calibrated = sum(bool(row["calibrated"]) for row in decided)
    if asked != DEFAULT_THRESHOLD:
        how = "given"
    elif calibrated:
        some = f" for {calibrated} of {count(len(decided), 'face')}"
        how = "calibrated" + ("" if calibrated == len(decided) else some)
    else:
        how = "default, not calibrated" if used == [f"{DEFAULT_THRESHOLD:.2f}"] else "not calibrated for this gallery"
    said = used[0] if len(used) == 1 else f"{used[0]} to {used[-1]}"
    return f"Threshold {said} ({how})"


def _unreadable_row(path: Path, error: CoreError) -> dict[str, Any]:
    """A row with every column, empty except for the reason."""
    from core.recognition.results import Recognition

    empty = _row(path, 0, Recognition("unrecognisable", error.what))
    return {**empty, "outcome": "unreadable", "threshold": None, "calibrated": None}


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(float(value), digits)


def _print_row(row: dict[str, Any], faces: int, top_k: int | None) -> None:
    where = f"{row['file']}, face {row['face']}" if faces > 1 else row["file"]
    crop = " aligned crop" if row.get("taken") == "crop" else ""
    size = f", {row['probe_px']:.0f} px{crop}" if row.get("probe_px") is not None else ""
    if row.get("upscaler"):
        size += f", enlarged by {row['upscaler']}"
    margin = f", {row['margin']:.2f} ahead of the next" if row.get("margin") is not None else ""
    if row["outcome"] == "match":
        say(f"{where}: {row['identity']} ({row['reason']}{margin}{size})")
    else:
        say(f"{where}: {row['outcome']} ({row['reason']}{size})")
    if top_k is not None:
        for place, candidate in enumerate(row.get("top_k", ()), start=1):
            say(f"    {place}. {candidate['identity']} {candidate['score']:.2f}")


def _protocol(pipeline: Pipeline, size: str | None, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "encoder": pipeline.encoder.name,
        "weights_sha256": pipeline.encoder.weights_sha256,
        "upscaler": pipeline.upscaler.name,
        "flip_tta": pipeline.encoder.flip_tta,
        "threshold": pipeline.config.recognition_threshold,
        "tie_margin": pipeline.config.tie_margin,
        "calibrated": any(row["calibrated"] for row in results),
        "reduced_to_px": int(size) if size else None,
        "gallery_size": pipeline.gallery.size,
    }


_CSV_COLUMNS = (
    "file",
    "face",
    "outcome",
    "identity",
    "possible",
    "nearest",
    "score",
    "threshold",
    "calibrated",
    "margin",
    "probe_px",
    "taken",
    "size_px",
    "upscaler",
    "reason",
    "warning",
)


WriteRow = Callable[[dict[str, Any]], None]


@contextmanager
def _csv_writer(target: str | None) -> Iterator[WriteRow]:
    """A function that writes a row of results to the CSV asked for: a file, standard output ("-"), or nowhere (None).

    Rows are written one by one, so an interrupted command leaves the finished ones. Raises StorageFailed.
    """
    if target is None:
        yield lambda row: None
        return
    from core.csv_export import CsvLines

    if target == "-":
        yield _cells_of(CsvLines(sys.stdout, _CSV_COLUMNS, mark=False))
        return
    path, rows = user_path(target), 0
    try:
        file = path.open("w", encoding="utf-8", errors="replace", newline="")
        write = _cells_of(CsvLines(file, _CSV_COLUMNS))
    except OSError as error:
        raise _not_written(path, error) from error

    def write_and_count(row: dict[str, Any]) -> None:
        nonlocal rows
        try:
            write(row)
        except OSError as error:
            raise _not_written(path, error) from error
        rows += 1

    with file:
        try:
            yield write_and_count
        except KeyboardInterrupt:
            note(f"Stopped; {path} has {rows} {'row' if rows == 1 else 'rows'} of what was done.")
            raise


def _not_written(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        f"{path} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
    )


def _cells_of(lines: CsvLines) -> WriteRow:
    from core.recognition.results import POSSIBLE

    return lambda row: lines.add({**row, "possible": POSSIBLE.join(row["possible"])})
