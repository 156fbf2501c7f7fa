"""Upscalers: bicubic, and a trained DSR network loaded completely or not at all."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.images import from_tensor, resize, to_tensor
from core.settings import CROP_PX

Crop = NDArray[np.uint8]

FORMAT = "edgeface-studio-dsr-1"
"""Value of the safetensors metadata key `format` in a DSR file; `config` beside it is JSON: channels, blocks,
min_px, max_px."""


class UpscalerUnusable(CoreError):
    """A DSR file that is missing, damaged or not a DSR network of this project."""

    help_topic = "weights"


class Upscaler(Protocol):
    """Square uint8 RGB crops of any sizes below 112 px -> uint8 (N, 112, 112, 3).

    `id` tells templates apart: "bicubic", or the SHA-256 of the weights. `interpolates` is true when it adds nothing
    that cutting the crop at 112 px wouldn't.
    """

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def interpolates(self) -> bool: ...

    def upscale(self, crops: Sequence[Crop]) -> NDArray[np.uint8]: ...


class BicubicUpscaler:
    """Pillow's bicubic, rounded to 8 bits: the baseline that every DSR is measured against."""

    name = "bicubic"
    id = "bicubic"
    interpolates = True

    def upscale(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        if not crops:
            return np.zeros((0, CROP_PX, CROP_PX, 3), dtype=np.uint8)
        return np.stack([crop if crop.shape[0] == CROP_PX else resize(crop, CROP_PX) for crop in crops])


class DSRUpscaler:
    """A DSR network for the sizes that it was trained for; bicubic outside them."""

    interpolates = False

    def __init__(self, path: Path, device: str = "cpu") -> None:
        import torch

        self._network, self._min_px, self._max_px, self.id = _load_dsr(path)
        self._network = self._network.to(device, memory_format=torch.channels_last).eval()
        self._device = device
        self.name = path.stem

    def upscale(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        import torch

        out = np.zeros((len(crops), CROP_PX, CROP_PX, 3), dtype=np.uint8)
        by_size: dict[int, list[int]] = defaultdict(list)
        for position, crop in enumerate(crops):
            by_size[crop.shape[0]].append(position)
        for size, positions in by_size.items():
            batch = [crops[p] for p in positions]
            if not self._min_px <= size <= self._max_px:
                out[positions] = BicubicUpscaler().upscale(batch)
                continue
            with torch.inference_mode():
                out[positions] = from_tensor(self._network(to_tensor(batch, device=self._device)))
        return out


def bicubic() -> Upscaler:
    return BicubicUpscaler()


def load_upscaler(path: str | Path | None = None, *, device: str = "cpu") -> Upscaler:
    """None or "bicubic" -> bicubic; else the DSR file at `path` (safetensors). Raises UpscalerUnusable."""
    if path is None or str(path) == "bicubic":
        return bicubic()
    return DSRUpscaler(Path(path), device)


def _load_dsr(path: Path):  # type: ignore[no-untyped-def]  # torch types stay out of the signature: torch loads lazily
    """(network, min_px, max_px, sha256). Every key and shape must fit, and the config must be this format's."""
    from safetensors import SafetensorError, safe_open

    from core.sr.network import DSR, DSRConfig

    step = "Choose a DSR file that this project trained (.safetensors), or use bicubic."
    if not path.is_file():
        raise UpscalerUnusable(f"There is no upscaler file at {path}.", step)
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise UpscalerUnusable(f"{path.name} isn't a readable safetensors file.", step) from error
    if metadata.get("format") != FORMAT:
        raise UpscalerUnusable(f"{path.name} isn't a DSR network (format {metadata.get('format', 'none')!r}).", step)
    try:
        config = json.loads(metadata["config"])
        size = DSRConfig(channels=int(config["channels"]), blocks=int(config["blocks"]))
        if not (1 <= size.channels <= 256 and 1 <= size.blocks <= 64):
            raise ValueError(f"{size.channels} channels and {size.blocks} blocks are out of range")
        network = DSR(size)
        min_px, max_px = int(config["min_px"]), int(config["max_px"])
        network.load_state_dict(tensors, strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UpscalerUnusable(f"{path.name} doesn't fit the DSR network: {first[:160]}", step) from error
    with path.open("rb") as content:
        return network, min_px, max_px, hashlib.file_digest(content, "sha256").hexdigest()


def load_dsr(path: Path):  # type: ignore[no-untyped-def]  # as above
    """(network, the file's config as a dict) of a DSR file, for training. Raises UpscalerUnusable."""
    from safetensors import safe_open

    network, min_px, max_px, _ = _load_dsr(path)
    with safe_open(str(path), framework="pt") as file:
        config = json.loads((file.metadata() or {})["config"])
    return network, {"use_bicubic_px": [], **config, "min_px": min_px, "max_px": max_px}
