"""Overlapping tiles of a large picture: where they start, and which faces belong to the neighbour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.faces.face import Face


@dataclass(frozen=True)
class Tile:
    """A square part of a picture, from (`x`, `y`) on, `side` px or up to the picture's end. `inner` says which of
    its borders (left, top, right, bottom) lie inside the picture."""

    x: int
    y: int
    side: int
    inner: tuple[bool, bool, bool, bool]

    def cuts(self, face: Face, shape: tuple[int, ...]) -> bool:
        """Whether the face, in the tile's own pixels, touches a border that is inside the picture. `shape` (H, W, ...)
        is the tile's. The neighbour shows such a face whole."""
        x0, y0, x1, y1 = face.box_xyxy
        touches = (x0 <= 0, y0 <= 0, x1 >= shape[1], y1 >= shape[0])
        return any(on_border and is_inner for on_border, is_inner in zip(touches, self.inner, strict=True))


def tiles(height: int, width: int, side: int, shared: int) -> Iterator[Tile]:
    """Tiles that cover a picture, row by row; neighbours share at least `shared` px."""
    for y in starts(height, side, shared):
        for x in starts(width, side, shared):
            yield Tile(x, y, side, (x > 0, y > 0, x + side < width, y + side < height))


def starts(length: int, side: int, shared: int) -> list[int]:
    """Start positions of tiles that cover `length`, with neighbours sharing at least `shared`."""
    if length <= side:
        return [0]
    count = -(-(length - shared) // (side - shared))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
