"""The losses of a stage as one module around its trained networks: a batch in, losses by name out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.training.batches import Batch
from core.training.degrade import to_network, to_pixels
from core.training.heads import MarginHead
from core.training.networks import feature_maps, map_error
from core.training.recipe import Stage

CHARBONNIER_EPS = 1e-3

CONTRAST_SCALE = 32.0
SAME_COSINE = 0.4
"""Cosine of two teacher embeddings above which they may be of one person, and aren't pushed apart."""


@dataclass(frozen=True)
class Parts:
    """The networks by role; None where the run has none."""

    encoder: nn.Module | None
    upscaler: nn.Module | None
    head: MarginHead | None
    teacher: nn.Module | None

    def named(self) -> dict[str, nn.Module]:
        """The networks that a stage may train."""
        found: dict[str, nn.Module | None] = {"encoder": self.encoder, "upscaler": self.upscaler, "head": self.head}
        return {name: module for name, module in found.items() if module is not None}


class StageLosses(nn.Module):
    """Computes a stage's losses. Parts that the stage doesn't train are in eval mode and get no gradient of their own,
    so their buffers stay as they are too. `variances`: the teacher's `map_variances`, for a stage that matches
    features."""

    def __init__(self, parts: Parts, stage: Stage, variances: Sequence[float] = ()) -> None:
        super().__init__()
        self.stage = stage
        self._variances = tuple(variances)
        self.trained = nn.ModuleDict({name: module for name, module in parts.named().items() if name in stage.trains})
        # Not registered as submodules: neither optimised, nor synchronised, nor put into train mode.
        self._all: dict[str, Any] = {**parts.named(), "teacher": parts.teacher}
        for name, module in parts.named().items():
            module.requires_grad_(name in stage.trains)
            module.train(name in stage.trains)
        head = parts.head
        if head is not None and head.settings.kind == "prototypes":
            head.weight.requires_grad_(False)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return losses by name, each a mean over the batch, and "total"; "correct" counts correct classifications."""
        stage, losses = self.stage, self.stage.losses
        out: dict[str, Tensor] = {}
        if batch.embeddings is not None:
            out |= classify(self._all["head"], batch.embeddings, batch.labels)
            out["total"] = losses.classification * out["classification"]
            return out
        view = self._view(batch)
        if losses.pixel and batch.upscales:
            out["pixel"] = pixel_loss(view, batch.whole if batch.shown is None else batch.shown, stage.pixel_loss)
        if losses.identity and batch.upscales:
            out["identity"] = cosine_loss(self._all["teacher"](view), self._target(batch))
        if losses.classification or losses.alignment or losses.teacher or losses.features or losses.contrast:
            self._recognition(batch, view, out)
        weighted = [getattr(losses, name) * value for name, value in out.items() if name != "correct"]
        out["total"] = torch.stack(weighted).sum() if weighted else view.sum() * 0.0
        return out

    def _view(self, batch: Batch) -> Tensor:
        """The encoder's input: [-1, 1] (N, 3, 112, 112)."""
        if not batch.upscales:
            return batch.view
        upscaler = self._all["upscaler"]
        if "upscaler" in self.stage.trains:
            enlarged: Tensor = upscaler(batch.view)
            return enlarged.float()
        with torch.no_grad():  # in whole levels, as in the pipeline
            return to_network(to_pixels(upscaler(batch.view)))

    def _recognition(self, batch: Batch, view: Tensor, out: dict[str, Tensor]) -> None:
        losses, encoder = self.stage.losses, self._all["encoder"]
        align = losses.alignment > 0 and not batch.is_hr
        if losses.features and batch.is_hr:
            with torch.no_grad():
                raw, maps = feature_maps(self._all["teacher"], batch.whole)
            own, own_maps = feature_maps(encoder, view, [*maps] if self.stage.forced else None)
            out["features"] = map_error(own_maps, maps, self._variances)
            out["teacher"] = cosine_loss(own, raw)
            return
        if align:
            both = encoder(torch.cat([view, batch.whole]))
            own, of_hr = both.chunk(2)
            out["alignment"] = cosine_loss(own, of_hr)
        else:
            own = encoder(view)
        if losses.teacher or losses.contrast:
            target = self._target(batch)
            if losses.teacher:
                out["teacher"] = cosine_loss(own, target)
            if losses.contrast and batch.bank is not None:
                out["contrast"] = contrast_loss(own, target, batch.bank)
        if losses.classification:
            out |= classify(self._all["head"], own, batch.labels)

    def _target(self, batch: Batch) -> Tensor:
        if batch.target is not None:
            return batch.target
        with torch.no_grad():
            target: Tensor = self._all["teacher"](batch.whole)
        return target


def classify(head: MarginHead, embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Compute the head's loss, and the number correct by cosines without margin, in full precision."""
    with torch.autocast(embeddings.device.type, enabled=False):
        loss, cosines = head(embeddings.float(), labels)
    correct = (cosines.detach().argmax(1) == labels).sum()
    return {"classification": loss.mean(), "correct": correct}


def cosine_loss(a: Tensor, b: Tensor) -> Tensor:
    """Mean of 1 - cos over rows of (N, D), in float32: 0 for equal directions, 1 for orthogonal, 2 for opposite."""
    with torch.autocast(a.device.type, enabled=False):
        return (1 - functional.cosine_similarity(a.float(), b.float(), dim=1)).mean()


def contrast_loss(own: Tensor, targets: Tensor, bank: Tensor) -> Tensor:
    """Mean over rows of -log softmax of the own target among the bank, by 32 x cosine, in float32.

    `own` (N, D) are embeddings of small faces, `targets` (N, D) the teacher's of the same faces, `bank` (M, D) the
    teacher's of train images. Those of the bank whose cosine to the target is above 0.4 are left out: the image itself,
    and others that may show the same person. Instance discrimination against a memory bank (Wu et al., CVPR 2018) by
    InfoNCE (van den Oord et al., 2018).
    """
    with torch.autocast(own.device.type, enabled=False):
        own, targets, bank = (functional.normalize(each.float(), dim=1) for each in (own, targets, bank))
        positive = (own * targets).sum(1, keepdim=True)
        others = (own @ bank.T).masked_fill(targets @ bank.T > SAME_COSINE, -torch.inf)
        logits = CONTRAST_SCALE * torch.cat([positive, others], dim=1)
        return (torch.logsumexp(logits, dim=1) - logits[:, 0]).mean()


def pixel_loss(sr: Tensor, hr: Tensor, kind: str) -> Tensor:
    """Mean of |SR - HR| over pixels in [-1, 1]; Charbonnier: of sqrt(difference^2 + 1e-6)."""
    difference = sr.float() - hr.float()
    if kind == "charbonnier":
        return torch.sqrt(difference * difference + CHARBONNIER_EPS**2).mean()
    return difference.abs().mean()
