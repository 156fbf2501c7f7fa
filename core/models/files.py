"""Files of trained weights of any kind: location, hashes, headers, copies, and the chosen one. No torch here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError, SettingsInvalid, StorageFailed, WeightsMissing, WeightsUnsafe
from core.models.header import ENCODER_FORMAT
from core.models.onnx_metadata import read_onnx_metadata
from core.models.variants import VARIANTS, Variant
from core.settings import Settings
from core.system.sqlite_files import is_open_here

SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".safetensors"})
"""Endings of files of tensors."""

REPLACED = frozenset(
    {
        "577d69cd01e3b900d4d1b4061c4f55df35b58ee62aaa19a33f65150ccacbbe20",  # edgeface-xxs-starter, 25 November 2026
    }
)
"""SHA-256 of files that shipped in data/models until others took their names: a choice of one is that of the other."""

_MAX_BYTES = 2_000_000_000
_MAX_HEADER_BYTES = 10_000_000
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Hashes:
    """SHA-256 of the bytes, and sha1(b"blob <size>\\0" + bytes) as git names them: 64 and 40 hexadecimal digits."""

    sha256: str
    git_blob_id: str


@dataclass(frozen=True)
class FileFacts:
    """A file's resolved path, length and hashes, and the texts in its header ({} where it has none)."""

    path: Path
    size_bytes: int
    hashes: Hashes
    metadata: Mapping[str, str]


Origin = Literal["official", "starter", "fine-tuned", "other"]


@dataclass(frozen=True)
class WeightsFile:
    """A file of encoder weights.

    `name` is the file's without its ending; `official` the published file with the same bytes, under any name;
    `metadata` are the texts in its header.
    """

    path: Path
    name: str
    sha256: str
    git_blob_id: str
    official: Variant | None
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def origin(self) -> Origin:
        """Origin of the weights: published, trained by this project from random initialisation ("starter") or from
        other weights ("fine-tuned"), or unknown."""
        if self.official is not None:
            return "official"
        if self.metadata.get("format") != ENCODER_FORMAT:
            return "other"
        return "fine-tuned" if self.metadata.get("parent_sha256") else "starter"

    @property
    def origin_text(self) -> str:
        """The origin in words."""
        if self.official is not None:
            return f"official {self.official.name}"
        ours = {"starter": "trained from scratch by this project", "fine-tuned": "fine-tuned by this project"}
        return ours.get(self.origin, "not an official file")

    @property
    def product_name(self) -> str:
        """The variant's name in texts, as its header has it ("EdgeFace-XXS"); "EdgeFace" where it names none."""
        if self.official is not None:
            return self.official.hub or self.official.name
        named = VARIANTS.get(self.metadata.get("variant", ""))
        return (named.hub or named.name) if named is not None else "EdgeFace"


def file_facts(path: Path) -> FileFacts:
    """Return the facts of the file at `path`. Hashes are cached by size and modification time.

    Raises WeightsMissing when there is no such file, StorageFailed when it can't be read.
    """
    try:
        path = path.expanduser().resolve()
        stat = path.stat()
        if not path.is_file():
            raise WeightsMissing(f"{path} isn't a file.", "Choose a weights file (.pt, .safetensors).")
        if is_open_here(path):
            raise WeightsMissing(
                f"{path} is a database in use, not a weights file.", "Choose a weights file (.pt, .safetensors)."
            )
        hashes = _hashes_of_version(path, stat.st_size, stat.st_mtime_ns)
        return FileFacts(path, stat.st_size, hashes, read_metadata(path))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise WeightsMissing(f"There is no weights file at {path}.", "Check the path.") from error
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageFailed(f"{path} can't be read: {reason}.", "Check its permissions.") from error


def hash_file(path: Path) -> Hashes:
    """Compute both hashes of a file. Raises OSError."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            blob.update(block)
    return Hashes(sha256.hexdigest(), blob.hexdigest())


@lru_cache(maxsize=256)
def _hashes_of_version(path: Path, size: int, mtime_ns: int) -> Hashes:
    return hash_file(path)


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts of a safetensors header or an ONNX file's metadata; {} for any other file. Raises OSError."""
    if path.suffix.lower() == ".onnx":
        return read_onnx_metadata(path)
    if path.suffix.lower() != ".safetensors":
        return {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= _MAX_HEADER_BYTES else b""
    try:
        found = json.loads(header).get("__metadata__", {})
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError, RecursionError):  # another kind of file under that name
        return {}


def stored_paths(settings: Settings, suffixes: Collection[str] = SUFFIXES) -> Iterator[Path]:
    """Iterate over the files with these endings in data/weights, then data/models, by name; unreadable entries are
    skipped."""
    for folder in (settings.weights_dir, settings.models_dir):
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue  # a folder that isn't there holds no weights
        for path in entries:
            try:
                fits = path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
                if fits and path.stat().st_size <= _MAX_BYTES:
                    yield path
            except OSError:
                continue


