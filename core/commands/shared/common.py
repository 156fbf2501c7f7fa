"""What commands share: their errors, questions and examples, and the paths and pipelines that options mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from core.commands.shared.printing import note, plain, progress_line, say
from core.errors import CoreError
from core.settings import Settings, load_settings
from core.system.server_address import is_server, server_address

if TYPE_CHECKING:
    from core.gallery.store import Gallery
    from core.pipeline import Pipeline, PipelineConfig
    from core.recognition.boxes import Box

_GLOB = frozenset("*?[")


class UsageMistake(CoreError):
    """A command line whose options can't be used, or not together."""


def example(*lines: str) -> str:
    """The epilogue of a command's help: its examples, one on each line."""
    return "\b\nExample:\n" + "\n".join(f"  edgeface-studio {line}" for line in lines)


def confirm(question: str) -> bool:
    """Ask on standard error and read the answer from standard input. Raises UsageMistake without an answer."""
    typer.echo(f"{plain(question)} [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        typer.echo("", err=True)
        raise UsageMistake("This needs a confirmation, and nobody answered.", "Add --yes to confirm in advance.")
    return answer.strip().lower() in ("y", "yes")


def confirm_or_exit(question: str, refusal: str, yes: bool = False) -> None:
    """Ask unless `yes`; after a no, print `refusal` and exit with 1. Raises UsageMistake without an answer."""
    if not yes and not confirm(question):
        say(refusal)
        raise typer.Exit(1)


def user_path(text: str) -> Path:
    """The path of an argument, with `~` expanded. Raises UsageMistake for an empty one and an unknown `~name`."""
    if not text.strip() or "\0" in text:
        raise UsageMistake("A path is empty.", "Name a file or folder.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageMistake(f"{text} names a home folder that isn't there.", "Write the path in full.") from error


def new_path(text: str) -> Path:
    """The path of a file to write. Raises UsageMistake when something is there already."""
    path = user_path(text)
    if path.exists():
        raise UsageMistake(f"{path} exists already.", "Choose another name.")
    return path


def gallery_place(settings: Settings, gallery_path: str | None) -> Path | str:
    """The path of the gallery, or the address of its server. Raises UsageMistake for an unusable one."""
    if gallery_path is not None and gallery_path.strip() == ":memory:":
        raise UsageMistake(
            "A gallery in memory ends with the command: nothing would be kept.", "Name a file for --gallery-path."
        )
    if gallery_path is None:
        return settings.gallery_path
    return server_address(gallery_path) if is_server(gallery_path) else user_path(gallery_path)


def open_gallery(gallery_path: str | None, *, create: bool = False) -> Gallery:
    """Open the gallery; unless `create`, it has to exist. Raises UsageMistake, GalleryError, StorageFailed."""
    from core.gallery.store import Gallery

    path = gallery_place(load_settings(), gallery_path)
    if not create and isinstance(path, Path) and not path.exists():
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
    weights = resolve_weights(settings, config.weights)
    if not config.skip_dsr:
        resolve_upscaler(settings, config.upscaler, weights)
    from core.pipeline import build_pipeline

    with progress_line("loading the encoder ..."):
        return build_pipeline(config, settings)


def boxes_of(texts: Sequence[str], photographs: Sequence[Path]) -> list[Box]:
    """The boxes that `--box x,y,w,h` means, in the only photograph. Raises UsageMistake."""
    if texts and len(photographs) > 1:
        many = f"--box goes with one photograph; {len(photographs)} were given."
        raise UsageMistake(many, "Name only the one that the box is in.")
    return [_box_of(text) for text in texts]


def _box_of(text: str) -> Box:
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageMistake(
            f"--box {text} isn't a box.",
            "Give four numbers in pixels, without spaces: left edge, top edge, width, height; such as 412,96,20,20.",
        ) from error
    return x, y, width, height


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
