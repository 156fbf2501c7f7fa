"""Find faces with YuNet (Wu et al., Machine Intelligence Research 2023), down to about 12 px and up to a full frame.

YuNet proposes boxes; the landmark network reads each of them, of any size and roll, in two looks: a wide one that finds
the face's place and roll, and an exact, upright one, plain and mirrored. What they don't show as a face is dropped.

A first look at native size misses most faces of 16 px, so small frames are enlarged and large ones searched in tiles as
their content needs. A frame is searched in other turns only when nothing was found in it, or a face that is turned.
docs/measurements.md has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.faces.face import Face, choose_faces, distinct, moved, turned_back
from core.faces.landmarks.network import Landmarker
from core.faces.landmarks.read import Box, read_faces, recognisability_of, size_of
from core.faces.quality import Limits
from core.faces.tiles import Tile, tiles
from core.faces.yunet_model import SCORE_THRESHOLD, YuNet

RGB = NDArray[np.uint8]

SMALL_PX = 48.0
"""A frame with a face smaller than this is searched for smaller ones."""

DRAWN_SIZES = (0.72, 1.0, 1.4)
"""Sizes at which a box that a person drew is read, in sizes of that box."""

LEAST_DISTINCT = Limits().severe_recognisability
"""Recognisability from which on a face is distinct enough not to be searched for in other turns."""

TURNS = (2, 1, 3)
"""Quarter turns counterclockwise, the most frequent first."""

MAX_FACES = 300

_GLANCE_SIDE = 128
_LARGEST_GLANCE_ZOOM = 0.75
_LEAST_GLANCE_PX = 24.0
_CERTAIN_GLANCE = 0.8
_FIRST_LOOK_SIDE = 1280
_HUGE_LOOK_SIDE = 320
_SEARCH_PIXELS = 16e6
_SEARCH_PIXELS_WANTED = 64e6
_TILE_SIDE = 1024
_TILE_OVERLAP = 160


class Detector:
    """Finds faces with YuNet and the landmark network. Safe to share between threads.

    Raises DetectorMissing, LandmarksUnusable.
    """

    def __init__(
        self,
        score_threshold: float = SCORE_THRESHOLD,
        model_path: Path | None = None,
        landmarks_path: Path | None = None,
    ) -> None:
        self._yunet = YuNet(score_threshold, model_path)
        self._landmarker = Landmarker(landmarks_path)

    @property
    def id(self) -> str:
        """The models and the score threshold as text: they decide which faces are found, and their landmarks."""
        return f"{self._yunet.id} {self._landmarker.id}"

    @property
    def aligner(self) -> str:
        """The landmark network, which decides how faces are aligned, by name and the start of its SHA-256."""
        return self._landmarker.name

    def detect(self, rgb: RGB, *, small_faces: bool | None = None) -> list[Face]:
        """Detect the faces of a uint8 RGB picture (H, W, 3), the largest first, at most 300.

        `small_faces`: True searches for faces down to about 12 px, False doesn't, None searches when the first look
        found nothing or a small face. The search enlarges the frame four times, twice or less, so that it looks at
        64 megapixels at most (16 with None).
        """
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        found = self.confirm(rgb, self._candidates(bgr, small_faces))
        turned = self._turned_candidates(bgr, small_faces, found)
        # Those found are read again, about their own boxes: sideways, landmarks come to 0.22 instead of 0.33 px of the
        # upright photograph's (median of 24, of the 112 px crop), in less than 1 % of the time that the search takes.
        return self.confirm(rgb, [*found, *turned]) if turned else found

    def detect_one(
        self, rgb: RGB, how: Literal["largest", "centre"], *, small_faces: bool | None = None
    ) -> Face | None:
        """The face that `choose_faces` chooses of `detect`'s, faster: only that one is confirmed. None without a face.

        A look at the picture reduced to 128 px settles the choice where a face is large there. The choice uses YuNet's
        boxes: of faces about as large, or as near the centre, it may choose another. With `small_faces` None it
        searches only when the chosen face is small or missing.
        """
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        if not small_faces and (face := self._at_a_glance(rgb, bgr, how)) is not None:
            return face
        seen = list(self._first_look(bgr))
        if small_faces:
            seen += self._search(bgr, _SEARCH_PIXELS_WANTED)
        face = self._chosen(rgb, seen, how)
        if small_faces is None and (face is None or size_of(face) < SMALL_PX):
            seen += self._search(bgr, _SEARCH_PIXELS)
            face = self._chosen(rgb, seen, how)
        if face is None or face.quarter or not _is_distinct(face):
            seen += self._turned_candidates(bgr, small_faces, [] if face is None else [face])
            face = self._chosen(rgb, seen, how)
        return face

    def at_box(self, rgb: RGB, box_xyxy: Box) -> Face | None:
        """The face, of any roll, in a box such as a detector's, in pixels of a uint8 RGB picture (H, W, 3). None where
        the landmark network sees no face there."""
        found = read_faces(self._landmarker, rgb, [_candidate(box_xyxy)])
        return found[0] if found else None

    def at_drawn_box(self, rgb: RGB, box_xyxy: Box) -> Face | None:
        """The face, of any roll, with its centre in a box that a person drew, which is tighter or wider than a
        detector's: read at three sizes of the box, of which the one with the least expected error counts. None where
        the landmark network sees no face."""
        x0, y0, x1, y1 = box_xyxy
        x, y, across, down = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
        sized = [(x - size * across, y - size * down, x + size * across, y + size * down) for size in DRAWN_SIZES]
        read = read_faces(self._landmarker, rgb, [_candidate(box) for box in sized])
        inside = [face for face in read if x0 <= face.centre[0] <= x1 and y0 <= face.centre[1] <= y1]
        best = min(inside, key=lambda face: face.error_px or 0.0, default=None)
        return best and replace(best, by_hand=True)

    def recognisability(self, crops: Sequence[RGB]) -> list[float]:
        """How far an embedding of each aligned crop, uint8 RGB (s, s, 3), can be trusted, 0 to 1."""
        return recognisability_of(self._landmarker, crops)

    def look(self, rgb: RGB, zoom: float = 1.0, tile: Tile | None = None) -> list[Face]:
        """Run YuNet once on a picture, or on a tile of it, enlarged or reduced by `zoom`: candidates for `confirm`, in
        the picture's pixels. Their landmarks are YuNet's."""
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        return self._look(bgr, zoom) if tile is None else list(self._look_at_tile(bgr, tile, zoom))

    def confirm(self, rgb: RGB, faces: Sequence[Face]) -> list[Face]:
        """The candidates that are faces, each once, with landmarks by the network, the largest first, at most 300.

        Only the candidates' boxes and scores are used. They may come from different looks, and from the previous frame:
        of those that show the same face the one with the best score is used.
        """
        once = [faces[i] for i in distinct(faces, MAX_FACES)]
        found = read_faces(self._landmarker, rgb, once)
        return sorted((found[i] for i in distinct(found, MAX_FACES)), key=lambda face: -face.area)

    def _candidates(self, bgr: RGB, small_faces: bool | None) -> list[Face]:
        seen = list(self._first_look(bgr))
        if small_faces is None and (not seen or any(size_of(face) < _small_px(bgr) for face in seen)):
            seen += self._search(bgr, _SEARCH_PIXELS)
        elif small_faces:
            seen += self._search(bgr, _SEARCH_PIXELS_WANTED)
        return seen

    def _turned_candidates(self, bgr: RGB, small_faces: bool | None, found: Sequence[Face]) -> list[Face]:
        """Candidates in the photograph turned by quarters: as the faces in it are turned, or in every turn where it
        shows none distinctly."""
        distinctly = {face.quarter for face in found if _is_distinct(face)}
        seen = []
        for quarter in sorted(distinctly - {0}) if distinctly else TURNS:
            turned = np.ascontiguousarray(np.rot90(bgr, quarter))
            seen += [turned_back(face, quarter, bgr.shape) for face in self._candidates(turned, small_faces)]
        return seen

    def _at_a_glance(self, rgb: RGB, bgr: RGB, how: Literal["largest", "centre"]) -> Face | None:
        """The chosen face where a look at a reduced picture leaves no doubt about the choice: an upright face, large in
        it, and the largest, or over the picture's centre. None otherwise."""
        zoom = _GLANCE_SIDE / max(bgr.shape[:2])
        if zoom > _LARGEST_GLANCE_ZOOM:
            return None
        seen = [face for face in self._look(bgr, zoom) if size_of(face) >= max(_LEAST_GLANCE_PX / zoom, SMALL_PX)]
        if not seen:
            return None
        [face] = choose_faces(seen, how, rgb.shape)
        away = np.abs(np.array(face.centre) - np.array([rgb.shape[1], rgb.shape[0]]) / 2).max()
        if face.score < _CERTAIN_GLANCE or (how == "centre" and away > face.width / 3):
            return None
        found = self.confirm(rgb, [face])
        return found[0] if found and not found[0].quarter else None

    def _chosen(self, rgb: RGB, seen: Sequence[Face], how: Literal["largest", "centre"]) -> Face | None:
        """The first face, in the order of choice, that the landmark network confirms."""
        left = [seen[i] for i in distinct(seen, MAX_FACES)]
        while left:
            [face] = choose_faces(left, how, rgb.shape)
            if confirmed := self.confirm(rgb, [face]):
                return confirmed[0]
            left.remove(face)
        return None

    def _first_look(self, bgr: RGB) -> Iterator[Face]:
        """At native size, or reduced to 1,280 px; a large frame also at 320 px, for a face that fills it."""
        side = max(bgr.shape[:2])
        yield from self._look(bgr, _first_zoom(bgr))
        if side > 2 * _HUGE_LOOK_SIDE:
            yield from self._look(bgr, _HUGE_LOOK_SIDE / side)

    def _search(self, bgr: RGB, pixels: float) -> Iterator[Face]:
        """Search small faces in the frame enlarged as far as `pixels` allows, tile by tile.

        A face cut by the border between tiles is left to the neighbouring tile, which shows it whole; a face larger
        than the overlap is found by the first look.
        """
        height, width = bgr.shape[:2]
        zoom = 4.0 if 16 * height * width <= pixels / 4 else min(2.0, (pixels / (height * width)) ** 0.5)
        for tile in tiles(height, width, round(_TILE_SIDE / zoom), round(_TILE_OVERLAP / zoom)):
            yield from self._look_at_tile(bgr, tile, zoom)

    def _look_at_tile(self, bgr: RGB, tile: Tile, zoom: float) -> Iterator[Face]:
        part = bgr[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side]
        for face in self._look(part, zoom):
            if not tile.cuts(face, part.shape):
                yield moved(face, (1, 1), (tile.x, tile.y))

    def _look(self, bgr: RGB, zoom: float) -> list[Face]:
        """Run YuNet on the picture enlarged or reduced by `zoom`; the faces are in the picture's own pixels."""
        sized, scale = _sized(bgr, zoom)
        return [moved(face, scale, (0, 0)) for face in self._yunet.faces(sized, "first")]


def _candidate(box_xyxy: Box) -> Face:
    return Face(box_xyxy, np.full((5, 2), np.nan, dtype=np.float32), 1.0)


def _is_distinct(face: Face) -> bool:
    return face.recognisability is None or face.recognisability >= LEAST_DISTINCT


def _first_zoom(bgr: RGB) -> float:
    return min(1.0, _FIRST_LOOK_SIDE / float(max(bgr.shape[:2])))


def _small_px(bgr: RGB) -> float:
    """The probe size, in the picture's pixels, below which the first look sees a face as small."""
    return SMALL_PX / _first_zoom(bgr)


def _sized(bgr: RGB, zoom: float) -> tuple[RGB, tuple[float, float]]:
    """The picture enlarged or reduced by `zoom`, and the size (x, y) of its pixels in those of the original."""
    height, width = bgr.shape[:2]
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    if size != (width, height):
        how = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=how), dtype=np.uint8)
    return bgr, (width / size[0], height / size[1])
