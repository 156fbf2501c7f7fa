"""The portable gallery file (.efgallery): a zip of JSON, plain arrays and crops, each with its SHA-256.

manifest.json names the format, its version, the encoders and every other member with size and SHA-256;
identities.json holds names, notes and what belongs to each template; vectors-<n>.npy the embeddings of
encoder n; crops/<number>.img the encoded crops. Reading believes none of it before it has been checked.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.errors import CoreError
from core.gallery.errors import ImportRejected
from core.gallery.json_fields import as_list, as_moment, as_object, as_real, as_text, as_whole, parse_json
from core.gallery.records import NewTemplate, Space
from core.gallery.validation import MAX_CROP_BYTES, check_template, clean_name, clean_note, name_key, unit_rows
from core.system.sqlite_files import is_open_here

FORMAT = "edgeface-gallery"
VERSION = 1
SUFFIX = ".efgallery"

MAX_FILE_BYTES = 2_000_000_000
MAX_JSON_BYTES = 256_000_000
MAX_INFLATION = 10
"""How many times its own size a file may unpack to. What `write_gallery_archive` makes isn't compressed at all."""

_MANIFEST = "manifest.json"
_IDENTITIES = "identities.json"
_MEND = "Export it again from the gallery it came from."


@dataclass(frozen=True, eq=False)
class ArchiveTemplate:
    """A template on its way: what is stored, where it belongs, and since when."""

    template: NewTemplate
    space: Space
    added_at: datetime


@dataclass(frozen=True, eq=False)
class ArchivePerson:
    """An identity on its way, with its templates."""

    name: str
    note: str
    enrolled_at: datetime
    templates: tuple[ArchiveTemplate, ...]


@dataclass(frozen=True, eq=False)
class Archive:
    """What a portable file holds, checked."""

    people: tuple[ArchivePerson, ...]
    created_at: datetime

    @property
    def templates(self) -> int:
        """How many templates there are in all."""
        return sum(len(person.templates) for person in self.people)

    @property
    def encoders(self) -> list[str]:
        """The names of the encoders that made them."""
        return sorted({item.space.encoder_name for person in self.people for item in person.templates})

    @property
    def has_crops(self) -> bool:
        """Whether pictures of faces are in it."""
        return any(item.template.crop is not None for person in self.people for item in person.templates)


def write_gallery_archive(file: BinaryIO, people: Iterable[ArchivePerson], created_at: datetime) -> None:
    """Write a portable gallery. People are taken one at a time, so that a large gallery needs little memory."""
    members: dict[str, dict[str, object]] = {}
    encoders: dict[tuple[str, int], dict[str, Any]] = {}
    vectors: list[list[np.ndarray]] = []
    listed: list[dict[str, object]] = []
    crops = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:

        def add(name: str, content: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name), content)
            if name != _MANIFEST:
                members[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}

        for person in people:
            templates = []
            for item in person.templates:
                key = (item.space.weights_sha256, item.space.dim)
                if key not in encoders:
                    encoders[key] = {
                        "number": len(encoders),
                        "name": item.space.encoder_name,
                        "weights_sha256": item.space.weights_sha256,
                        "dim": item.space.dim,
                    }
                    vectors.append([])
                number = int(encoders[key]["number"])
                crop_name = None
                if item.template.crop is not None:
                    crop_name = f"crops/{crops:07d}.img"
                    add(crop_name, item.template.crop)
                    crops += 1
                templates.append(_describe(item, number, len(vectors[number]), crop_name))
                vectors[number].append(item.template.vector)
            listed.append(
                {
                    "name": person.name,
                    "note": person.note,
                    "enrolled_at": person.enrolled_at.isoformat(),
                    "templates": templates,
                }
            )
        for number, rows in enumerate(vectors):
            buffer = io.BytesIO()
            np.save(buffer, np.stack(rows).astype("<f4"), allow_pickle=False)
            add(_vectors_name(number), buffer.getvalue())
        add(_IDENTITIES, _json(listed))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": created_at.isoformat(),
            "encoders": list(encoders.values()),
            "identities": len(listed),
            "members": members,
        }
        add(_MANIFEST, _json(manifest))


