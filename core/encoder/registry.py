"""Which encoder weights are here, which of them are official files, and which are in use.

Official files are known by their content (git blob id), never by their name. What is in use stands in data/active.json
with its SHA-256, so that a file that was exchanged is noticed. Nothing here needs torch, except `use_weights`, which
loads a file completely before it takes it into use.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.encoder.errors import WeightsMissing, WeightsUnsafe
from core.encoder.variants import RECOMMENDED, VARIANTS, Variant
from core.errors import SettingsInvalid, StorageFailed
from core.settings import Settings, read_active, write_active

SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".safetensors"})
PREFERENCE = (RECOMMENDED, *(name for name in (f"{RECOMMENDED}_q", *VARIANTS) if name != RECOMMENDED))
"""Which official file is taken when none was chosen: the recommended one, its int8 version, then as published."""

_MAX_BYTES = 2_000_000_000
_BLOCK = 1 << 20


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights. `name` is the file's without its ending; `official` is the published file that it is,
    byte for byte, whatever it is called; `size_bytes` is its length."""

    path: Path
    name: str
    sha256: str
    git_blob_id: str
    official: Variant | None
    size_bytes: int


def describe(path: Path) -> WeightsFile:
    """The file at `path` with its hashes, which are kept in memory while size and time of change stay the same.

    Raises WeightsMissing when there is no such file, StorageFailed when it can't be read.
    """
    try:
        path = path.expanduser().resolve()
        stat = path.stat()
        if not path.is_file():
            raise WeightsMissing(f"{path} is no file.", "Choose a weights file (.pt, .safetensors).")
        hashes = _hashes_of_version(path, stat.st_size, stat.st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise WeightsMissing(f"There is no weights file at {path}.", "Check the path.") from error
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageFailed(f"{path} can't be read: {reason}.", "Check its permissions.") from error
    official = next((variant for variant in VARIANTS.values() if variant.git_blob_id == hashes.git_blob_id), None)
    return WeightsFile(path, path.stem, hashes.sha256, hashes.git_blob_id, official, stat.st_size)


@dataclass(frozen=True)
class Hashes:
    """SHA-256 of the bytes, and sha1(b"blob <size>\\0" + bytes) as git names them: 64 and 40 hexadecimal digits."""

    sha256: str
    git_blob_id: str


def hash_file(path: Path) -> Hashes:
    """Both hashes of a file as it is now. Raises OSError."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            blob.update(block)
    return Hashes(sha256.hexdigest(), blob.hexdigest())


@lru_cache(maxsize=256)
def _hashes_of_version(path: Path, size: int, mtime_ns: int) -> Hashes:
    return hash_file(path)


def official_variant(path: Path) -> Variant | None:
    """The published file that `path` is, byte for byte, or None. Raises what `describe` raises."""
    return describe(path).official


def scan(settings: Settings) -> list[WeightsFile]:
    """Every encoder file in data/weights, then data/models, by name. Super-resolution files and unreadable ones are
    left out."""
    found: list[WeightsFile] = []
    for folder in (settings.weights_dir, settings.models_dir):
        for path in _weight_paths(folder):
            try:
                found.append(describe(path))
            except (WeightsMissing, StorageFailed):
                continue  # gone or unreadable since the folder was listed
    return found


def _weight_paths(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return  # a folder that isn't there holds no weights
    for path in entries:
        try:
            fits = path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
            if fits and path.stat().st_size <= _MAX_BYTES and not _is_upscaler(path):
                yield path
        except OSError:
            continue


def _is_upscaler(path: Path) -> bool:
    """True for a safetensors file whose header says that it is a super-resolution network of this project."""
    if path.suffix.lower() != ".safetensors":
        return False
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= 10_000_000 else b""
    try:
        metadata = json.loads(header).get("__metadata__", {})
        return str(metadata.get("format", "")).startswith("edgeface-studio-dsr")
    except (ValueError, AttributeError):
        return False


def active_weights(settings: Settings) -> WeightsFile:
    """The weights in use: those chosen (data/active.json), else the first official file that is here.

    Raises WeightsMissing when there are none, or when the chosen file is gone or was changed; SettingsInvalid when
    data/active.json is damaged.
    """
    chosen = read_active(settings).get("encoder")
    if chosen is not None:
        return _chosen(settings, chosen)
    found = scan(settings)
    for folder in (settings.weights_dir, settings.models_dir):
        here = [file for file in found if file.path.is_relative_to(folder.resolve())]
        for name in PREFERENCE:
            for file in here:
                if file.official is not None and file.official.name == name:
                    return file
    # Not an official file: taken without being asked only where the project ships it.
    starters = [file for file in found if file.path.is_relative_to(settings.models_dir.resolve())]
    if starters:
        return starters[0]
    if found:
        raise WeightsMissing(
            f"No EdgeFace weights are in use, but {settings.weights_dir} holds {found[0].path.name}.",
            f"Use it: edgeface-studio weights use {found[0].name}; or fetch official ones: {fetch_command()}.",
        )
    raise WeightsMissing("No EdgeFace weights are here yet.", how_to_get(settings))


def _chosen(settings: Settings, entry: object) -> WeightsFile:
    if not (isinstance(entry, dict) and isinstance(entry.get("path"), str) and isinstance(entry.get("sha256"), str)):
        raise SettingsInvalid(
            f"{settings.active_path} doesn't say which weights are in use.",
            "Choose again: edgeface-studio weights use FILE-or-NAME.",
        )
    path = settings.data_dir / entry["path"]
    try:
        file = describe(path)
    except WeightsMissing as error:
        raise WeightsMissing(
            f"The weights in use are gone: there is no file at {path}.",
            f"Put it back, choose others (edgeface-studio weights use FILE-or-NAME) or fetch them: {fetch_command()}.",
        ) from error
    if file.sha256 != entry["sha256"]:
        raise WeightsMissing(
            f"The weights in use have changed since they were chosen: {path} has another content (SHA-256 "
            f"{file.sha256[:12]}..., expected {entry['sha256'][:12]}...).",
            f"If the new content is wanted: edgeface-studio weights use {file.name}; else put the old file back.",
        )
    return file


def resolve_weights(settings: Settings, weights: str | Path | None = None) -> Path:
    """Where the weights asked for lie: a path, the name of a stored or official file, or None for those in use.

    Raises WeightsMissing, StorageFailed, and SettingsInvalid when data/active.json is damaged.
    """
    if weights is None:
        return active_weights(settings).path
    return find_weights(settings, weights).path


def find_weights(settings: Settings, file_or_name: str | Path) -> WeightsFile:
    """The weights that a file's path or a name means. An official name means the official content, under any name.

    Raises WeightsMissing with what is there instead, StorageFailed.
    """
    text = str(file_or_name).strip()
    if not text or "\0" in text:
        raise WeightsMissing("No weights were named.", "Give a file or a name: edgeface-studio weights list.")
    stored = scan(settings)
    if not isinstance(file_or_name, Path) and os.sep not in text:
        name = text.removesuffix(".pt")
        by_content = [file for file in stored if file.official is not None and file.official.name == name]
        by_name = [file for file in stored if text in (file.name, file.path.name)]
        if by_content or by_name:
            return (by_content or by_name)[0]
        if name in VARIANTS and not _exists(Path(text)):
            raise WeightsMissing(
                f"The official weights {name} aren't here.",
                f"Fetch them: {fetch_command(name)}; or put {name}.pt into {settings.weights_dir}.",
            )
    path = Path(text).expanduser()
    if not _exists(path) and os.sep not in text:
        here = ", ".join(sorted({file.name for file in stored})) or "none"
        raise WeightsMissing(
            f"There are no weights called '{text[:80]}', and no such file.",
            f"Stored: {here}. Official names: {', '.join(VARIANTS)}.",
        )
    return describe(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # a name too long for a file


def use_weights(settings: Settings, file_or_name: str | Path) -> WeightsFile:
    """Take weights into use: load them completely, check their health, copy them into data/weights where they lie
    elsewhere, and note them in data/active.json.

    Nothing changes unless all of it succeeds. Raises what `find_weights` and `load_encoder` raise, and StorageFailed.
    """
    from core.encoder.encode import load_encoder

    file = find_weights(settings, file_or_name)
    encoder = load_encoder(file.path, device="cpu", check=True)
    if encoder.weights_sha256 != file.sha256:
        raise WeightsUnsafe(f"{file.path.name} changed while it was read.", "Try again when it is complete.")
    kept = _keep(settings, file)
    data_dir = settings.data_dir.resolve()
    path = kept.path.relative_to(data_dir) if kept.path.is_relative_to(data_dir) else kept.path
    write_active(settings, encoder={"path": path.as_posix(), "sha256": kept.sha256})
    return kept


def _keep(settings: Settings, file: WeightsFile) -> WeightsFile:
    """The same content inside data/weights or data/models: where it is already, else a copy."""
    for stored in scan(settings):
        if stored.sha256 == file.sha256:
            return stored
    ending = file.path.suffix.lower() if file.path.suffix.lower() in SUFFIXES else ".pt"
    stem = re.sub(r"[^\w.+-]+", "_", file.path.stem).strip(".") or "weights"
    temporary: Path | None = None
    try:
        settings.weights_dir.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".copy.", dir=settings.weights_dir)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as copy, file.path.open("rb") as original:
            shutil.copyfileobj(original, copy, _BLOCK)
            copy.flush()
            os.fsync(copy.fileno())
        if hash_file(temporary).sha256 != file.sha256:
            raise WeightsUnsafe(f"{file.path.name} changed while it was copied.", "Try again when it is complete.")
        target = free_path(settings.weights_dir, f"{stem}{ending}")
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise StorageFailed(
            f"{file.path.name} couldn't be copied into {settings.weights_dir}: {error.strerror or error}.",
            "Free space or check the folder's permissions.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return describe(target)


def free_path(folder: Path, name: str) -> Path:
    """`folder`/`name`, or with a number before the ending where a file of that name is there."""
    path = folder / name
    number = 2
    while path.exists():
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    return path


def fetch_command(name: str = RECOMMENDED) -> str:
    return f"edgeface-studio weights fetch {name}"


def how_to_get(settings: Settings) -> str:
    """One sentence with the three ways to weights: fetch, use a file, put one into the folder."""
    return (
        f"Fetch them: {fetch_command()}; or use a file you have: edgeface-studio weights use FILE; or put an official "
        f"file by hand into {settings.weights_dir}."
    )
