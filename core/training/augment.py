"""Augmentation of whole batches from random draws made beforehand, so that HR and SR change alike.

Brightness, contrast and gains map each level of an image to another one, whatever its place: on the CPU that is a table
of 256 levels for each image, several times quicker than arithmetic on every pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.training.recipe import Augment


@dataclass(frozen=True)
class Draws:
    """Random draws for N images: (N,) float tensors, `flip` bool, `gains` (N, 3), `boxes` (N, 4) as y, x, height, width
    in shares of the side (height 0: nothing is erased). `mix`: how the batch is mixed, or None."""

    flip: Tensor
    turn: Tensor
    scale: Tensor
    shift: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    gains: Tensor
    boxes: Tensor
    mix: Mix | None = None

    def part(self, rows: slice | list[int]) -> Draws:
        """The draws of some of the images."""
        given = {name: value[rows] for name, value in vars(self).items() if isinstance(value, Tensor)}
        mix = None if self.mix is None else Mix(self.mix.shares[rows], self.mix.box)
        return Draws(**given, mix=mix)


@dataclass(frozen=True)
class Mix:
    """Mixing of each image with the one at the mirrored position of the batch: blended by `shares` (N,) (mixup, Zhang
    et al., ICLR 2018), or with a `box` (y, x, height, width in shares) pasted in (CutMix, Yun et al., ICCV 2019)."""

    shares: Tensor
    box: tuple[float, float, float, float] | None


def draw(augment: Augment, count: int, generator: torch.Generator) -> Draws:
    """Draw for `count` images. Every kind is drawn, used or not, so that changing one setting changes no other draw."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    flip = torch.rand(count, generator=generator) < augment.flip
    turn = uniform(count) * math.radians(augment.rotate_deg)
    scale = 1 + uniform(count) * augment.scale
    shift = uniform(count, 2) * 2 * augment.shift  # grid_sample's side is 2
    brightness = uniform(count) * 255 * augment.brightness
    contrast = 1 + uniform(count) * augment.contrast
    saturation = 1 + uniform(count) * augment.saturation
    gains = 1 + uniform(count, 3) * augment.colour
    spots = torch.rand((count, 5), generator=generator)
    sides = 0.15 + 0.25 * spots[:, 2:4]
    erased = (spots[:, 4] < augment.erase).float()[:, None]
    boxes = torch.cat([spots[:, :2] * (1 - sides), sides * erased], dim=1)
    mixing = torch.rand(4, generator=generator).tolist()
    shares = torch.rand(count, generator=generator)
    mix = None
    if mixing[0] < augment.mix:
        side = 0.27 + 0.45 * mixing[2]
        box = (mixing[3] * (1 - side), mixing[3] * (1 - side), side, side) if mixing[1] < 0.5 else None
        mix = Mix(shares, box)
    return Draws(flip, turn, scale, shift, brightness, contrast, saturation, gains, boxes, mix)


def moves(augment: Augment) -> bool:
    """Whether images are rotated, scaled or shifted, which VLR files can't be."""
    return augment.rotate_deg > 0 or augment.scale > 0 or augment.shift > 0


def flipped(images: Tensor, flip: Tensor) -> Tensor:
    """(N, 3, H, W) of any type, mirrored where `flip` (N,) is true."""
    if not bool(flip.any()):
        return images
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def moved(images: Tensor, draws: Draws) -> Tensor:
    """float (N, 3, H, W): mirrored, turned, scaled and shifted in one sampling, edges reflected."""
    cos, sin = torch.cos(draws.turn) * draws.scale, torch.sin(draws.turn) * draws.scale
    side = torch.where(draws.flip, -1.0, 1.0)
    rows = [torch.stack([cos * side, -sin, draws.shift[:, 0]], 1), torch.stack([sin * side, cos, draws.shift[:, 1]], 1)]
    theta = torch.stack(rows, 1).to(images.device)  # (N, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def coloured(images: Tensor, augment: Augment, draws: Draws, means: Tensor | None = None) -> Tensor:
    """float (N, 3, H, W) in 0 to 255: saturation, contrast about each image's mean, gains, then brightness, which is
    added (torchvision's ColorJitter multiplies by it). The result isn't clipped. `means` (N, 1, 1, 1) where `images`
    are levels instead of pixels."""
    device = images.device

    def per_image(values: Tensor) -> Tensor:
        return values.to(device)[:, None, None, None]

    if augment.saturation:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * per_image(draws.saturation)
    if augment.contrast:
        mean = images.mean((1, 2, 3), keepdim=True) if means is None else means
        images = mean + (images - mean) * per_image(draws.contrast)
    if augment.colour:
        images = images * draws.gains.to(device)[:, :, None, None]
    return images + per_image(draws.brightness) if augment.brightness else images