def read_gallery_archive(source: Path | str | bytes) -> Archive:
    """Read and check a portable gallery, from a path or from its bytes.

    Raises ImportRejected, saying what is wrong: no such file, another format or a newer one, damaged, or
    content that no gallery could hold. Nothing of the file is run, and no path in it is ever used.
    """
    name = "The file" if isinstance(source, bytes) else Path(source).name
    if not isinstance(source, bytes) and is_open_here(Path(source)):
        raise ImportRejected(f"{name} is a gallery's database, no export.", "Export it first: gallery export FILE.")
    try:
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if size > MAX_FILE_BYTES:
            raise ImportRejected(f"{name} is larger than {MAX_FILE_BYTES // 10**9} GB.", "Export fewer people at once.")
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            return _read(archive, size)
    except zipfile.BadZipFile as error:
        raise ImportRejected(f"{name} is no gallery export: it isn't a whole zip file.", _MEND) from error
    except OSError as error:
        raise ImportRejected(f"{name} can't be read: {error.strerror or error}.", "Check the path.") from error
    except (zlib.error, EOFError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ImportRejected(f"{name} is damaged or was made by something else: {error}.", _MEND) from error
    except ImportRejected:
        raise
    except CoreError as error:
        raise ImportRejected(f"{name} holds what a gallery can't: {error.what}", _MEND) from error


def _read(archive: zipfile.ZipFile, size: int) -> Archive:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if _MANIFEST not in entries:
        raise ImportRejected("The file is no gallery export: there is no manifest.json in it.", _MEND)
    total = sum(entry.file_size for entry in entries.values())
    if len(entries) != len(archive.infolist()) or total > MAX_INFLATION * size + 1_000_000:
        raise ImportRejected(f"The file would unpack from {size:,} to {total:,} bytes, or repeats itself.", _MEND)
    manifest = as_object(parse_json(_content(archive, entries[_MANIFEST], MAX_JSON_BYTES)))
    if manifest.get("format") != FORMAT:
        raise ImportRejected("The file is no gallery export: its manifest is of another format.", _MEND)
    version = as_whole(manifest, "version", 1, 10**6)
    if version > VERSION:
        raise ImportRejected(
            f"A newer EdgeFace Studio wrote this file (format {version}, this one knows {VERSION}).",
            "Update EdgeFace Studio, then import it again.",
        )
    members = as_object(manifest["members"])
    unlisted = set(entries) - set(members) - {_MANIFEST}
    if unlisted or set(members) - set(entries):
        odd = sorted(unlisted or set(members) - set(entries))[0]
        raise ImportRejected(f"The manifest and the content differ, first at {odd[:100]!r}.", _MEND)
    encoders = [as_object(encoder) for encoder in as_list(manifest["encoders"])]
    content = {name: _member(archive, entries[name], as_object(members[name])) for name in members}
    matrices = []
    for number, encoder in enumerate(encoders):
        dim = as_whole(encoder, "dim", 1, 65_536)
        matrices.append(unit_rows(_plain_array(content.pop(_vectors_name(number)), dim), dim))
    listed = as_list(parse_json(content.pop(_IDENTITIES)))
    people = tuple(_person(as_object(entry), encoders, matrices, content) for entry in listed)
    if content:
        raise ImportRejected(f"The file holds something that belongs to nobody: {sorted(content)[0]!r}.", _MEND)
    keys = [name_key(person.name) for person in people]
    if len(set(keys)) != len(keys):
        raise ImportRejected("The file holds the same name twice.", _MEND)
    return Archive(people, as_moment(manifest, "created_at"))


def _person(
    entry: dict[str, Any], encoders: list[dict[str, Any]], matrices: list[np.ndarray], crops: dict[str, bytes]
) -> ArchivePerson:
    templates = []
    for described in map(as_object, as_list(entry["templates"])):
        number = as_whole(described, "encoder", 0, len(encoders) - 1)
        row = as_whole(described, "row", 0, len(matrices[number]) - 1)
        space = Space(
            encoder_name=as_text(encoders[number], "name", 200),
            weights_sha256=as_text(encoders[number], "weights_sha256", 200),
            upscaler=as_text(described, "upscaler", 200),
            flip_tta=described["flip_tta"] is True,
            dim=matrices[number].shape[1],
        )
        crop_name = described.get("crop")
        template = NewTemplate(
            vector=matrices[number][row],
            kind=described["kind"],
            probe_px=as_real(described, "probe_px"),
            size_px=described["size_px"],
            image_sha256=as_text(described, "image_sha256", 200),
            crop=None if crop_name is None else crops.pop(str(crop_name)),
            source=as_text(described, "source", 1000),
        )
        check_template(template, space)
        templates.append(ArchiveTemplate(template, space, as_moment(described, "added_at")))
    return ArchivePerson(
        name=clean_name(as_text(entry, "name", 1000)),
        note=clean_note(as_text(entry, "note", 20_000)),
        enrolled_at=as_moment(entry, "enrolled_at"),
        templates=tuple(templates),
    )


def _describe(item: ArchiveTemplate, encoder: int, row: int, crop_name: str | None) -> dict[str, object]:
    template = item.template
    return {
        "encoder": encoder,
        "row": row,
        "kind": template.kind,
        "probe_px": template.probe_px,
        "size_px": template.size_px,
        "upscaler": item.space.upscaler,
        "flip_tta": item.space.flip_tta,
        "image_sha256": template.image_sha256,
        "source": template.source,
        "added_at": item.added_at.isoformat(),
        "crop": crop_name,
    }


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, described: dict[str, Any]) -> bytes:
    limit = MAX_CROP_BYTES if entry.filename.startswith("crops/") else MAX_FILE_BYTES
    content = _content(archive, entry, limit if entry.filename != _IDENTITIES else MAX_JSON_BYTES)
    sums = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if sums != described:
        raise ImportRejected(f"The checksum of {entry.filename[:100]!r} is wrong: the file is damaged.", _MEND)
    return content


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    if entry.file_size > limit or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ImportRejected(f"{entry.filename[:100]!r} is too large or packed in an unknown way.", _MEND)
    with archive.open(entry) as member:
        content = member.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise ImportRejected(f"{entry.filename[:100]!r} isn't as long as the file says.", _MEND)
    return content


def _plain_array(content: bytes, dim: int) -> np.ndarray:
    """The (N, dim) float32 array of an .npy member; its header is checked before anything is allocated."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ImportRejected("The vectors are in an unknown form of .npy.", _MEND)
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=1000)
    data = content[stream.tell() :]
    if dtype != np.dtype("<f4") or by_column or len(shape) != 2 or shape[1] != dim:
        raise ImportRejected(f"Expected vectors as float32 (N, {dim}), got {dtype} {shape}.", _MEND)
    if len(data) != 4 * dim * shape[0]:
        raise ImportRejected(f"The vectors take {len(data):,} bytes, expected {4 * dim * shape[0]:,}.", _MEND)
    return np.frombuffer(data, dtype="<f4").reshape(shape)


def _vectors_name(number: int) -> str:
    return f"vectors-{number}.npy"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")
