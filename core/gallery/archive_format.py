"""The portable gallery file (.efgallery): a zip of JSON, plain arrays and crops, each with its SHA-256.

manifest.json names the format, its version, the encoders and every other member with size and SHA-256; identities.json
holds names, notes and the templates' descriptions; vectors-<n>.npy the embeddings of encoder n; crops/<number>.img the
encoded crops. Every part is checked before it is used (`core.gallery.archive_models`).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from core.errors import CoreError
from core.gallery.errors import ImportRejected
from core.gallery.records import NewTemplate, Space
from core.gallery.validation import MAX_CROP_BYTES, check_template, clean_name, clean_note, name_key, unit_rows
from core.system.sqlite_files import is_open_here

if TYPE_CHECKING:
    from core.gallery.archive_models import ArchiveEncoder, ArchiveIdentity, ArchiveMember

FORMAT = "edgeface-gallery"
VERSION = 1
SUFFIX = ".efgallery"

MAX_FILE_BYTES = 2_000_000_000
MAX_JSON_BYTES = 256_000_000
MAX_INFLATION = 10
"""Largest ratio of unpacked to packed size. `write_gallery_archive` doesn't compress at all."""

_MANIFEST = "manifest.json"
_IDENTITIES = "identities.json"
_MEND = "Export it again from the gallery it came from."


@dataclass(frozen=True, eq=False)
class ArchiveTemplate:
    """A template of an archive, its space and when it was added."""

    template: NewTemplate
    space: Space
    added_at: datetime


@dataclass(frozen=True, eq=False)
class ArchivePerson:
    """An identity of an archive, with its templates."""

    name: str
    note: str
    enrolled_at: datetime
    templates: tuple[ArchiveTemplate, ...]


@dataclass(frozen=True, eq=False)
class Archive:
    """The checked content of a portable gallery file."""

    people: tuple[ArchivePerson, ...]
    created_at: datetime

    @property
    def templates(self) -> int:
        """Number of templates."""
        return sum(len(person.templates) for person in self.people)

    @property
    def encoders(self) -> list[str]:
        """Names of the encoders that made the templates."""
        return sorted({item.space.encoder_name for person in self.people for item in person.templates})

    @property
    def has_crops(self) -> bool:
        """Whether the archive contains pictures of faces."""
        return any(item.template.crop is not None for person in self.people for item in person.templates)


def write_gallery_archive(file: BinaryIO, people: Iterable[ArchivePerson], created_at: datetime) -> None:
    """Write a portable gallery. `people` is consumed one by one, so that a large gallery needs little memory."""
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

    Raises ImportRejected: no such file, another format or a newer one, damaged, or content that no gallery can hold.
    Nothing in the file is executed, and no path in it is used.
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
    from core.gallery.archive_models import ArchiveIdentity, Manifest, ManifestHeader, read_json  # pydantic takes 0.1 s

    entries = {entry.filename: entry for entry in archive.infolist()}
    if _MANIFEST not in entries:
        raise ImportRejected("The file is no gallery export: there is no manifest.json in it.", _MEND)
    total = sum(entry.file_size for entry in entries.values())
    if len(entries) != len(archive.infolist()) or total > MAX_INFLATION * size + 1_000_000:
        raise ImportRejected(f"The file would unpack from {size:,} to {total:,} bytes, or repeats itself.", _MEND)
    content_of_manifest = _content(archive, entries[_MANIFEST], MAX_JSON_BYTES)
    header = read_json(ManifestHeader, content_of_manifest, _MANIFEST)
    if header.format != FORMAT:
        raise ImportRejected("The file is no gallery export: its manifest is of another format.", _MEND)
    if header.version > VERSION:
        raise ImportRejected(
            f"A newer EdgeFace Studio wrote this file (format {header.version}, this one knows {VERSION}).",
            "Update EdgeFace Studio, then import it again.",
        )
    manifest = read_json(Manifest, content_of_manifest, _MANIFEST)
    members = manifest.members
    unlisted = set(entries) - set(members) - {_MANIFEST}
    if unlisted or set(members) - set(entries):
        odd = sorted(unlisted or set(members) - set(entries))[0]
        raise ImportRejected(f"The manifest and the content differ, first at {odd[:100]!r}.", _MEND)
    content = {name: _member(archive, entries[name], listed) for name, listed in members.items()}
    matrices = []
    for number, encoder in enumerate(manifest.encoders):
        name = _vectors_name(number)
        if name not in content:
            raise ImportRejected(f"The file has no {name}, the vectors of encoder {number}.", _MEND)
        matrices.append(unit_rows(_plain_array(content.pop(name), encoder.dim), encoder.dim))
    if _IDENTITIES not in content:
        raise ImportRejected(f"The file has no {_IDENTITIES}.", _MEND)
    identities = read_json(list[ArchiveIdentity], content.pop(_IDENTITIES), _IDENTITIES)
    people = tuple(_person(identity, manifest.encoders, matrices, content) for identity in identities)
    if content:
        raise ImportRejected(f"The file holds something that belongs to nobody: {sorted(content)[0]!r}.", _MEND)
    keys = [name_key(person.name) for person in people]
    if len(set(keys)) != len(keys):
        raise ImportRejected("The file holds the same name twice.", _MEND)
    return Archive(people, manifest.created_at)


def _person(
    identity: ArchiveIdentity,
    encoders: Sequence[ArchiveEncoder],
    matrices: Sequence[np.ndarray],
    crops: dict[str, bytes],
) -> ArchivePerson:
    templates = []
    for described in identity.templates:
        if described.encoder >= len(encoders) or described.row >= len(matrices[described.encoder]):
            raise ImportRejected(
                f"A template names vector {described.row} of encoder {described.encoder}, which the file doesn't have.",
                _MEND,
            )
        if described.crop is not None and described.crop not in crops:
            raise ImportRejected(f"A template names the crop {described.crop[:100]!r}, which isn't its own.", _MEND)
        encoder, matrix = encoders[described.encoder], matrices[described.encoder]
        space = Space(
            encoder_name=encoder.name,
            weights_sha256=encoder.weights_sha256,
            upscaler=described.upscaler,
            flip_tta=described.flip_tta,
            dim=matrix.shape[1],
        )
        template = NewTemplate(
            vector=matrix[described.row],
            kind=described.kind,
            probe_px=described.probe_px,
            size_px=described.size_px,
            image_sha256=described.image_sha256,
            crop=None if described.crop is None else crops.pop(described.crop),
            source=described.source,
            recognisability=described.recognisability,
        )
        check_template(template, space)
        templates.append(ArchiveTemplate(template, space, described.added_at))
    return ArchivePerson(
        name=clean_name(identity.name),
        note=clean_note(identity.note),
        enrolled_at=identity.enrolled_at,
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
        "recognisability": template.recognisability,
    }


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, listed: ArchiveMember) -> bytes:
    limit = MAX_CROP_BYTES if entry.filename.startswith("crops/") else MAX_FILE_BYTES
    content = _content(archive, entry, MAX_JSON_BYTES if entry.filename == _IDENTITIES else limit)
    if (len(content), hashlib.sha256(content).hexdigest()) != (listed.bytes, listed.sha256):
        raise ImportRejected(f"{entry.filename[:100]!r} is damaged: its checksum differs.", _MEND)
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