def is_inside(folder: Path, path: Path) -> bool:
    """Whether the resolved `path` is inside `folder`."""
    return path.is_relative_to(folder.resolve())


def is_shipped(settings: Settings, file: WeightsFile) -> bool:
    """Whether weights are those of this project in data/models, which are used while no others were chosen."""
    return file.official is None and is_inside(settings.models_dir, file.path)


def origin_in_words(settings: Settings, file: WeightsFile) -> str:
    """The origin, and whether the weights ship with the program: "shipped, fine-tuned by this project"."""
    return f"shipped, {file.origin_text}" if is_shipped(settings, file) else file.origin_text


# What was chosen ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wording:
    """Words for errors about a choice ("the weights in use are gone"), and the argument of `weights use`."""

    subject: str
    are: str
    have: str
    they_were: str
    command: str


def chosen_file(
    settings: Settings, entry: object, wording: Wording, *, otherwise: str, fault: type[CoreError] = WeightsMissing
) -> FileFacts:
    """Return the file of an entry of data/active.json ({"path", "sha256"}), unchanged since it was chosen.

    A file in data/models that replaced one of REPLACED counts as unchanged: the program was updated. Raises `fault`
    when it is gone or was changed, and SettingsInvalid for an entry of another form. `otherwise` ends the advice for a
    file that is gone.
    """
    again = f"edgeface-studio weights use {wording.command}"
    if not (isinstance(entry, dict) and isinstance(entry.get("path"), str) and isinstance(entry.get("sha256"), str)):
        raise SettingsInvalid(
            f"{settings.active_path} doesn't say which {wording.subject} {wording.are} in use.",
            f"Choose again: {again}.",
        )
    path = settings.data_dir / entry["path"]
    try:
        file = file_facts(path)
    except WeightsMissing as error:
        raise fault(
            f"The {wording.subject} in use {wording.are} gone: there is no file at {path}.",
            f"Put it back, choose again ({again}) or {otherwise}.",
        ) from error
    updated = entry["sha256"] in REPLACED and is_inside(settings.models_dir, file.path)
    if file.hashes.sha256 != entry["sha256"] and not updated:
        raise fault(
            f"The {wording.subject} in use {wording.have} changed since {wording.they_were} chosen: {path} has another "
            f"content (SHA-256 {file.hashes.sha256[:12]}..., expected {entry['sha256'][:12]}...).",
            f"If the new content is wanted: edgeface-studio weights use {path.stem}; else put the old file back.",
        )
    return file


def choice_of(settings: Settings, path: Path, sha256: str) -> dict[str, str]:
    """Return a file's entry of data/active.json, with a path relative to the data folder if it is inside."""
    data_dir = settings.data_dir.resolve()
    kept = path.relative_to(data_dir) if path.is_relative_to(data_dir) else path
    return {"path": kept.as_posix(), "sha256": sha256}


# Copies -------------------------------------------------------------------------------------------------------------


def keep_copy(
    settings: Settings, path: Path, sha256: str, *, name: str = "", suffixes: Collection[str] = SUFFIXES
) -> Path:
    """Return the path of this content in data/weights or data/models, copied there as `name` (default: the file's own)
    unless it is stored.

    Raises StorageFailed, NotAllowed, and WeightsUnsafe when the file changed meanwhile.
    """
    require(Permission.WEIGHTS)
    for stored in stored_paths(settings, suffixes):
        try:
            if file_facts(stored).hashes.sha256 == sha256:
                return stored.resolve()
        except (WeightsMissing, StorageFailed):
            continue  # gone or unreadable since the folder was listed
    ending = path.suffix.lower() if path.suffix.lower() in suffixes else ".pt"
    stem = re.sub(r"[^\w.+-]+", "_", name or path.stem).strip(".") or "weights"
    temporary: Path | None = None
    try:
        settings.weights_dir.mkdir(parents=True, exist_ok=True)
        handle, hidden = tempfile.mkstemp(prefix=".copy.", dir=settings.weights_dir)
        temporary = Path(hidden)
        with os.fdopen(handle, "wb") as copy, path.open("rb") as original:
            shutil.copyfileobj(original, copy, _BLOCK)
            copy.flush()
            os.fsync(copy.fileno())
        if hash_file(temporary).sha256 != sha256:
            raise WeightsUnsafe(f"{path.name} changed while it was copied.", "Try again when it is complete.")
        target = free_path(settings.weights_dir, f"{stem}{ending}")
        temporary.replace(target)
    except OSError as error:
        raise StorageFailed(
            f"{path.name} couldn't be copied into {settings.weights_dir}: {error.strerror or error}.",
            "Free space or check the folder's permissions.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return target.resolve()


def free_path(folder: Path, name: str) -> Path:
    """Return `folder`/`name`, with a number before the ending where that exists."""
    path = folder / name
    number = 2
    while path.exists():
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    return path


def exists(path: Path) -> bool:
    """Whether `path` exists; False for text that can't be a path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
