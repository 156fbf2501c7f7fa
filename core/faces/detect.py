"""Find faces with YuNet (Wu et al., Machine Intelligence Research 2023), down to about 12 px and up to a full frame.

A first look at native size misses most faces of 16 px, so small frames are enlarged and large ones searched in tiles as
their content needs. Then every face is looked at twice more, alone and brought to 96 px, as it is and mirrored. What
one of these doesn't show is dropped: hands, collars and faces cut in half, and none of 900 LFW faces of 12 to 112 px.
The mean of both lies 1.2 px of 112 from the mean of many looks, one look 1.8 to 2.7; EdgeFace-XXS with flip separates
people better with it (1,200 LFW pairs of folds 1 and 2, difference of mean scores in standard deviations: full size
5.75 -> 6.01, both at 32 px 4.72 -> 5.01, unchanged at 24 and 16 px).

200 LFW photographs shrunk as wholes until the face's probe has the size named: share found without and with the
search, mean distance of a landmark from where it is at full size, in px of the 112 px crop, false faces, and time.

    probe     no search     search    error    false faces     one core
    12 px        0.5 %       100 %      3.1    0                  10 ms
    16 px         40 %       100 %      2.5    0                  10 ms
    24 px       97.5 %       100 %      1.9    3                  12 ms
    32 px        100 %       100 %      1.6    2                  15 ms
    48 px        100 %       100 %      1.4    4                  15 ms

Twelve such faces in one frame of up to 1920 x 1080 px: 99 % found at 16 px, all at 24 px, in 0.1 to 1.5 s. In 12 and 24
megapixels, all with `small_faces` True (6 and 8 s); with None, which looks at less (2.5 s), 85 and 17 % at 16 px, 100
and 83 % at 24 px. A 250 px photograph takes 15 ms, or 140 ms where it is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from core.faces.align import probe_px
from core.faces.face import Face, between, choose_faces, distinct, mirrored, most_like, moved, placed, turned_back
from core.faces.tiles import Tile, tiles
from core.faces.yunet_model import SCORE_THRESHOLD, YuNet

RGB = NDArray[np.uint8]

EXACT_PX = 96.0
"""Probe size at which YuNet's landmarks are most exact; faces of another size are resized to it for a second look."""

SMALL_PX = 48.0
"""A frame with a face smaller than this is searched for smaller ones."""

CERTAIN_UPRIGHT = 0.93
"""From this score on a face is upright: of 700 LFW photographs upside down the best reached 0.921."""

CERTAIN_NOT_SIDEWAYS = 0.88
"""From this score on a face is upright or upside down: of those 700 none turned by a quarter reached it."""

LEAST_TURNED = 0.85
"""A face that looks best in another turn counts from this score on, as 99.8 % of the same photographs reach."""

GLANCE_PX = 48.0
LEAST_GLANCE = 0.84
"""A look at half the size costs a third. Turned by a half, 400 of 400 upside-down faces reach this score in it, at full
size and at 16 px; one in ten upright faces does, and is then looked at properly."""

TILTS_DEG = (45.0, -45.0, 135.0, -135.0)

TURNS = (2, 1, 3)
"""Quarter turns counterclockwise, the most frequent first."""

MAX_FACES = 300

_FIRST_LOOK_SIDE = 1280
_HUGE_LOOK_SIDE = 320
_SEARCH_PIXELS = 16e6
_SEARCH_PIXELS_WANTED = 64e6
_TILE_SIDE = 1024
_TILE_OVERLAP = 160
_REACH = 1.0


class _Seen(NamedTuple):
    """A face in the photograph's pixels, and the probe size at which YuNet saw it."""

    face: Face
    seen_px: float


