"""Two encoders, one space: the encoder in use, and beside it a specialist for small faces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import WeightsUnsafe
from core.models.specialists import Specialist, one_space
from core.models.variants import VARIANTS

if TYPE_CHECKING:
    from core.encoder.encode import Encoder, Precision

Crops = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
"""Aligned uint8 RGB crops: (N, 112, 112, 3), or N times (112, 112, 3)."""

Mask = NDArray[np.bool_] | Sequence[bool]
"""Which of N crops the specialist embeds."""

Rows = tuple[NDArray[np.float32], ...]


class EncoderPair:
    """An encoder, and the specialist that embeds small faces into the same space, loaded when the first is embedded.

    A crop is embedded by exactly one of them, and rows keep the order of the crops. The specialist runs on the
    encoder's device, with its precision and its flip TTA, and is checked where that was. Safe to share between threads.
    """

    def __init__(self, encoder: Encoder, specialist: Specialist | None = None) -> None:
        """Raises SpecialistRefused where the two don't share a space."""
        self.encoder = encoder
        self._file = specialist
        self._loaded: Encoder | None = None
        self._loading = threading.Lock()
        if specialist is not None:
            info = encoder.info
            official = VARIANTS[info.variant] if info.official else None
            own = one_space(info.weights_sha256, info.exported_from, official, info.space_of)
            specialist.require(info.path.stem, own)

    @property
    def specialist(self) -> Encoder | None:
        """The specialist; None where there is none, or no small face came yet."""
        return self._loaded

    def encode(self, crops: Crops, small: Mask) -> NDArray[np.float32]:
        """Unit embeddings (N, 512). Raises what `Encoder.encode` and, at the first small face, `load_encoder` raise."""
        return self._by_route(crops, small, lambda encoder, some: (encoder.encode(some),))[0]

    def encode_with_norms(self, crops: Crops, small: Mask) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`encode`, with the norms before normalisation (N,). Those of two networks can't be compared."""
        vectors, norms = self._by_route(crops, small, lambda encoder, some: encoder.encode_with_norms(some))
        return vectors, norms

    def encode_with_agreement(
        self, crops: Crops, small: Mask
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """`encode_with_norms`, with the cosine of each embedding to its mirror image's (N,)."""
        rows = self._by_route(crops, small, lambda encoder, some: encoder.encode_with_agreement(some))
        vectors, norms, agreement = rows
        return vectors, norms, agreement

    def norms(self, crops: Crops, small: Mask) -> NDArray[np.float32]:
        """The norms before normalisation (N,), without flip."""
        return self._by_route(crops, small, lambda encoder, some: (encoder.norms(some),))[0]

    def _by_route(self, crops: Crops, small: Mask, measure: Callable[[Encoder, Crops], Rows]) -> Rows:
        """Rows of `measure`, whose first axis is that of the crops; all by one network are one call."""
        to_specialist = np.asarray(small, dtype=bool)
        if not to_specialist.any():
            return measure(self.encoder, crops)
        specialist = self._load()
        if to_specialist.all():
            return measure(specialist, crops)
        parts = [
            measure(encoder, [crops[position] for position in np.flatnonzero(chosen).tolist()])
            for encoder, chosen in ((self.encoder, ~to_specialist), (specialist, to_specialist))
        ]
        places = np.argsort(np.concatenate([np.flatnonzero(~to_specialist), np.flatnonzero(to_specialist)]))
        return tuple(np.concatenate(columns)[places] for columns in zip(*parts, strict=True))

    def _load(self) -> Encoder:
        from core.encoder.encode import load_encoder

        if self._file is None:
            raise ValueError("No specialist is here, and crops were meant for one.")
        with self._loading:
            if self._loaded is None:
                info = self.encoder.info
                loaded = load_encoder(
                    self._file.path,
                    device=info.device,
                    use_tta=info.flip_tta,
                    precision=cast("Precision", info.precision),
                    check=info.health is not None,
                )
                if loaded.weights_sha256 != self._file.sha256:
                    raise WeightsUnsafe(
                        f"{self._file.path.name} changed while it was in use.", "Start again, or check the file."
                    )
                self._loaded = loaded
        return self._loaded
