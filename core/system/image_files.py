"""Picture files in folders: the endings that are read, those that are refused by name, and what is no photograph."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
    }
)
"""The endings of the files that `read_image` reads."""

USUAL_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic")
"""Those that lists of endings name first."""

FORMATS_TEXT = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC"

_RAW = ("3fr", "arw", "cr2", "cr3", "crw", "dng", "erf", "kdc", "mrw", "nef", "nrw", "orf", "pef", "raf", "rw2", "srw")
UNREAD_SUFFIXES = {
    **{f".{ending}": f"a camera's raw photograph ({ending.upper()})" for ending in _RAW},
    ".jp2": "a JPEG 2000 picture",
    ".j2k": "a JPEG 2000 picture",
    ".jxl": "a JPEG XL picture",
    ".psd": "a Photoshop document",
    ".svg": "a drawing (SVG)",
    ".exr": "an OpenEXR picture",
    ".hdr": "a Radiance picture",
    ".tga": "a Targa picture",
    ".xcf": "a GIMP document",
    ".ppm": "a portable pixmap",
    ".pgm": "a portable pixmap",
}
"""Endings of pictures that aren't read, and what they are: such a file is listed, and refused by what it is."""

_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", UNREAD_SUFFIXES[".psd"]),
    (b"\xff\x0a", UNREAD_SUFFIXES[".jxl"]),
    (b"\0\0\0\x0cJXL ", UNREAD_SUFFIXES[".jxl"]),
    (b"\0\0\0\x0cjP  ", UNREAD_SUFFIXES[".jp2"]),
    (b"<svg", UNREAD_SUFFIXES[".svg"]),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer, whose file was never fetched"),
    (b"PK\x03\x04", "a ZIP archive"),
)
_STILL_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"heif"}
_READABLE = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")

_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "__macosx",
        "lost+found",
        "system volume information",
        "thumbnails",
    }
)
"""Files that network drives and systems add to folders of photographs: previews, deleted files, file attributes."""


def unread_kind(name: str) -> str:
    """What a file is, by its ending, when that is a picture which isn't read; "" otherwise."""
    return UNREAD_SUFFIXES.get(Path(name).suffix.lower(), "")


def kind_by_content(content: bytes) -> str:
    """What a file that no reader knows is, by its first bytes: "a PDF document", "" when they say nothing."""
    start = content[:64].lstrip()
    for signature, kind in _SIGNATURES:
        if start[: len(signature)].lower() == signature.lower():
            return kind
    return "a video" if content[4:8] == b"ftyp" and content[8:12] not in _STILL_BRANDS else ""


def claims_to_be_read(content: bytes) -> bool:
    """Whether the first bytes are those of a format that is read: a file that can't be opened then is damaged."""
    return content.startswith(_READABLE) or is_heif(content) or content[8:12] in (b"avif", b"avis", b"WEBP")


def is_heif(content: bytes) -> bool:
    """Whether the bytes begin a HEIF file, as cameras name HEIC; AVIF is none of these."""
    return content[4:8] == b"ftyp" and content[8:12] in _STILL_BRANDS - {b"avif", b"avis"}


def is_set_aside(name: str) -> bool:
    """A hidden file or folder, or one that a system or a network drive keeps for itself."""
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDERS


def is_picture(path: Path) -> bool:
    """A file that is a photograph by its name, of a format that is read or one that is refused by its name."""
    suffix = path.suffix.lower()
    return (suffix in IMAGE_SUFFIXES or suffix in UNREAD_SUFFIXES) and not path.name.startswith(".") and path.is_file()


def pictures_under(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """The pictures of a folder, at any depth, in order. `on_error` is given folders that can't be read."""
    for at, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not is_set_aside(name))
        yield from (path for name in sorted(names) if is_picture(path := Path(at, name)))


def endings_text() -> str:
    """The endings that are read, for a message: ".avif, .bmp, ..."."""
    return ", ".join(sorted(IMAGE_SUFFIXES))
