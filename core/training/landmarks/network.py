"""The landmark network: a square of 80 px in; five points with an uncertainty each, and whether it is a face, out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.faces.landmarks.look import LOOK_PX

POINTS = 5
FACE = 3 * POINTS
"""Position of the logit of a face among the network's values."""

_WIDTHS = (16, 32, 64, 96)
_MAP = 48
_POOLED = 64
_SIDE = LOOK_PX // 4


class LandmarkNet(nn.Module):
    """Residual network with a soft-argmax over maps of 20 x 20 (integral regression: Sun et al., ECCV 2018).

    Input: RGB in [-1, 1], (N, 3, 80, 80). Output: (N, 16), which are ten coordinates (x, y of each point, from -1 to 1
    over the square, beyond it where the face is cut), five logarithms of the expected error in those units, and the
    logit of a face. With a `recognisability` head, a module from the three `feature_maps` to one logit (N, 1), that
    logit is a 17th value. The head's parameters are named "recognisability.*"; all others are the same with it and
    without.
    """

    steps: Tensor

    def __init__(self, recognisability: nn.Module | None = None) -> None:
        super().__init__()
        stem, fine, middle, coarse = _WIDTHS
        self.stem = _conv(3, stem, stride=2)
        self.fine = nn.Sequential(_conv(stem, fine, stride=2), _Residual(fine))
        self.middle = nn.Sequential(_conv(fine, middle, stride=2), _Residual(middle))
        self.coarse = nn.Sequential(_conv(middle, coarse, stride=2), _Residual(coarse))
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.to_fine = nn.Conv2d(middle, _MAP, 1)
        self.from_fine = nn.Conv2d(fine, _MAP, 1)
        self.mix = _conv(_MAP, _MAP)
        self.maps = nn.Conv2d(_MAP, POINTS, 1)
        self.pooled = nn.Linear(coarse, _POOLED)
        self.rest = nn.Linear(_POOLED, 3 * POINTS + 1)
        self.register_buffer(
            "steps", (torch.arange(_SIDE, dtype=torch.float32) + 0.5) * (2 / _SIDE) - 1, persistent=False
        )
        self.recognisability = recognisability
        nn.init.zeros_(self.rest.weight)
        nn.init.zeros_(self.rest.bias)

    def forward(self, images: Tensor) -> Tensor:
        seen = fine, middle, coarse = self.feature_maps(images)
        middle = middle + functional.interpolate(self.to_middle(coarse), scale_factor=2.0)
        fine = self.from_fine(fine) + functional.interpolate(self.to_fine(middle), scale_factor=2.0)
        maps = self.maps(self.mix(fine)).float()  # (N, 5, 20, 20)
        share = functional.softmax(maps.flatten(2), dim=2).reshape(-1, POINTS, _SIDE, _SIDE)
        x, y = (share.sum(2) * self.steps).sum(2), (share.sum(3) * self.steps).sum(2)
        rest = self.rest(functional.relu(self.pooled(coarse.mean((2, 3))))).float()
        points = torch.stack([x, y], dim=2).flatten(1) + 0.1 * rest[:, : 2 * POINTS]
        values = [points, rest[:, 2 * POINTS :]]
        if self.recognisability is not None:
            values.append(self.recognisability(*seen).float().reshape(-1, 1))
        return torch.cat(values, dim=1)

    def feature_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The maps that everything is read from: fine (N, 32, 20, 20), middle (N, 64, 10, 10), coarse (N, 96, 5, 5)."""
        fine = self.fine(self.stem(images))
        middle = self.middle(fine)
        return fine, middle, self.coarse(middle)


class RecognisabilityHead(nn.Module):
    """From a network's feature maps to the logit of recognisability, (N, 1): detail counts, so it sees the fine map."""

    def __init__(self) -> None:
        super().__init__()
        _, fine, middle, coarse = _WIDTHS
        self.fine = _conv(fine, fine, stride=2)
        self.mixed = _conv(fine + middle, _MAP, stride=2)
        self.out = nn.Sequential(nn.Linear(coarse + _MAP, _POOLED), nn.ReLU(), nn.Linear(_POOLED, 1))

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        mixed = self.mixed(torch.cat([self.fine(fine), middle], dim=1))  # (N, 48, 5, 5)
        logit: Tensor = self.out(torch.cat([mixed.mean((2, 3)), coarse.mean((2, 3))], dim=1))
        return logit


def landmark_loss(out: Tensor, points: Tensor, is_face: Tensor) -> dict[str, Tensor]:
    """Losses by name of the network's output (N, 16 or 17) for `points` (N, 5, 2) and `is_face` (N,), 1 or 0.

    "points": the negative log likelihood of distances on faces, by a distribution in the plane that falls off
    exponentially, |d| / s + 2 log s. "distance": their mean. "face": the cross-entropy. "total": points + 10 distance +
    face.
    """
    found, log_error = out[:, : 2 * POINTS].reshape(-1, POINTS, 2), out[:, 2 * POINTS : FACE]
    logit = out[:, FACE]
    log_error = log_error.clamp(-6.0, 1.0)
    distance = torch.sqrt(((found - points) ** 2).sum(2) + 1e-8)
    each = (distance * torch.exp(-log_error) + 2 * log_error).mean(1)
    likely = (each * is_face).sum() / is_face.sum().clamp(min=1)
    plain = (distance.mean(1) * is_face).sum() / is_face.sum().clamp(min=1)
    face = functional.binary_cross_entropy_with_logits(logit, is_face)
    return {"points": likely, "distance": plain, "face": face, "total": likely + 10 * plain + face}


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