class Detector:
    """Finds faces with YuNet. Safe to share between threads. Raises DetectorMissing."""

    def __init__(self, score_threshold: float = SCORE_THRESHOLD, model_path: Path | None = None) -> None:
        self._yunet = YuNet(score_threshold, model_path)

    @property
    def id(self) -> str:
        """The model and the score threshold as text: both decide which faces are found."""
        return self._yunet.id

    def detect(self, rgb: RGB, *, small_faces: bool | None = None) -> list[Face]:
        """Detect the faces of a uint8 RGB picture (H, W, 3), the largest first, at most 300.

        `small_faces`: True searches for faces down to about 12 px, False doesn't, None searches when the first look
        found nothing or a small face. The search enlarges the frame four times, twice or less, so that it looks at
        64 megapixels at most (16 with None).
        """
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        found = self._exact(bgr, [one.face for one in self._candidates(bgr, small_faces)])
        turned = self._turned_candidates(bgr, small_faces, found)
        return self._exact(bgr, [*found, *(one.face for one in turned)]) if turned else found

    def _candidates(self, bgr: RGB, small_faces: bool | None) -> list[_Seen]:
        seen = list(self._first_look(bgr))
        if small_faces is None and (not seen or any(one.seen_px < SMALL_PX for one in seen)):
            seen += self._search(bgr, _SEARCH_PIXELS)
        elif small_faces:
            seen += self._search(bgr, _SEARCH_PIXELS_WANTED)
        return seen

    def _turned_candidates(self, bgr: RGB, small_faces: bool | None, found: Sequence[Face]) -> list[_Seen]:
        """Candidates in the photograph turned by quarters: as the certain faces in it are turned, or in every turn
        where none is certain."""
        certain = {face.quarter for face in found if face.score >= LEAST_TURNED}
        seen = []
        for quarter in sorted(certain - {0}) if certain else TURNS:
            turned = np.ascontiguousarray(np.rot90(bgr, quarter))
            found_there = self._candidates(turned, small_faces)
            seen += [_Seen(turned_back(one.face, quarter, bgr.shape), one.seen_px) for one in found_there]
        return seen

    def look(self, rgb: RGB, zoom: float = 1.0, tile: Tile | None = None) -> list[Face]:
        """Run the network once on a picture, or on a tile of it, enlarged or reduced by `zoom`: candidates for
        `confirm`, in the picture's pixels."""
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        seen = self._look(bgr, zoom) if tile is None else self._look_at_tile(bgr, tile, zoom)
        return [one.face for one in seen]

    def confirm(self, rgb: RGB, faces: Sequence[Face]) -> list[Face]:
        """The candidates that are faces, each once, with exact landmarks, the largest first, at most 300.

        Candidates may come from different looks, and from the previous frame: of those that show the same face the one
        with the best score is used.
        """
        return self._exact(np.ascontiguousarray(rgb[:, :, ::-1]), faces)

    def _exact(self, bgr: RGB, faces: Sequence[Face]) -> list[Face]:
        once = [faces[i] for i in distinct(faces, MAX_FACES)]
        exact = [face for one in once if (face := self._look_again(bgr, one)) is not None]
        return sorted((exact[i] for i in distinct(exact, MAX_FACES)), key=lambda face: -face.area)

    def detect_one(
        self, rgb: RGB, how: Literal["largest", "centre"], *, small_faces: bool | None = None
    ) -> Face | None:
        """The face that `choose_faces` chooses of `detect`'s, faster: only that one is looked at again. None without a
        face.

        The choice uses the boxes of the first look: of faces about as large, or as near the centre, it may choose
        another. With `small_faces` None it searches only when the chosen face is small or missing.
        """
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        seen = list(self._first_look(bgr))
        if small_faces:
            seen += self._search(bgr, _SEARCH_PIXELS_WANTED)
        face, small = self._chosen(bgr, seen, how)
        if small_faces is None and (face is None or small):
            seen += self._search(bgr, _SEARCH_PIXELS)
            face, _ = self._chosen(bgr, seen, how)
        if face is None or face.quarter or face.score < LEAST_TURNED:
            seen += self._turned_candidates(bgr, small_faces, [] if face is None else [face])
            face, _ = self._chosen(bgr, seen, how)
        return face

    def _chosen(self, bgr: RGB, seen: list[_Seen], how: Literal["largest", "centre"]) -> tuple[Face | None, bool]:
        """The first face, in the order of choice, that two more looks confirm, and whether it was seen small."""
        left = _distinct(seen)
        while left:
            [face] = choose_faces([one.face for one in left], how, bgr.shape)
            [chosen] = [one for one in left if one.face is face]
            exact = self._look_again(bgr, face)
            if exact is not None:
                return exact, chosen.seen_px < SMALL_PX
            left.remove(chosen)
        return None, False

    def _first_look(self, bgr: RGB) -> Iterator[_Seen]:
        """At native size, or reduced to 1,280 px; a large frame also at 320 px, for a face that fills it."""
        side = max(bgr.shape[:2])
        yield from self._look(bgr, min(1.0, _FIRST_LOOK_SIDE / side))
        if side > 2 * _HUGE_LOOK_SIDE:
            yield from self._look(bgr, _HUGE_LOOK_SIDE / side)

    def _search(self, bgr: RGB, pixels: float) -> Iterator[_Seen]:
        """Search small faces in the frame enlarged as far as `pixels` allows, tile by tile.

        A face cut by the border between tiles is left to the neighbouring tile, which shows it whole; a face larger
        than the overlap is found by the first look.
        """
        height, width = bgr.shape[:2]
        zoom = 4.0 if 16 * height * width <= pixels / 4 else min(2.0, (pixels / (height * width)) ** 0.5)
        for tile in tiles(height, width, round(_TILE_SIDE / zoom), round(_TILE_OVERLAP / zoom)):
            yield from self._look_at_tile(bgr, tile, zoom)

    def _look_at_tile(self, bgr: RGB, tile: Tile, zoom: float) -> Iterator[_Seen]:
        part = bgr[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side]
        for one in self._look(part, zoom):
            if not tile.cuts(one.face, part.shape):
                yield _Seen(moved(one.face, (1, 1), (tile.x, tile.y)), one.seen_px)

    def _look_again(self, bgr: RGB, face: Face) -> Face | None:
        """The face, detected again in its own patch at the size at which YuNet is most exact, in the turn with the best
        score. None when no turn shows it: it is no face, or can't be aligned. YuNet also finds upside-down faces, with
        eyes and mouth exchanged, by a lower score than upright ones.
        """
        size = probe_px(face.landmarks)
        reach = _REACH * size
        x0, y0 = (max(0, int(c - reach)) for c in face.centre)
        patch = bgr[y0 : int(face.centre[1] + reach) + 1, x0 : int(face.centre[0] + reach) + 1]
        if patch.size == 0:
            return None
        small, scale = _sized(patch, EXACT_PX / size)
        here = moved(moved(face, (1, 1), (-x0, -y0)), (1 / scale[0], 1 / scale[1]), (0, 0))
        best = self._twice(small, here, face.quarter)
        for turn in self._turns_to_try(best, patch, size, face.quarter):
            least = LEAST_TURNED if best is None else best.score
            best = self._twice(small, here, (face.quarter + turn) % 4, least) or best
        if best is not None and best.score < CERTAIN_UPRIGHT:
            best = self._tilted(small, patch, size, best) or best
        if best is None or (best.quarter and best.score < LEAST_TURNED):
            return None
        return moved(moved(best, scale, (0, 0)), (1, 1), (x0, y0))

    def _turns_to_try(self, best: Face | None, patch: RGB, size: float, quarter: int) -> tuple[int, ...]:
        """The turns, relative to the one in which the face was seen, in which it may score better."""
        if best is None or best.score < CERTAIN_NOT_SIDEWAYS:
            return TURNS
        if best.score >= CERTAIN_UPRIGHT:
            return ()
        glance, _ = _sized(patch, GLANCE_PX / size)
        seen = self._yunet.faces(np.rot90(glance, (quarter + 2) % 4), "glance")
        return TURNS[:1] if any(one.score >= LEAST_GLANCE for one in seen) else ()

    def _twice(self, patch: RGB, here: Face, quarter: int, least: float = 0.0) -> Face | None:
        """The mean of two looks at the face `here` in a patch turned by `quarter`: one as it is, one mirrored. None
        when one of them doesn't show it, or by a score below `least`."""
        return self._both_ways(
            np.rot90(patch, quarter), lambda face: turned_back(face, quarter, patch.shape), here, least
        )

    def _tilted(self, patch: RGB, whole: RGB, size: float, here: Face) -> Face | None:
        """`_twice` in the patch turned by an odd number of eighths, where that shows the face better than it is seen
        `here`; None where it doesn't. `whole` is the patch in the photograph's own pixels, its probe `size`.

        YuNet finds a face that is tilted by 45 degrees, and takes it for upright, for sideways or for upside down.
        """
        glance, _ = _sized(whole, GLANCE_PX / size)
        straight = 90.0 * here.quarter
        seen = {}
        for degrees in (straight, *TILTS_DEG):
            found = self._yunet.faces(_turned_by(glance, degrees)[0], "glance")
            seen[degrees] = max((one.score for one in found), default=0.0)
        degrees = max(seen, key=lambda one: seen[one])
        if degrees == straight:
            return None
        tilted, there = _turned_by(patch, degrees)
        back = np.asarray(cv2.invertAffineTransform(there), dtype=np.float64)
        return self._both_ways(tilted, lambda face: placed(face, back), here, here.score)

    def _both_ways(self, turned: RGB, back: Callable[[Face], Face], here: Face, least: float) -> Face | None:
        """The mean of two looks at the face `here` in the picture `turned`: as it is and mirrored. `back` maps a face
        of that picture to the frame of `here`. None when one look doesn't show it, or the mean scores below `least`."""
        looks = []
        for mirror in (False, True):
            found = self._yunet.faces(turned[:, ::-1] if mirror else turned, "again")
            plain = [mirrored(face, turned.shape[1]) for face in found] if mirror else found
            like = most_like(here, [back(face) for face in plain])
            if like is None or (like.score < least and not mirror):
                return None
            looks.append(like)
        mean = between(*looks)
        return mean if mean.score > least else None

    def _look(self, bgr: RGB, zoom: float) -> list[_Seen]:
        """Run YuNet on the picture enlarged or reduced by `zoom`; the faces are in the picture's own pixels."""
        sized, scale = _sized(bgr, zoom)
        return [
            _Seen(moved(face, scale, (0, 0)), probe_px(face.landmarks)) for face in self._yunet.faces(sized, "first")
        ]


def _sized(bgr: RGB, zoom: float) -> tuple[RGB, tuple[float, float]]:
    """The picture enlarged or reduced by `zoom`, and the size (x, y) of its pixels in those of the original."""
    height, width = bgr.shape[:2]
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    if size != (width, height):
        how = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=how), dtype=np.uint8)
    return bgr, (width / size[0], height / size[1])


def _turned_by(bgr: RGB, degrees: float) -> tuple[RGB, NDArray[np.float64]]:
    """The picture rotated counterclockwise about its centre, its border repeated, and the affine map (2, 3)."""
    height, width = bgr.shape[:2]
    there = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    turned = cv2.warpAffine(bgr, there, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8), np.asarray(there, dtype=np.float64)


def _distinct(seen: list[_Seen]) -> list[_Seen]:
    """Each face once, the most certain first."""
    return [seen[i] for i in distinct([one.face for one in seen], MAX_FACES)]
