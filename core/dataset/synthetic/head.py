"""A painted face on a head that turns and is lit: an ellipsoid with a nose, seen from afar, and its five landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.synthetic.face import REACH, TEXTURE_PX, mouth_corner, paint
from core.dataset.synthetic.looks import Expression, Looks
from core.images import RGB

PHOTO_PX = 176
_UNIT_PX = 56.0
_DEPTH = 0.92
_NOSE_OUT = 0.24
_NECK = 0.42


@dataclass(frozen=True)
class View:
    """How a picture was taken. Angles in degrees: yaw positive to the image's right, pitch positive up, roll clockwise.
    `light` comes from there (x right, y down, z towards the camera), `contrast` is its share of all light."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    light: tuple[float, float, float] = (0.0, -0.3, 1.0)
    contrast: float = 0.6
    gain: float = 1.0
    backdrop: tuple[float, float, float] = (120.0, 124.0, 130.0)


@dataclass(frozen=True, eq=False)
class Portrait:
    """A drawn photograph, uint8 RGB (PHOTO_PX, PHOTO_PX, 3), and where its landmarks are, float32 (5, 2)."""

    rgb: RGB
    landmarks: NDArray[np.float32]


def portray(looks: Looks, expression: Expression, view: View, *, noise_seed: int = 0) -> Portrait:
    """Draw one photograph of a person; the same arguments give the same pixels."""
    turn = _rotation(view)
    axes = np.array([looks.width, looks.height, _DEPTH])
    u, v = _plane()
    picture = np.empty((PHOTO_PX, PHOTO_PX, 3), np.float32)
    picture[:] = np.array(view.backdrop, np.float32)
    picture *= (1.06 - 0.10 * (v[..., None] + 1.5) / 3).astype(np.float32)
    _body(picture, looks, u, v)
    _hair_behind(picture, looks, turn, axes, u, v, view)
    points, hit = _surface(turn, axes, u, v)
    colour, relief = _textured(looks, expression, points, turn)
    shade = _shading(points, axes, relief, turn, view)
    face = np.clip(colour * shade[..., None], 0, 255)
    edge = cv2.GaussianBlur(hit.astype(np.float32), (0, 0), 0.7)[..., None]
    picture = picture * (1 - edge) + face.astype(np.float32) * edge
    grain = np.random.RandomState(noise_seed).standard_normal(picture.shape).astype(np.float32) * np.float32(1.6)
    rgb = np.clip(np.rint(picture * view.gain + grain), 0, 255).astype(np.uint8)
    return Portrait(rgb, _landmarks(looks, expression, turn, axes))


