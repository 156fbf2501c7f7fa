"""The square of a picture that the landmark network sees, and the way back to the picture's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from core.faces.align import warp_square

LOOK_PX = 80
"""Side of the network's input."""


@dataclass(frozen=True)
class Look:
    """A square of a picture: its centre (x, y) and side in coordinates of pixel corners, tilted by `roll_deg`, positive
    clockwise, as a face's roll."""

    centre: tuple[float, float]
    side_px: float
    roll_deg: float = 0.0

    def cut(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square as uint8 RGB (80, 80, 3), with the picture's edge repeated beyond its border."""
        turn = self._axes().T * (LOOK_PX / self.side_px)
        shift = LOOK_PX / 2 - turn @ np.array(self.centre)
        return warp_square(rgb, np.column_stack([turn, shift]), LOOK_PX)

    def to_picture(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points (..., 2) of the square, from -1 to 1 on each axis, in coordinates of the picture's pixel centres."""
        corner = np.asarray(points, dtype=np.float64) @ self._axes().T * (self.side_px / 2) + np.array(self.centre)
        return np.asarray(corner - 0.5, dtype=np.float32)

    def from_picture(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """The inverse of `to_picture`."""
        corner = np.asarray(points, dtype=np.float64) + 0.5 - np.array(self.centre)
        return np.asarray(corner @ self._axes() / (self.side_px / 2), dtype=np.float32)

    def _axes(self) -> NDArray[np.float64]:
        """The square's axes as columns, in the picture's coordinates."""
        turn = radians(self.roll_deg)
        return np.array([[cos(turn), -sin(turn)], [sin(turn), cos(turn)]])
