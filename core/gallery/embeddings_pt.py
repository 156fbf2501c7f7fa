"""Read and write `my_gallery.pt`: names and embeddings as torch saves them, without executing anything in the file.

Such a file doesn't name its encoder, so the importer has to. torch is imported when a file is opened.
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.access.actor import require
from core.access.roles import Permission
from core.gallery.audit import write_audit
from core.gallery.errors import ImportRejected, NameInvalid
from core.gallery.import_merge import ImportReport, OnConflict, merge_people, person_of
from core.gallery.match import mean_of
from core.gallery.records import EMBEDDING_DIM, NewTemplate, Space
from core.gallery.store import Gallery
from core.gallery.validation import clean_name, name_key
from core.settings import CROP_PX
from core.system.atomic_file import write_atomically
from core.system.file_kinds import stray
from core.system.sqlite_files import is_open_here

SOURCE = "imported .pt"

MAX_FILE_BYTES = 1_000_000_000
MAX_EMBEDDINGS = 200_000

_NAME_KEYS = ("names", "labels", "identities", "user_ids", "users", "subjects", "people", "ids")
_EMBEDDING_KEYS = ("embeddings", "features", "vectors", "templates", "embedding", "vector", "gallery")
_REMARK_KEYS = ("version", "dim", "embedding_dim", "threshold", "model", "encoder", "created", "metadata", "config")
_SAVE = "Save a dict of name -> tensor of 512 numbers with torch.save, and import that."


def import_embeddings_pt(
    gallery: Gallery,
    source: Path | str | bytes,
    *,
    space: Space,
    on_conflict: OnConflict = "skip",
    actor: str = "local",
) -> ImportReport:
    """Import a `.pt` of names and embeddings as full-size templates of `space`, which the caller vouches for.

    Raises ImportRejected, and what `merge_people` raises; nothing is changed then.
    """
    people = [
        person_of(name, [NewTemplate(row, "hr", float(CROP_PX), source=SOURCE) for row in rows], space, gallery)
        for name, rows in read_embeddings_pt(source, dim=space.dim).items()
    ]
    return merge_people(gallery, people, on_conflict=on_conflict, actor=actor)


def read_embeddings_pt(source: Path | str | bytes, *, dim: int = EMBEDDING_DIM) -> dict[str, np.ndarray]:
    """{name: (k, dim) float32 unit rows} of a `.pt` file: one row for each embedding of that name.

    Understood: a dict name -> tensor (dim,) or (k, dim), or list of such; a dict that holds names (`names`,
    `labels`, `identities`, ...) beside embeddings (`embeddings`, `features`, `vectors`, ...) as a tensor (N,
    dim) or a list. Rows of any positive length are normalised. Raises ImportRejected: not such a file, code
    in it, zero or NaN rows.
    """
    loaded = _load(source)
    if not isinstance(loaded, dict):
        raise ImportRejected(f"The file holds a {type(loaded).__name__}, not a dict of names and embeddings.", _SAVE)
    pairs = _pairs(loaded, dim)
    if not pairs:
        raise ImportRejected("The file holds no embedding.", _SAVE)
    grouped: dict[str, list[np.ndarray]] = {}
    spellings: dict[str, str] = {}
    total = 0
    for given, value in pairs:
        name = _name(given)
        if spellings.setdefault(name_key(name), name) != name:
            raise ImportRejected(
                f"“{name}” and “{spellings[name_key(name)]}” differ only in case or spacing.", "Use one spelling."
            )
        rows = _unit(_rows(value, name, dim), name)
        grouped.setdefault(name, []).append(rows)
        total += len(rows)
        if total > MAX_EMBEDDINGS:
            raise ImportRejected(f"The file holds more than {MAX_EMBEDDINGS:,} embeddings.", "Import it in parts.")
    return {name: np.concatenate(rows) for name, rows in grouped.items()}


def write_embeddings_pt(gallery: Gallery, space: Space, path: Path | str) -> int:
    """Write a dict name -> (dim,) float32 mean embedding of everybody in `space`, and return their number.

    The mean is of a person's full-size templates, or of all that `space` meets where there is none. Written atomically;
    raises StorageFailed, NotAllowed.
    """
    import torch

    require(Permission.EXPORT)
    index = gallery.index(space)
    means = {}
    for position, name in enumerate(index.names):
        vectors, groups = index.means(position)
        full = [row for row, (kind, _) in zip(vectors, groups, strict=True) if kind == "hr"]
        means[name] = torch.from_numpy(mean_of(full or list(vectors)).copy())
    buffer = io.BytesIO()
    torch.save(means, buffer)
    with gallery.database.transaction() as connection:
        write_audit(connection, gallery.database.now(), "local", f"exported as .pt: {len(means)} identities")
    write_atomically(Path(path).expanduser(), buffer.getvalue())
    return len(means)


def _load(source: Path | str | bytes) -> Any:
    import torch

    name = "The file" if isinstance(source, bytes) else Path(source).name
    try:
        content = source if isinstance(source, bytes) else _read(Path(source).expanduser())
        if found := stray(content, "torch"):
            raise ImportRejected(f"{name} isn't a torch file: it is {found.what}.", found.next_step)
        _refuse_inflated(content, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except OSError as error:
        raise ImportRejected(f"{name} can't be read: {error.strerror or error}.", "Check the path.") from error
    except pickle.UnpicklingError as error:
        raise ImportRejected(
            f"{name} isn't plain tensors: it names code to run, or isn't a torch file. Nothing of it was run.", _SAVE
        ) from error
    except (
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        AssertionError,
        ImportError,
        ArithmeticError,
        MemoryError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        raise ImportRejected(f"{name} isn't a torch file of names and embeddings.", _SAVE) from error


def _read(path: Path) -> bytes:
    if is_open_here(path):
        raise ImportRejected(f"{path.name} is a gallery's database, no torch file.", _SAVE)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ImportRejected(f"{path.name} is larger than {MAX_FILE_BYTES // 10**9} GB.", "Import it in parts.")
    return path.read_bytes()


def _refuse_inflated(content: bytes, name: str) -> None:
    """torch stores its members uncompressed: a file that would unpack to more than itself is a trap."""
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return
    with zipfile.ZipFile(stream) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    if total > 2 * len(content) + 1_000_000:
        raise ImportRejected(f"{name} would unpack from {len(content):,} to {total:,} bytes.", _SAVE)


def _pairs(loaded: dict[Any, Any], dim: int) -> list[tuple[Any, Any]]:
    """(name, embedding or embeddings) of every entry, whichever form the file has."""
    keys = {key.casefold(): key for key in loaded if isinstance(key, str)}
    embeddings = next((loaded[keys[key]] for key in _EMBEDDING_KEYS if key in keys), None)
    listed = [_plain(loaded[keys[key]]) for key in _NAME_KEYS if key in keys]
    lists = [value for value in listed if isinstance(value, list | tuple)]
    if embeddings is not None and not isinstance(embeddings, dict) and lists:
        return _from_lists(lists, embeddings, dim)
    if isinstance(embeddings, dict):
        loaded = embeddings
    return [(name, _inner(value)) for name, value in loaded.items() if not _is_remark(name, value)]


def _from_lists(lists: list[Any], embeddings: Any, dim: int) -> list[tuple[Any, Any]]:
    rows = embeddings
    if not isinstance(rows, list | tuple):
        _rows(embeddings, "embeddings", dim)
        rows = list(embeddings.reshape(-1, dim))
    names = next((value for value in lists if len(value) == len(rows) and _are_text(value)), None)
    if names is None:
        names = next((value for value in lists if len(value) == len(rows)), None)
        others = [value for value in lists if _are_text(value)]
        if names is not None and others and all(type(n) is int and 0 <= n < len(others[0]) for n in names):
            names = [others[0][number] for number in names]
    if names is None:
        raise ImportRejected(
            f"The file holds {len(rows)} embeddings but {', '.join(str(len(value)) for value in lists)} names.",
            _SAVE,
        )
    return list(zip(names, rows, strict=True))


def _are_text(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1 else value


def _inner(value: Any) -> Any:
    """The embedding of an entry that is itself a dict, such as {"embedding": tensor, ...}."""
    if isinstance(value, dict):
        return next((value[key] for key in _EMBEDDING_KEYS if key in value), value)
    return value


def _is_remark(key: Any, value: Any) -> bool:
    return key in _REMARK_KEYS and not hasattr(value, "shape") and not isinstance(value, list | tuple)


def _name(given: Any) -> str:
    try:
        return clean_name(str(given) if type(given) is int else given)
    except NameInvalid as error:
        raise ImportRejected(f"A name in the file can't be used: {error.what}", error.next_step) from error


def _rows(value: Any, name: str, dim: int) -> np.ndarray:
    """(k, dim) float64 rows of a tensor, a list of `dim` numbers, or a list of either. Nothing large is made
    of it.
    """
    import torch

    if isinstance(value, list | tuple) and value and not all(type(item) in (int, float) for item in value):
        if len(value) > MAX_EMBEDDINGS or any(isinstance(item, list | tuple) and len(item) != dim for item in value):
            raise ImportRejected(f"“{name}”: expected a list of embeddings of {dim} numbers.", _SAVE)
        return np.concatenate([_rows(item, name, dim) for item in value])
    if isinstance(value, list | tuple) and all(type(item) in (int, float) for item in value):
        value = torch.tensor([float(item) for item in value], dtype=torch.float64)
    if not isinstance(value, torch.Tensor):
        raise ImportRejected(f"“{name}”: expected a tensor of {dim} numbers, got {type(value).__name__}.", _SAVE)
    fits = value.ndim in (1, 2) and value.shape[-1] == dim and 0 < value.numel() <= MAX_EMBEDDINGS * dim
    if not (fits and value.is_floating_point() and value.layout == torch.strided and not value.is_quantized):
        raise ImportRejected(
            f"“{name}”: expected floating-point numbers of shape ({dim},) or (k, {dim}), got {value.dtype} "
            f"{tuple(value.shape)}.",
            _SAVE,
        )
    return value.detach().to(torch.float64).reshape(-1, dim).numpy()


def _unit(rows: np.ndarray, name: str) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms < 1e-12).any():
        raise ImportRejected(f"“{name}” has an embedding that is zero, NaN or infinite.", "Encode that person again.")
    result: np.ndarray = (rows / norms).astype(np.float32)
    return result
