"""Upscalers: bicubic, and a trained DSR network, which is loaded completely or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.images import VLR_PROBE_PX, from_tensor, resize, to_tensor, vlr_size
from core.models.files import file_facts
from core.models.header import DSR_FORMAT, is_specialist
from core.models.specialists import Specialist
from core.settings import CROP_PX, VLR_SIZES_PX
from core.sr.trial import UpscalerUnusable
from core.system.cpu import cpu_has_bfloat16
from core.system.file_kinds import stray

Crop = NDArray[np.uint8]

FORMAT = DSR_FORMAT
"""Value of the safetensors metadata key `format` in a DSR file. The key `config` is JSON: channels, blocks, min_px,
max_px, and use_bicubic_px, the sizes (16, 24, 32) at which bicubic measured better."""

BICUBIC = "bicubic"
"""Name and id of the upscaler that only interpolates."""


@dataclass(frozen=True)
class Route:
    """The way of a face size: the upscaler's `name`, whether its `network` enlarges, and `because`: why not, as the end
    of a sentence, or "". `specialist`: interpolation enlarges, and the specialist called `name` embeds."""

    name: str
    network: bool
    because: str = ""
    specialist: bool = False


_BICUBIC_ROUTE = Route(BICUBIC, network=False)


class Upscaler(Protocol):
    """Square uint8 RGB crops of any sizes up to 112 px -> uint8 (N, 112, 112, 3).

    A crop of 112 px passed to `super_resolve` was cut from a small face at that size in one step, which preserves more
    detail than a crop at the face's own size.

    `id` identifies the upscaler in templates: "bicubic", or the SHA-256 of the weights. `interpolates` is true when it
    adds no detail. `bicubic_px` are the VLR sizes (16, 24, 32) that it leaves to bicubic. `specialist` is the encoder
    that takes an upscaler's place, None for an upscaler proper.
    """

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def interpolates(self) -> bool: ...

    @property
    def bicubic_px(self) -> tuple[int, ...]: ...

    @property
    def specialist(self) -> Specialist | None: ...

    def route(self, probe_px: float) -> Route:
        """Return the upscaler of a probe of that size."""

    def upscale(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        """Enlarge crops, each by the upscaler that its route names."""

    def super_resolve(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        """Enlarge crops by the network regardless of routes."""


class BicubicUpscaler:
    """Pillow's bicubic, rounded to 8 bits: the baseline of every DSR network."""

    name = BICUBIC
    id = BICUBIC
    interpolates = True
    bicubic_px: tuple[int, ...] = ()
    specialist: Specialist | None = None

    def route(self, probe_px: float) -> Route:
        return _BICUBIC_ROUTE

    def super_resolve(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        return self.upscale(crops)

    def upscale(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        if not crops:
            return np.zeros((0, CROP_PX, CROP_PX, 3), dtype=np.uint8)
        return np.stack([crop if crop.shape[0] == CROP_PX else resize(crop, CROP_PX) for crop in crops])


class DirectFeed(BicubicUpscaler):
    """A specialist in an upscaler's place: bicubic enlarges, and the specialist embeds faces up to its `max_px`."""

    def __init__(self, specialist: Specialist) -> None:
        self.specialist = specialist
        self.name, self.id = specialist.name, specialist.sha256
        self._max_px = specialist.max_px

    def route(self, probe_px: float) -> Route:
        if probe_px > self._max_px:
            return Route(BICUBIC, False, f"{self.name} is for faces of up to {self._max_px} px")
        return Route(self.name, network=False, specialist=True)


class DSRUpscaler:
    """A DSR network at the sizes where it was trained and measured better; bicubic at all others."""

    interpolates = False
    specialist: Specialist | None = None

    def __init__(self, path: Path, device: str = "cpu") -> None:
        import torch

        self._network, self._scope, self.id = _load_dsr(path)
        # bfloat16 takes half the time and differs by 1 of 255 levels.
        halved = torch.device(device).type == "cpu" and cpu_has_bfloat16()
        precision = torch.bfloat16 if halved else torch.float32
        self._network = self._network.to(device, precision, memory_format=torch.channels_last).eval()
        self._device = device
        self.name = path.stem
        self.bicubic_px = self._scope.bicubic_px
        self.parameters = sum(int(tensor.numel()) for tensor in self._network.parameters())

    def route(self, probe_px: float) -> Route:
        result: Route = self._scope.route(probe_px, self.name)
        return result

    def upscale(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        out = np.zeros((len(crops), CROP_PX, CROP_PX, 3), dtype=np.uint8)
        through = [self.route(crop.shape[0]).network for crop in crops]
        for network, enlarge in ((True, self.super_resolve), (False, BicubicUpscaler().upscale)):
            positions = [position for position, each in enumerate(through) if each is network]
            if positions:
                out[positions] = enlarge([crops[position] for position in positions])
        return out

    def super_resolve(self, crops: Sequence[Crop]) -> NDArray[np.uint8]:
        import torch

        if not crops:
            return np.zeros((0, CROP_PX, CROP_PX, 3), dtype=np.uint8)
        batch = to_tensor(list(BicubicUpscaler().upscale(crops)), device=self._device)
        with torch.inference_mode():
            return from_tensor(self._network(batch))


@dataclass(frozen=True)
class Scope:
    """Sizes of a DSR network: trained from `min_px` to `max_px`, except `bicubic_px` where bicubic measured better."""

    min_px: int
    max_px: int
    bicubic_px: tuple[int, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Scope:
        """Parse a DSR file's config. Raises KeyError, TypeError, ValueError for one of another form."""
        sizes = tuple(sorted({int(px) for px in config.get("use_bicubic_px") or ()}))
        if not set(sizes) <= set(VLR_SIZES_PX):
            raise ValueError(f"use_bicubic_px holds {sizes}, expected some of {VLR_SIZES_PX}")
        return cls(int(config["min_px"]), int(config["max_px"]), sizes)

    def route(self, probe_px: float, name: str) -> Route:
        """Return the upscaler of a probe of that size. Above 40 px faces count as full size and are never
        super-resolved; a full-size template belongs to no upscaler."""
        size = vlr_size(probe_px)
        if size is None:
            return Route(BICUBIC, False, f"above {VLR_PROBE_PX:.0f} px nothing is super-resolved")
        if not self.min_px <= round(probe_px) <= self.max_px:
            return Route(BICUBIC, False, f"{name} was trained for {self.min_px} to {self.max_px} px")
        if size in self.bicubic_px:
            return Route(BICUBIC, False, f"it measures better at {size} px")
        return Route(name, True)


def bicubic() -> Upscaler:
    return BicubicUpscaler()


def load_upscaler(path: str | Path | None = None, *, device: str = "cpu") -> Upscaler:
    """None or "bicubic" -> bicubic; else the DSR or the specialist at `path` (safetensors). Of a specialist only the
    header is read here: its network is an encoder's. Raises UpscalerUnusable."""
    if path is None or str(path) == "bicubic":
        return bicubic()
    specialist = _specialist(Path(path))
    return DSRUpscaler(Path(path), device) if specialist is None else DirectFeed(specialist)


def _specialist(path: Path) -> Specialist | None:
    try:
        facts = file_facts(path)
    except CoreError:  # a missing file, which `_load_dsr` reports
        return None
    return Specialist.of(facts) if is_specialist(facts.metadata) else None


def _load_dsr(path: Path):  # type: ignore[no-untyped-def]  # torch types stay out of the signature: torch loads lazily
    """(network, scope, sha256). Every key and shape must fit, and the config must be this format's."""
    from safetensors import SafetensorError, safe_open

    from core.sr.network import DSR, DSRConfig

    step = "Choose a DSR file that this project trained (.safetensors), or use bicubic."
    if not path.is_file():
        raise UpscalerUnusable(f"There is no upscaler file at {path}.", step)
    if found := stray(path, "torch"):
        raise UpscalerUnusable(f"{path.name} isn't a readable safetensors file: it is {found.what}.", found.next_step)
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
        scope = Scope.of(config)
        if {key: tensor.shape for key, tensor in network.state_dict().items()} != {
            key: tensor.shape for key, tensor in tensors.items()
        }:
            raise ValueError(f"its tensors aren't those of {size.channels} channels and {size.blocks} blocks")
        network.load_state_dict(tensors, strict=True)
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError("it holds values that aren't finite")
    except KeyError as error:
        raise UpscalerUnusable(f"{path.name} doesn't fit the DSR network: its header lacks {error}.", step) from error
    except (TypeError, ValueError) as error:
        raise UpscalerUnusable(f"{path.name} doesn't fit the DSR network: {str(error)[:160]}.", step) from error
    with path.open("rb") as content:
        return network, scope, hashlib.file_digest(content, "sha256").hexdigest()


def load_dsr(path: Path):  # type: ignore[no-untyped-def]  # as above
    """(network, the file's config as a dict) of a DSR file, for training. Raises UpscalerUnusable."""
    from safetensors import safe_open

    network, scope, _ = _load_dsr(path)
    with safe_open(str(path), framework="pt") as file:
        config = json.loads((file.metadata() or {})["config"])
    return network, {"use_bicubic_px": [], **config, "min_px": scope.min_px, "max_px": scope.max_px}
