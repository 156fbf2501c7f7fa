"""Faces in the frames of a stream, at a cost that is bounded for each frame.

A photograph is searched for small faces as a whole; a stream can't wait for that. Each frame gets one look, at a
bounded resolution; at the places where faces were a moment ago it is looked at closely; and of the tiles in which small
faces would show, enlarged, some take their turn. A small face is thus found within some frames, and then followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.faces.align import probe_px
from core.faces.detect import SMALL_PX, Detector
from core.faces.face import Face, moved
from core.faces.tiles import Tile, tiles
from core.images import reduce_photograph

_KNOWN_SCORE = 1e-3
"""Where a face was counts less than any look at the frame that shows it now."""

_LOST_AFTER = 3
"""Frames without a face after which a simulated distance measures the face at its real size again."""


@dataclass(frozen=True)
class FaceSearchSettings:
    """`look_px`: longest side of the look at the whole frame; larger frames are reduced to it. `zoom`: how much tiles
    are enlarged, `tile_px` their side after that, `shared_px` what neighbours share of it, `tiles` how many get their
    turn in each frame. `small_faces`: always search the tiles (True), never (False), or while there is no face or a
    small one (None)."""

    look_px: int = 640
    zoom: float = 2.0
    tile_px: int = 512
    shared_px: int = 128
    tiles: int = 1
    small_faces: bool | None = None


FAR_CAMERA = FaceSearchSettings(look_px=1280, zoom=2.0, tile_px=1024, shared_px=160, tiles=2, small_faces=True)
"""For a wide view with many small faces: more of each frame is searched, whatever is found."""


class FaceSearch:
    """Finds faces frame by frame. Keeps which tile is next; for one stream and one thread."""

    def __init__(self, detector: Detector, how: FaceSearchSettings | None = None) -> None:
        self._detector = detector
        self._how = how or FaceSearchSettings()
        self._turn: Iterator[Tile] = iter(())
        self._tiled: tuple[int, ...] = ()

    def find(self, rgb: NDArray[np.uint8], known: Sequence[Face] = ()) -> list[Face]:
        """The faces of a frame, uint8 RGB (H, W, 3), the largest first. `known`: where they should be by the frames
        before."""
        look = min(1.0, self._how.look_px / max(rgb.shape[:2]))
        found = self._detector.look(rgb, look)
        if self._wanted(found, known, look):
            for _ in range(self._how.tiles):
                found += self._detector.look(rgb, self._how.zoom, self._next_tile(rgb.shape))
        return self._detector.confirm(rgb, [*found, *(replace(face, score=_KNOWN_SCORE) for face in known)])

    def _wanted(self, found: Sequence[Face], known: Sequence[Face], look: float) -> bool:
        if self._how.small_faces is not None:
            return self._how.small_faces
        sizes = [probe_px(face.landmarks) * look for face in (*found, *known)]
        return not sizes or min(sizes) < SMALL_PX

    def _next_tile(self, shape: tuple[int, ...]) -> Tile:
        tile = next(self._turn, None) if self._tiled == shape else None
        if tile is None:
            self._tiled = shape
            side, shared = (round(px / self._how.zoom) for px in (self._how.tile_px, self._how.shared_px))
            self._turn = tiles(shape[0], shape[1], side, shared)
            tile = next(self._turn)
        return tile


@dataclass(frozen=True, eq=False)
class Seen:
    """What was found in a frame: `faces` in the pixels of `frame`, which is the frame itself or, at a simulated
    distance, the small one that everything starts from; `scale` takes its pixels to the frame's own (x, y)."""

    frame: NDArray[np.uint8]
    faces: list[Face]
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def places(self) -> list[Face]:
        """The faces in the pixels of the frame as it came."""
        return [moved(face, self.scale, (0, 0)) for face in self.faces]


class DistantFaceSearch:
    """Shrinks each frame until its largest face has `reduce_to_px`, and finds the faces in what is left.

    How far to shrink is known from the frame before; only the first frame, and one after which no face was found for
    a while, is looked at in full size.
    """

    def __init__(self, detector: Detector, reduce_to_px: int) -> None:
        self._detector = detector
        self._to_px = reduce_to_px
        self._native_px: float | None = None
        self._missed = 0

    def find(self, rgb: NDArray[np.uint8]) -> Seen:
        """The faces of the reduced frame, the largest first."""
        if self._native_px is None or self._missed >= _LOST_AFTER:
            whole = self._detector.confirm(rgb, self._detector.look(rgb, min(1.0, 640 / max(rgb.shape[:2]))))
            if not whole:
                return Seen(rgb, [])
            self._native_px, self._missed = probe_px(whole[0].landmarks), 0
        small = reduce_photograph(rgb, self._native_px, self._to_px)
        scale = (rgb.shape[1] / small.shape[1], rgb.shape[0] / small.shape[0])
        faces = self._detector.detect(small, small_faces=True)
        if faces:
            now = probe_px(faces[0].landmarks) * scale[0]
            self._native_px += 0.3 * (now - self._native_px)  # steady: one look at 16 px errs by some per cent
            self._missed = 0
        else:
            self._missed += 1
        return Seen(small, faces, scale)
