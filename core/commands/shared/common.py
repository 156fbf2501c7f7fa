"""Options and printing of the commands, and the pipelines and paths that options mean."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.errors import CoreError
from core.settings import UNCALIBRATED_THRESHOLD, Settings, load_settings
from core.system.text import columns_of, printable

if TYPE_CHECKING:
    from core.gallery.store import Gallery
    from core.pipeline import Pipeline, PipelineConfig

_GLOB = frozenset("*?[")


class UsageMistake(CoreError):
    """A command line whose options can't be used, or not together."""


GalleryOption = Annotated[
    str | None, typer.Option("--gallery-path", metavar="FILE", help="The gallery's file; default: data/gallery.db.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", metavar="FILE|NAME", help="Encoder weights for this run; default: those in use."),
]
UpscalerOption = Annotated[
    str | None,
    typer.Option(
        "--upscaler",
        metavar="FILE|NAME",
        help="Upscaler of small faces: a DSR file or bicubic; default: the one in use.",
    ),
]
SkipDsrOption = Annotated[bool, typer.Option("--skip-dsr", help="Enlarge small faces by bicubic interpolation.")]
TtaOption = Annotated[
    bool, typer.Option("--use-tta", help="Also embed the mirror image of each face: slightly better, half as fast.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
ThresholdOption = Annotated[
    float, typer.Option("--threshold", help="Accept a cosine >= this. The default isn't calibrated.")
]
TieMarginOption = Annotated[
    float,
    typer.Option(
        "--tie-margin",
        min=0.0,
        max=1.0,
        help="Name nobody if the two best scores differ by at most this; 0: only if they are equal.",
    ),
]
FacesOption = Annotated[
    Literal["largest", "centre"], typer.Option("--faces", help="Which face of a photograph to use.")
]
AlignedOption = Annotated[
    bool | None,
    typer.Option(
        "--aligned/--not-aligned",
        help="Treat images as aligned crops, or never; default: squares of at most 64 px that look aligned.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Name for the audit trail.")]

DEFAULT_THRESHOLD = UNCALIBRATED_THRESHOLD


def example(*lines: str) -> str:
    """The epilogue of a command's help: its examples, one on each line."""
    return "\b\nExample:\n" + "\n".join(f"  edgeface-studio {line}" for line in lines)


# Printing ----------------------------------------------------------------------------------------------------------


def plain(text: object) -> str:
    """`text` on one line without control characters, so that a file's name can't control the terminal."""
    return printable(" ".join(str(text).split())).encode("utf-8", "replace").decode("utf-8")


def say(text: str = "") -> None:
    """Print a line of the result to standard output."""
    typer.echo("  " * ((len(text) - len(text.lstrip(" "))) // 2) + plain(text))


def note(text: str) -> None:
    """Print a remark to standard error."""
    typer.echo(f"note: {plain(text)}", err=True)


def say_json(value: Any) -> None:
    """Print `value` as JSON to standard output, in ASCII, which every terminal's encoding can show."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, default=str))


def say_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: columns as wide as their widest cell, left-aligned, separated by two spaces."""
    cells = [[plain("" if cell is None else cell) for cell in row] for row in (header, *rows)]
    widths = [max(columns_of(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = [cell + " " * (width - columns_of(cell)) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(padded).rstrip())


def progress(text: str) -> None:
    """Replace the last line of standard error if it is a terminal; "" clears the line."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{plain(text)}", err=True, nl=False)


def confirm(question: str) -> bool:
    """Ask on standard error and read the answer from standard input. Raises UsageMistake without an answer."""
    typer.echo(f"{plain(question)} [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        typer.echo("", err=True)
        raise UsageMistake("This needs a confirmation, and nobody answered.", "Add --yes to confirm in advance.")
    return answer.strip().lower() in ("y", "yes")


# Building ----------------------------------------------------------------------------------------------------------


def user_path(text: str) -> Path:
    """The path of an argument, with `~` expanded. Raises UsageMistake for an empty one and an unknown `~name`."""
    if not text.strip() or "\0" in text:
        raise UsageMistake("A path is empty.", "Name a file or folder.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageMistake(f"{text} names a home folder that isn't there.", "Write the path in full.") from error


def gallery_file(settings: Settings, gallery_path: str | None) -> Path:
    """The path of the gallery. Raises UsageMistake for an unusable one."""
    if gallery_path is not None and gallery_path.strip() == ":memory:":
        raise UsageMistake(
            "A gallery in memory ends with the command: nothing would be kept.", "Name a file for --gallery-path."
        )
    return settings.gallery_path if gallery_path is None else user_path(gallery_path)


def open_gallery(gallery_path: str | None, *, create: bool = False) -> Gallery:
    """Open the gallery; unless `create`, it has to exist. Raises UsageMistake, GalleryError, StorageFailed."""
    from core.gallery.store import Gallery

    path = gallery_file(load_settings(), gallery_path)
    if not create and not path.exists():
        where = "" if gallery_path is None else f" --gallery-path {path}"
        raise UsageMistake(
            f"There is no gallery at {path} yet.",
            f"Enrol a person first: edgeface-studio enroll --user-id NAME --photos FILE{where}.",
        )
    return Gallery.open(path, create=create)


def build(config: PipelineConfig) -> Pipeline:
    """Build the pipeline. Files are resolved first, which needs no import of torch."""
    from core.models.encoders import resolve_weights
    from core.models.upscalers import resolve_upscaler

    settings = load_settings()
    resolve_weights(settings, config.weights)
    if not config.skip_dsr:
        resolve_upscaler(settings, config.upscaler)
    from core.pipeline import build_pipeline

    progress("loading the encoder ...")
    try:
        return build_pipeline(config, settings)
    finally:
        progress("")


def image_files(items: Sequence[str]) -> list[Path]:
    """The image files of arguments: of a folder the images directly in it, of a pattern the files that it matches.

    A missing file stays in the list and is reported when it is read. Raises UsageMistake when a folder or
    pattern holds no image, or when nothing was named.
    """
    from core.system.image_files import endings_text, is_picture

    found: list[Path] = []
    for item in items:
        path = user_path(item)
        try:
            is_dir, exists = path.is_dir(), path.exists()
        except OSError:  # a name too long, a loop of links: reading it raises the error
            is_dir, exists = False, True
        if is_dir:
            inside = [file for file in _listed(path) if is_picture(file)]
            _note_subfolders(path, inside)
        elif not exists and _GLOB & set(item):
            inside = sorted(_matching(item))
        else:
            inside = [path]
        if not inside:
            kind = "The folder" if is_dir else "The pattern"
            raise UsageMistake(f"{kind} {item} holds no image.", f"Images end in {endings_text()}.")
        found.extend(inside)
    if not found:
        raise UsageMistake("No photograph was named.", "Name image files or a folder of them.")
    return found


def _note_subfolders(folder: Path, inside: Sequence[Path]) -> None:
    """Print a note about images in subfolders, which aren't used. Raises UsageMistake when the folder has no others."""
    from core.system.image_files import pictures_under

    deeper = sum(1 for path in pictures_under(folder, lambda error: None) if path.parent != folder)
    if deeper and not inside:
        raise UsageMistake(
            f"{folder} holds no image itself; its folders hold {deeper}.",
            "Name those folders, or a pattern such as 'FOLDER/**/*.jpg'; many people: `enroll folder`.",
        )
    if deeper:
        note(f"{folder}: {deeper} more in folders of its own, not taken.")


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise UsageMistake(f"{folder} can't be read: {error.strerror}.", "Check its permissions.") from error


def _matching(pattern: str) -> list[Path]:
    import glob

    return [Path(name) for name in glob.glob(str(user_path(pattern)), recursive=True)]  # noqa: PTH207
