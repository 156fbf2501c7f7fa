"""Margin-based classifiers over train identities: ArcFace, AdaFace, and fixed centres. Discarded after training."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.training.recipe import Head

ADAFACE_H = 0.333
ADAFACE_MOMENTUM = 0.01
_EPS = 1e-7


class MarginHead(nn.Module):
    """Base of all heads: `weight` (C, D), one direction per identity, and the cosines without margin."""

    def __init__(self, settings: Head, identities: int, dim: int) -> None:
        super().__init__()
        self.settings = settings
        self.weight = nn.Parameter(torch.empty(identities, dim))
        nn.init.xavier_normal_(self.weight)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """(N, D) of any length -> (N, C) cosines without margin, used for accuracy."""
        return functional.linear(functional.normalize(embeddings.float(), dim=1), functional.normalize(self.weight))

    def logits(self, embeddings: Tensor, labels: Tensor, cosines: Tensor) -> Tensor:
        raise NotImplementedError

    def end_step(self, total: Callable[[Tensor], Tensor]) -> None:
        """Update running statistics after a batch; `total` sums a tensor over processes."""

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Raw embeddings (N, D), labels (N,) -> (cross-entropy of each image (N,), cosines (N, C))."""
        cosines = self.cosines(embeddings)
        logits = self.logits(embeddings, labels, cosines)
        smoothing = self.settings.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        return loss, cosines


class ArcFace(MarginHead):
    """s cos(theta + m) for an image's own identity, s cos(theta) for the others; m in radians (Deng et al., CVPR 2019).

    Beyond theta = pi - m, where cos(theta + m) would rise again, cos(theta) - m sin(m) goes on falling, as in the
    authors' code.
    """

    def logits(self, embeddings: Tensor, labels: Tensor, cosines: Tensor) -> Tensor:
        margin, scale = self.settings.margin, self.settings.scale
        own = cosines.gather(1, labels[:, None])
        sine = torch.sqrt((1 - own * own).clamp_min(_EPS))
        with_margin = own * math.cos(margin) - sine * math.sin(margin)
        beyond = own < math.cos(math.pi - margin)
        with_margin = torch.where(beyond, own - margin * math.sin(margin), with_margin)
        return scale * cosines.scatter(1, labels[:, None], with_margin)


class AdaFace(MarginHead):
    """s (cos(theta + g_angle) - g_add), the margin by image quality, which the raw embedding's norm stands for:
    z = clip((norm - mean) / std x h, -1, 1), g_angle = -m z, g_add = m z + m (Kim et al., CVPR 2022, eq. 14 to 17).

    `mean` and `std` are running ones over whole batches, of one or several pieces and processes: those of the batches
    before this one, where the authors' code lets this one in first, with the weight of 0.01.
    """

    def __init__(self, settings: Head, identities: int, dim: int) -> None:
        super().__init__(settings, identities, dim)
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("std", torch.tensor(100.0))
        self.mean: Tensor
        self.std: Tensor
        self._norms: list[Tensor] = []

    def quality(self, norms: Tensor) -> Tensor:
        """Norms (N,) -> z in [-1, 1] by the running mean and std; in training they are collected for `end_step`."""
        norms = norms.detach().float().clamp(0.001, 100)
        if self.training:
            self._norms.append(norms)
        return ((norms - self.mean) / (self.std + 1e-3) * ADAFACE_H).clamp(-1, 1)

    def end_step(self, total: Callable[[Tensor], Tensor]) -> None:
        own = torch.cat(self._norms) if self._norms else self.mean.new_zeros(0)
        self._norms = []
        wide = own if own.device.type == "mps" else own.double()
        count, plain, squares = total(torch.stack([wide.new_tensor(len(wide)), wide.sum(), (wide * wide).sum()]))
        if count > 1:
            mean = plain / count
            variance = (squares - count * mean * mean) / (count - 1)
            self.mean.lerp_(mean.to(self.mean.dtype), ADAFACE_MOMENTUM)
            self.std.lerp_(variance.clamp_min(0).sqrt().to(self.std.dtype), ADAFACE_MOMENTUM)

    def logits(self, embeddings: Tensor, labels: Tensor, cosines: Tensor) -> Tensor:
        margin, scale = self.settings.margin, self.settings.scale
        z = self.quality(embeddings.norm(dim=1))[:, None]
        own = cosines.gather(1, labels[:, None]).clamp(-1 + 1e-3, 1 - 1e-3)
        angle = (torch.acos(own) - margin * z).clamp(1e-3, math.pi - 1e-3)
        with_margin = torch.cos(angle) - (margin * z + margin)
        return scale * cosines.scatter(1, labels[:, None], with_margin)


class Prototypes(ArcFace):
    """ArcFace on fixed directions: each identity's mean teacher embedding. It has no trained weights."""

    def fix(self, centres: Tensor) -> None:
        """Set the (C, D) centres. Raises ValueError for a zero row."""
        if bool((centres.norm(dim=1) < _EPS).any()):
            raise ValueError("an identity without a centre")
        self.weight.data.copy_(functional.normalize(centres))
        self.weight.requires_grad_(False)


def make_head(settings: Head, identities: int, dim: int, seed: int) -> MarginHead:
    """Build a recipe's head with weights that depend on `seed` alone."""
    kinds: dict[str, type[MarginHead]] = {"arcface": ArcFace, "adaface": AdaFace, "prototypes": Prototypes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kinds[settings.kind](settings, identities, dim)