def erased(images: Tensor, draws: Draws) -> Tensor:
    """float (N, 3, H, W) with a drawn rectangle set to mid-grey."""
    side = images.shape[-1]
    place = (torch.arange(side, device=images.device, dtype=torch.float32) + 0.5) / side
    y, x, height, width = (column[:, None] for column in draws.boxes.to(images.device).T)
    inside = ((place >= y) & (place < y + height))[:, :, None] & ((place >= x) & (place < x + width))[:, None, :]
    return images.masked_fill(inside[:, None], 127.0)


def mixed(images: Tensor, mix: Mix, others: Tensor) -> Tensor:
    """float (N, 3, H, W), each image mixed with its partner in `others`, of the same shape."""
    if mix.box is None:
        share = mix.shares.to(images.device)[:, None, None, None]
        return images * share + others * (1 - share)
    side = images.shape[-1]
    y, x, height, width = (round(value * side) for value in mix.box)
    result = images.clone()
    result[:, :, y : y + height, x : x + width] = others[:, :, y : y + height, x : x + width]
    return result


def changed(
    images: Tensor, augment: Augment, draws: Draws, *, move: bool = True, partners: tuple[Tensor, Draws] | None = None
) -> Tensor:
    """Apply all draws: uint8 (N, 3, 112, 112) -> uint8 of the same shape.

    `move` false: only flip and colour, which a VLR file can share with its HR. `partners`: the images that these are
    mixed with and their draws, where `images` are a piece of a batch; None where they are the whole batch.
    """
    if not (move and (moves(augment) or augment.erase > 0 or draws.mix is not None)):
        return recoloured(images, augment, draws)
    result = _unmixed(images, augment, draws, move=move)
    if draws.mix is not None:
        others = result.flip(0) if partners is None else _unmixed(partners[0], augment, partners[1], move=move)
        result = mixed(result, draws.mix, others)
    return to_levels(result)


def recoloured(images: Tensor, augment: Augment, draws: Draws) -> Tensor:
    """uint8 (N, 3, H, W) -> uint8 of the same shape, mirrored and coloured as drawn."""
    images = flipped(images, draws.flip.to(images.device))
    if not (augment.saturation or augment.contrast or augment.colour or augment.brightness):
        return images
    if augment.saturation or images.device.type != "cpu":  # saturation mixes an image's channels
        return to_levels(coloured(images.float(), augment, draws))
    pictures = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    levels = torch.arange(256, dtype=torch.float32).expand(len(images), 3, 256)[:, :, None]
    means = torch.tensor([[sum(cv2.mean(picture)[:3]) / 3] for picture in pictures]).reshape(-1, 1, 1, 1)
    tables = to_levels(coloured(levels, augment, draws, means)).permute(0, 2, 3, 1).numpy()  # (N, 1, 256, 3)
    result = np.empty_like(pictures)
    for picture, table, made in zip(pictures, tables, result, strict=True):
        cv2.LUT(picture, table, dst=made)
    return torch.from_numpy(result).permute(0, 3, 1, 2)


def to_levels(images: Tensor) -> Tensor:
    """float (N, 3, H, W) -> uint8, rounded and clipped; `images` are overwritten."""
    return images.round_().clamp_(0, 255).to(torch.uint8)


def _unmixed(images: Tensor, augment: Augment, draws: Draws, *, move: bool) -> Tensor:
    if move and moves(augment):
        result = moved(images.float(), draws)
    else:
        result = flipped(images, draws.flip.to(images.device)).float()
    result = coloured(result, augment, draws)
    return erased(result, draws) if move and augment.erase > 0 else result