def _rotation(view: View) -> NDArray[np.float64]:
    """Head to camera, 3 x 3: x right, y down, z towards the camera."""
    yaw, pitch, roll = np.deg2rad([view.yaw_deg, view.pitch_deg, view.roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    turned: NDArray[np.float64] = about_z @ about_x @ about_y
    return turned


def _plane() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = ((np.arange(PHOTO_PX) + 0.5 - PHOTO_PX / 2) / _UNIT_PX).astype(np.float32)
    u, v = np.meshgrid(axis, axis)
    return u, v


def _surface(
    turn: NDArray[np.float64], axes: NDArray[np.float64], u: NDArray[np.float32], v: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where each pixel's ray meets the ellipsoid first, in head coordinates (H, W, 3), and whether it does.

    With o the ray's origin and d its direction, both divided by the axes: t^2 d.d + 2 t o.d + o.o - 1 = 0.
    """
    across = turn[:2].astype(np.float32)
    origin = u[..., None] * across[0] + v[..., None] * across[1]
    direction = (np.array([0.0, 0.0, 1.0]) @ turn).astype(np.float32)
    o, d = origin / axes.astype(np.float32), direction / axes.astype(np.float32)
    b, a = o @ d, np.float32(d @ d)
    inside = b * b - a * (np.einsum("ijk,ijk->ij", o, o) - 1)
    t = (-b + np.sqrt(np.maximum(inside, 0))) / a
    return origin + t[..., None] * direction, inside > 0


def _relief(looks: Looks, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the face stands out of the ellipsoid at (x, y): nose, brow ridge, sockets, lips and chin."""
    nose_top = looks.eye_y + 0.02
    along = np.clip((y - nose_top) / (looks.nose_y - nose_top), 0, 1)
    width = looks.nose_width * (0.45 + 0.4 * along)
    below = np.where(y > looks.nose_y, np.exp(-(((y - looks.nose_y) / 0.06) ** 2)), 1.0)
    nose = _NOSE_OUT * (looks.nose_height / 0.23) * along**1.1 * np.exp(-((x / width) ** 2)) * below
    ridge = 0.03 * np.exp(-(((y - looks.eye_y + 0.15) / 0.07) ** 2) - (x / 0.45) ** 4)
    sockets = sum(np.exp(-(((x - s * looks.eye_x) / 0.15) ** 2) - ((y - looks.eye_y) / 0.09) ** 2) for s in (-1, 1))
    lips = 0.045 * np.exp(-((x / looks.mouth_width) ** 2) - ((y - looks.mouth_y) / 0.08) ** 2)
    chin = 0.05 * np.exp(-((x / 0.2) ** 2) - ((y - 0.86) / 0.1) ** 2)
    cheek = sum(np.exp(-(((x - s * 0.4) / 0.16) ** 2) - ((y - 0.2) / 0.16) ** 2) for s in (-1, 1))
    total: NDArray[np.float64] = nose + ridge - 0.05 * sockets + lips + chin + 0.03 * cheek
    return total


@lru_cache(maxsize=64)
def _relief_maps(looks: Looks) -> NDArray[np.float32]:
    """The relief and its slopes along x and y over the texture, float32 (TEXTURE_PX, TEXTURE_PX, 3)."""
    axis = ((np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * 2 - 1) * REACH
    x, y = np.meshgrid(axis, axis)
    height = _relief(looks, x, y)
    step = 2 * REACH / TEXTURE_PX
    down, right = np.gradient(height, step)
    return np.stack([height, right, down], axis=-1).astype(np.float32)


def _textured(
    looks: Looks, expression: Expression, points: NDArray[np.float32], turn: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The paint at each point, moved by what stands out (parallax), and the relief's slope there (H, W, 2)."""
    direction = np.array([0.0, 0.0, 1.0]) @ turn
    lean = (direction[:2] / max(float(direction[2]), 0.3)).astype(np.float32)
    maps = _relief_maps(looks)
    scale = np.float32(TEXTURE_PX / (2 * REACH))
    first = (points[..., :2] + np.float32(REACH)) * scale - np.float32(0.5)
    at = first
    for _ in range(3):
        height = _looked_up(maps[..., 0], at)
        at = first - height[..., None] * (lean * scale)
    colour = _looked_up(paint(looks, expression), at).astype(np.float32)
    if looks.hair_style != "bald":
        colour[(points[..., 2] < 0.12) & (points[..., 1] < 0.25)] = np.array(looks.hair, np.float32)
    return colour, _looked_up(maps, at)[..., 1:]


def _looked_up(texture: NDArray[Any], at: NDArray[np.float32]) -> NDArray[Any]:
    x, y = (np.ascontiguousarray(at[..., i]) for i in (0, 1))
    return np.asarray(cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _shading(
    points: NDArray[np.float32],
    axes: NDArray[np.float64],
    slope: NDArray[np.float32],
    turn: NDArray[np.float64],
    view: View,
) -> NDArray[np.float32]:
    """Lambert: (1 - contrast) + contrast x cos(normal, light), scaled so that light from the front keeps the paint."""
    normal = _unit(points / (axes**2).astype(np.float32))
    normal[..., :2] -= slope
    normal = _unit(normal)
    light = np.array(view.light) / np.linalg.norm(view.light)
    cosine = np.maximum(normal @ (light @ turn).astype(np.float32), 0)
    return np.asarray((1 - view.contrast) + view.contrast * 1.1 * cosine, dtype=np.float32)


def _unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    length = np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors))[..., None]
    return np.asarray(vectors / np.maximum(length, np.float32(1e-6)), dtype=np.float32)


def _body(picture: NDArray[np.float32], looks: Looks, u: NDArray[np.float32], v: NDArray[np.float32]) -> None:
    neck = (np.abs(u) < _NECK) & (v > 0.5)
    picture[neck] = np.array(looks.skin, np.float32) * 0.62
    shoulders = (u / 1.5) ** 2 + ((v - 1.75) / 0.5) ** 2 < 1
    cloth = np.random.RandomState(looks.blotches + 4).uniform(40, 190, 3)
    picture[shoulders] = cloth.astype(np.float32)


def _hair_behind(
    picture: NDArray[np.float32],
    looks: Looks,
    turn: NDArray[np.float64],
    axes: NDArray[np.float64],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    view: View,
) -> None:
    if looks.hair_style == "bald":
        return
    grown = axes * (1.10, 1.08, 1.06)
    _, hit = _surface(turn, grown, u, v + 0.05)
    low = {"short": 0.0, "fringe": 0.25, "long": 1.15, "parted": 0.15, "bun": 0.05}[looks.hair_style]
    hair = hit & (v < low)
    if looks.hair_style == "long":
        hair |= (np.abs(u) < axes[0] * 1.12) & (v > 0) & (v < low)
    if looks.hair_style == "bun":
        hair |= (u / 0.34) ** 2 + ((v + axes[1] + 0.12) / 0.28) ** 2 < 1
    picture[hair] = np.array(looks.hair, np.float32) * (0.55 + 0.25 * (1 - view.contrast))


def _landmarks(
    looks: Looks, expression: Expression, turn: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float32]:
    corner_x, corner_y = mouth_corner(looks, expression)
    flat = np.array(
        [
            [-looks.eye_x, looks.eye_y],
            [looks.eye_x, looks.eye_y],
            [0, looks.nose_y],
            [-corner_x, corner_y],
            [corner_x, corner_y],
        ]
    )
    depth = axes[2] * np.sqrt(np.maximum(0, 1 - ((flat / axes[:2]) ** 2).sum(axis=1)))
    depth = depth + _relief(looks, flat[:, 0], flat[:, 1])
    seen = np.column_stack([flat, depth]) @ turn.T
    return (seen[:, :2] * _UNIT_PX + PHOTO_PX / 2 - 0.5).astype(np.float32)
