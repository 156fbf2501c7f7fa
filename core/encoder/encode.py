"""The encoder: network, preprocessing and L2 norm, batched, in the memory layout and precision best for the device."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.encoder.engines import FUSED_ENGINES, SingleCropEngine, single_crop_engine
from core.encoder.health import HealthReport, check_health, require_healthy
from core.encoder.network import build_network
from core.encoder.weights import load_state
from core.errors import SettingsInvalid
from core.images import to_tensor
from core.models.files import file_facts
from core.models.header import space_of
from core.models.variants import EMBEDDING_DIM, VARIANTS, variant_by_blob_id
from core.settings import CROP_PX
from core.system.cpu import cpu_has_bfloat16
from core.system.logs import Public, logger

_log = logger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]
Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]] | Tensor

WARM_UP_CROPS = 8
"""Number of single crops embedded in PyTorch before the faster engine is built, which takes a second or two."""

MAX_FEW_CROPS = 4
"""Largest batch that is embedded crop by crop where the engine fuses operations: on 2 cores 2 crops take 4.3 instead of
8.0 ms, 4 take 8.6 instead of 9.4 ms; 6 take longer than as a batch."""


@dataclass(frozen=True)
class EncoderInfo:
    """Facts about a loaded encoder. `exported_from`: SHA-256 of the file that it was exported from, or ""; `space_of`:
    of the weights whose space it embeds in (`core.models.header.space_of`), or ""."""

    variant: str
    official: bool
    path: Path
    weights_sha256: str
    kind: str
    parameters: int
    device: str
    precision: str
    flip_tta: bool
    companions: int = 0
    identities: int | None = None
    inert_classes: tuple[str, ...] = ()
    exported_from: str = ""
    space_of: str = ""
    health: HealthReport | None = None


class Encoder:
    """Aligned 112 px RGB crops -> 512-d unit embeddings. Safe to share between threads."""

    def __init__(self, network: nn.Module, info: EncoderInfo) -> None:
        self.info = info
        self._device = torch.device(info.device)
        self._network = network.to(self._device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._singles = 0
        self._single: SingleCropEngine | None = None
        self.engine = "eager"
        """The engine of single crops, one of core.encoder.engines.ENGINES."""
        self._choosing = threading.Lock()

    @property
    def name(self) -> str:
        return self.info.variant

    @property
    def weights_sha256(self) -> str:
        return self.info.weights_sha256

    @property
    def flip_tta(self) -> bool:
        return self.info.flip_tta

    @property
    def network(self) -> nn.Module:
        """The network alone, for training and export: (N, 3, 112, 112) in [-1, 1] -> (N, 512), not normalised."""
        result: nn.Module = self._network
        return result

    def encode(self, images: Images, *, batch_size: int = 64) -> NDArray[np.float32]:
        """Embed aligned crops.

        `images`: uint8 RGB (N, 112, 112, 3), a list of (112, 112, 3), or a float tensor (N, 3, 112, 112) in [-1, 1].
        Returns float32 (N, 512), rows of unit length; with flip TTA the sum of a crop's and its mirror image's raw
        embeddings is normalised. Raises SettingsInvalid for any other shape.
        """
        count = len(images)
        if count == 0:
            return np.zeros((0, EMBEDDING_DIM), dtype=np.float32)
        _require_crops(images)
        parts = [self._encode_batch(images[i : i + batch_size])[0] for i in range(0, count, batch_size)]
        return np.concatenate(parts)

    def encode_with_norms(
        self, images: Images, *, batch_size: int = 64
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed crops as `encode` does, with the norm of each embedding before normalisation, (N,); with flip TTA that
        of the mean of both. Raises what `encode` raises."""
        if len(images) == 0:
            return self.encode(images), np.zeros(0, np.float32)
        _require_crops(images)
        parts = [self._encode_batch(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        vectors, norms = (np.concatenate(column) for column in zip(*parts, strict=True))
        return vectors, norms

    def encode_with_agreement(
        self, images: Images, *, batch_size: int = 64
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Embed crops as `encode_with_norms` does, with the cosine of each embedding to its mirror image's, (N,).

        This mirror agreement falls where the network guesses. It is free with flip TTA and doubles the time without.
        Raises what `encode` raises.
        """
        if len(images) == 0:
            return *self.encode_with_norms(images), np.zeros(0, np.float32)
        _require_crops(images)
        parts = [self._both(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        vectors, norms, agreement = (np.concatenate(column) for column in zip(*parts, strict=True))
        return vectors, norms, agreement

    @torch.inference_mode()
    def norms(self, images: Images, *, batch_size: int = 64) -> NDArray[np.float32]:
        """Return the norm of each crop's embedding before normalisation, (N,), without flip.

        Norms are comparable between faces of the same weights only. Raises what `encode` raises.
        """
        if len(images) == 0:
            return np.zeros(0, dtype=np.float32)
        _require_crops(images)
        parts = []
        for start in range(0, len(images), batch_size):
            part = images[start : start + batch_size]
            batch = part if isinstance(part, Tensor) else to_tensor(part)
            raw = self._raw(batch.to(self._device, memory_format=torch.channels_last))
            parts.append(raw.norm(dim=1).cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def _both(self, images: Images) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        batch = images if isinstance(images, Tensor) else to_tensor(images)
        batch = batch.to(self._device, memory_format=torch.channels_last)
        plain, mirrored = self._raw(batch), self._raw(batch.flip(3))
        agreement = nn.functional.cosine_similarity(plain, mirrored, dim=1).cpu().numpy()
        return *_normalised((plain + mirrored) / 2 if self.flip_tta else plain), agreement

    @torch.inference_mode()
    def _encode_batch(self, images: Images) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        batch = images if isinstance(images, Tensor) else to_tensor(images)
        batch = batch.to(self._device, memory_format=torch.channels_last)
        raw = self._raw(batch)
        if self.flip_tta:
            raw = (raw + self._raw(batch.flip(3))) / 2
        return _normalised(raw)

    def _raw(self, batch: Tensor) -> Tensor:
        """(N, 3, 112, 112) on the device -> float32 (N, 512), not normalised; one or a few crops through the engine."""
        single = self._engine() if len(batch) <= MAX_FEW_CROPS else None
        if single is not None and (len(batch) == 1 or self.engine in FUSED_ENGINES):
            return torch.cat([single(crop) for crop in torch.split(batch, 1)]).float()
        with self._autocast():
            raw: Tensor = self._network(batch).float()
        return raw

    def _engine(self) -> SingleCropEngine | None:
        """The engine of single crops; None before WARM_UP_CROPS, on a GPU, and while another thread builds it."""
        if self._single is not None or self._device.type != "cpu" or not self.info.weights_sha256:
            return self._single
        self._singles += 1
        if self._singles > WARM_UP_CROPS and self._choosing.acquire(blocking=False):
            try:
                if self._single is None:
                    self.engine, self._single = single_crop_engine(self._network, self.info.weights_sha256)
            finally:
                self._choosing.release()
        return self._single

    def _autocast(self) -> AbstractContextManager[object]:
        if self.info.precision == "bfloat16":
            return torch.autocast(self._device.type, dtype=torch.bfloat16)
        return nullcontext()


def load_encoder(
    path: Path,
    *,
    variant: str | None = None,
    device: str = "auto",
    use_tta: bool = False,
    precision: Precision = "auto",
    check: bool = True,
) -> Encoder:
    """Load EdgeFace weights, official or fine-tuned, completely or not at all.

    Raises WeightsMissing, WeightsUnsafe, WeightsMismatch (see `load_state`), WeightsUnhealthy when `check` is on and
    the encoder can't distinguish faces, and SettingsInvalid for an unavailable device.
    """
    if variant is not None and variant not in VARIANTS:
        raise SettingsInvalid(f"There is no EdgeFace variant '{variant}'.", f"Choose one of {', '.join(VARIANTS)}.")
    began = time.monotonic()
    target = resolve_device(device)
    state = load_state(Path(path), variant)
    network = build_network(state.variant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.load_state_dict(state.tensors, strict=True)
    info = EncoderInfo(
        variant=state.variant.name,
        official=variant_by_blob_id(file_facts(Path(path)).hashes.git_blob_id) is not None,
        path=Path(path),
        weights_sha256=state.sha256,
        kind=state.kind,
        parameters=sum(p.numel() for p in network.parameters()),
        device=target,
        precision=resolve_precision(precision, target),
        flip_tta=use_tta,
        companions=state.companions,
        identities=state.identities,
        inert_classes=state.inert_classes,
        exported_from=state.metadata.get("exported_from", ""),
        space_of=space_of(state.metadata),
    )
    encoder = Encoder(network, info)
    if check:
        health = check_health(encoder.encode)
        require_healthy(health, Path(path).name)
        encoder.info = replace(info, health=health)
    _log.info(
        "encoder loaded: %s, weights %s, %s, %s, %.1f s",
        Public(info.variant),
        Public(info.weights_sha256[:12]),
        Public(info.device),
        Public(info.precision),
        time.monotonic() - began,
    )
    return encoder


def resolve_device(device: str) -> str:
    """Resolve 'auto' to the fastest available device ('cuda', 'mps' or 'cpu'). Raises SettingsInvalid for a device that
    isn't available."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    kind = device.partition(":")[0]
    if not available.get(kind, False):
        there = ", ".join(name for name, yes in available.items() if yes)
        raise SettingsInvalid(f"Device '{device}' isn't available here.", f"Use one of: auto, {there}.")
    return device


def resolve_precision(precision: Precision, device: str) -> str:
    """Resolve 'auto' to bfloat16 where the CPU supports it, which is twice as fast, else float32.

    Cosine to float32 on aligned LFW faces: 0.9995 at worst (200 faces, XXS and XS); on faces of
    25 px, enlarged: 0.9990 and 0.9986 at worst, 0.9996 on average.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if device == "cpu" and cpu_has_bfloat16() else "float32"


def _normalised(raw: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit rows (N, 512) of raw embeddings, and the norms (N,)."""
    return nn.functional.normalize(raw, dim=1).cpu().numpy(), raw.norm(dim=1).cpu().numpy()


def _require_crops(images: Images) -> None:
    expected = (3, CROP_PX, CROP_PX) if isinstance(images, Tensor) else (CROP_PX, CROP_PX, 3)
    for image in images:
        if tuple(image.shape) != expected:
            raise SettingsInvalid(
                f"The encoder takes crops of shape {expected}, not {tuple(image.shape)}.",
                "Align and upscale the face first (core.faces.align, core.sr).",
            )
