"""`identify photos`: recognise the faces of photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.enroll.app import PhotosByDefault
from core.commands.identify.results_csv import WriteRow, csv_writer
from core.commands.shared.common import (
    UsageMistake,
    boxes_of,
    example,
    gallery_place,
    image_files,
    open_gallery,
    user_path,
)
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
from core.errors import CoreError
from core.settings import TIE_MARGIN, load_settings
from core.system.text import count

if TYPE_CHECKING:
    from core.pipeline import Pipeline
    from core.recognition.batch import FileResult
    from core.recognition.boxes import Box
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
        "identify hall.jpg --box 412,96,20,20",
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
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H",
            help="Recognise the face in this box (pixels), where detection misses it; may be repeated.",
        ),
    ] = None,
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

    With --box no face is detected: the face in each box is used, in one photograph. Draw it from forehead to chin; x
    and y are its left and top edge, counted from the photograph's top left corner.
    """
    if csv == "-" and as_json:
        raise UsageMistake("--json and --csv - both want standard output.", "Give --csv a file, or drop one of them.")
    if csv is not None and csv != "-" and user_path(csv).is_dir():
        raise UsageMistake(f"--csv {csv} is a folder.", "Name a file.")
    if box and all_faces:
        raise UsageMistake("--box and --all-faces both choose the faces.", "Drop one of them.")
    if box and options.aligned:
        raise UsageMistake("--aligned takes the picture as the face, so it needs no --box.", "Drop one of them.")
    from core.gallery.template_replacement import other_upscalers
    from core.models.active import other_small_faces

    paths = image_files(files)
    boxes = boxes_of(box or (), paths)
    open_gallery(gallery_path).close()
    pipeline = options.pipeline(
        recognition_threshold=threshold,
        tie_margin=tie_margin,
        gallery_path=gallery_place(load_settings(), gallery_path),
        top_k=5 if top_k is None else top_k,
    )
    quiet = as_json or csv == "-"
    with pipeline.gallery.store as store, csv_writer(csv) as write:
        if lost := pipeline.gallery.elsewhere:
            were = "was" if lost == 1 else "were"
            people = count(store.size, "person", "people")
            note(f"{lost} of {people} {were} enrolled with other weights or settings and can't be found.")
            note("Re-embed them: edgeface-studio gallery reembed")
        others = other_small_faces(load_settings(), other_upscalers(store, pipeline.space), pipeline.space)
        if others is not None and not others.searched:
            note(f"{others.what} {others.next_step}")
        faces = _faces(pipeline, paths, int(size) if size else None, all_faces, boxes)
        results, unreadable = _rows(faces, len(paths), quiet, top_k, write)
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


def _faces(
    pipeline: Pipeline, paths: list[Path], size: int | None, every: bool, boxes: list[Box]
) -> Iterator[FileResult]:
    """The faces of each file, or those in boxes of the only file."""
    from core.recognition.batch import FileResult, recognise_files

    if boxes:
        [path] = paths
        return iter([FileResult(path, tuple(pipeline.run_all(path, reduce_to_px=size, boxes=boxes)))])
    return recognise_files(pipeline, paths, reduce_to_px=size, every=every)


def _rows(
    results: Iterator[FileResult], files: int, quiet: bool, top_k: int | None, write: WriteRow
) -> tuple[list[dict[str, Any]], list[CoreError]]:
    """The rows of all faces in order, each written once it is known, and the errors of unreadable files."""
    rows: list[dict[str, Any]] = []
    unreadable: list[CoreError] = []
    for number, result in enumerate(results, start=1):
        progress(f"{number} of {files}")
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
    crop = {"crop": " aligned crop", "box": " in the box"}.get(row.get("taken") or "", "")
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
