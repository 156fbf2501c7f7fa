"""Reading of checkpoint tensors without running code, by content and not by file name.

Only `torch.load(weights_only=True)` and safetensors read files. Two kinds need preparation: a TorchScript archive (its
code and constants are removed, leaving the pickled tensors) and a pickle that names foreign classes (each is replaced
by an inert class that accepts any state).
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from core.models.errors import WeightsMissing, WeightsUnsafe
from core.system.file_kinds import stray

UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    ArithmeticError,
    MemoryError,
    ImportError,
    AssertionError,
)
"""Exceptions of torch's reader on damaged files."""

Kind = Literal["state dict", "TorchScript", "safetensors"]

MAX_FILE_BYTES = 2_000_000_000
_SAFETENSORS_HEADER_MAX = 100_000_000


@dataclass(frozen=True)
class Archive:
    """Contents of a file: flat `tensors` (quantised ones dequantised), storage `kind`, text `metadata` (safetensors),
    other values by name, and the foreign classes that were made inert."""

    tensors: dict[str, Tensor]
    kind: Kind
    metadata: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    inert_classes: tuple[str, ...] = ()
    int8: bool = False


class _Inert:
    """Replacement of a class named in a pickle. Accepts construction and state; has no behaviour."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.arguments = args

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            self.__dict__.update(state)
        else:
            self.__dict__["state"] = state


def read_archive(path: Path) -> Archive:
    """Read every tensor of a `.pt`, `.pth`, `.ckpt` or `.safetensors` file, by content and not by name.

    Raises WeightsMissing when there is no such file, and WeightsUnsafe when it can't be read without executing
    something, is damaged, or holds no tensors at all.
    """
    if not path.is_file():
        raise WeightsMissing(f"There is no weights file at {path}.", "Check the path, or fetch official weights.")
    size = path.stat().st_size
    if found := stray(path, "torch"):
        raise WeightsUnsafe(f"{path.name} can't be read as weights: it is {found.what}.", found.next_step)
    if size > MAX_FILE_BYTES:
        raise WeightsUnsafe(
            f"{path.name} has {size / 1e9:.1f} GB; EdgeFace weights have at most 0.1 GB.",
            "Choose a weights file.",
        )
    from safetensors import SafetensorError  # torch passes files of that ending on, whatever they contain

    try:
        if _looks_like_safetensors(path, size):
            return _read_safetensors(path)
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        return _collect(_load(path), "state dict")
    except (*UNREADABLE, SafetensorError) as error:
        # torch's message advises loading without protection, so it stays in the cause.
        why = "it holds something other than tensors" if isinstance(error, pickle.UnpicklingError) else "it is damaged"
        raise WeightsUnsafe(
            f"{path.name} can't be read as weights: {why}, is cut off, or is of another kind. Nothing in it was run.",
            "Copy or download it again. PyTorch state dicts, TorchScript archives and safetensors are read.",
        ) from error


def _looks_like_safetensors(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    header = int.from_bytes(start[:8], "little")
    return len(start) == 9 and start[8:9] == b"{" and 2 <= header <= min(size - 8, _SAFETENSORS_HEADER_MAX)


def _read_safetensors(path: Path) -> Archive:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsUnsafe(
            f"{path.name} can't be read as weights: it is a damaged safetensors file.", "Copy or download it again."
        ) from error
    return Archive(tensors, "safetensors", metadata)


def _read_zip(path: Path) -> Archive:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        stored = sum(info.file_size for info in archive.infolist())
        if stored > MAX_FILE_BYTES:
            raise WeightsUnsafe(f"{path.name} would unpack to {stored / 1e9:.1f} GB.", "Choose a weights file.")
        if not any(name.endswith("/data.pkl") for name in names):
            raise WeightsUnsafe(
                f"{path.name} is a zip archive without PyTorch data in it.",
                "Choose a weights file (.pt, .safetensors).",
            )
        if not any(name.endswith("/constants.pkl") for name in names):
            return _collect(_load(path), "state dict")
        return _collect(_load(_without_code(archive)), "TorchScript")


def _without_code(archive: zipfile.ZipFile) -> io.BytesIO:
    """A TorchScript archive reduced to its pickled attributes and storages, as `torch.save` would lay them out."""
    reduced = io.BytesIO()
    with zipfile.ZipFile(reduced, "w", zipfile.ZIP_STORED) as out:
        for name in archive.namelist():
            folder, _, rest = name.partition("/")
            rest = "version" if rest == ".data/version" else rest  # where newer archives keep it
            if rest in ("data.pkl", "version", "byteorder") or rest.startswith("data/"):
                out.writestr(f"{folder}/{rest}", archive.read(name))
    reduced.seek(0)
    return reduced


def _load(source: Path | io.BytesIO) -> tuple[Any, tuple[str, ...]]:
    """The unpickled object, foreign classes replaced by inert stand-ins, and the names of those classes."""
    try:
        foreign = tuple(torch.serialization.get_unsafe_globals_in_checkpoint(_rewound(source)))
    except ValueError:
        # Files older than PyTorch 1.6 can't be listed; weights_only alone decides about them.
        foreign = ()
    stand_ins: list[Any] = [(type("Inert", (_Inert,), {}), name) for name in foreign]
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        # Quantised tensors and typed storages are deprecated; both are turned into plain floats right away.
        warnings.simplefilter("ignore")
        return torch.load(_rewound(source), map_location="cpu", weights_only=True), foreign


def _rewound(source: Path | io.BytesIO) -> Any:
    if isinstance(source, io.BytesIO):
        source.seek(0)
        return source
    return str(source)


def _collect(loaded: tuple[Any, tuple[str, ...]], kind: Kind) -> Archive:
    content, foreign = loaded
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    quantised = False
    for name, leaf in _leaves(content, "", set()):
        if name.endswith("._packed_params._packed_params"):
            # torch's dynamic int8 Linear: (quantised weight, bias) under one key.
            layer = name.removesuffix("._packed_params._packed_params")
            tensors[f"{layer}.weight"] = _plain(leaf[0])
            if len(leaf) > 1 and isinstance(leaf[1], Tensor):
                tensors[f"{layer}.bias"] = _plain(leaf[1])
            quantised = True
        elif isinstance(leaf, Tensor):
            quantised |= leaf.is_quantized
            tensors[name] = _plain(leaf)
        else:
            values[name] = leaf
    for layer in [
        name.removesuffix("._packed_params.dtype") for name in values if name.endswith("_packed_params.dtype")
    ]:
        # Scale and zero point of an int8 layer's output: unused by dynamic quantisation.
        for leftover in (f"{layer}.scale", f"{layer}.zero_point"):
            tensors.pop(leftover, None)
    if not tensors:
        raise WeightsUnsafe("The file holds no tensors.", "Choose a file of weights, not of results or settings.")
    return Archive(tensors, kind, {}, values, foreign, quantised)


def _plain(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return (tensor.dequantize() if tensor.is_quantized else tensor).clone()


def _leaves(node: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """(dotted name, leaf) of a nest of dicts and inert objects. A packed int8 Linear comes as one leaf."""
    if isinstance(node, _Inert):
        node = node.__dict__
    if isinstance(node, Mapping):
        if id(node) in seen:
            return
        seen.add(id(node))
        for key, value in node.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key), seen)
    elif prefix:
        yield prefix, node
