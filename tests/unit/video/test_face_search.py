"""Faces found in frames at a bounded cost: small ones tile by tile, then followed."""

from __future__ import annotations

import numpy as np
import pytest

from core.faces.align import probe_px
from core.faces.detect import Detector
from core.images import resize
from core.video.face_search import DistantFaceSearch, FaceSearch, FaceSearchSettings


class Counting(Detector):
    """The real detector, with its looks noted."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[tuple[float, bool]] = []

    def look(self, rgb, zoom=1.0, tile=None):
        self.looks.append((zoom, tile is not None))
        return super().look(rgb, zoom, tile)


@pytest.fixture(scope="module")
def far_view(portrait: np.ndarray) -> np.ndarray:
    """A wide frame in which the portrait's face has about 16 px, right of the middle."""
    frame = np.full((360, 640, 3), 105, np.uint8)
    small = resize(portrait, 80)
    frame[200:280, 430:510] = small
    return frame


def test_a_small_face_is_found_within_a_round_of_tiles_and_then_followed(far_view) -> None:
    detector = Counting()
    seeker = FaceSearch(detector)
    found, rounds = [], 0
    while not found and rounds < 12:
        found = seeker.find(far_view)
        rounds += 1
    [face] = found
    assert 430 < face.centre[0] < 510 and 200 < face.centre[1] < 280
    assert 12 < probe_px(face.landmarks) < 26
    for _ in range(8):  # its tile isn't looked at in each of these frames
        assert len(seeker.find(far_view, [face])) == 1
    moved = np.roll(far_view, 3, axis=1)
    [again] = seeker.find(moved, [face])
    assert again.centre[0] - face.centre[0] == pytest.approx(3, abs=1.5)


def test_what_a_frame_costs_is_bounded(far_view) -> None:
    detector = Counting()
    large = resize(far_view, (1920, 1080))
    seeker = FaceSearch(detector, FaceSearchSettings(look_px=640, tiles=2, small_faces=True))
    seeker.find(large)
    assert detector.looks == [(640 / 1920, False), (2.0, True), (2.0, True)]


def test_tiles_are_left_alone_while_large_faces_are_in_sight(portrait) -> None:
    detector = Counting()
    seeker = FaceSearch(detector)
    assert len(seeker.find(portrait)) == 1
    assert [tiled for _, tiled in detector.looks] == [False]


def test_tiles_cover_the_whole_frame_in_turn() -> None:
    seeker = FaceSearch(Detector(), FaceSearchSettings(tile_px=512, shared_px=128, zoom=2.0))
    covered = np.zeros((480, 640), bool)
    tiles = [seeker._next_tile((480, 640, 3)) for _ in range(9)]
    for tile in tiles:
        covered[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side] = True
    assert covered.all()
    assert seeker._next_tile((480, 640, 3)) == tiles[0]


@pytest.mark.parametrize("size", [16, 32])
def test_a_simulated_distance_holds_its_size(portrait, size: int) -> None:
    seeker = DistantFaceSearch(Detector(), size)
    for _ in range(4):
        seen = seeker.find(portrait)
        assert probe_px(seen.faces[0].landmarks) == pytest.approx(size, rel=0.15)
    [place] = seen.places
    [truth] = Detector().detect(portrait)
    assert place.centre == pytest.approx(truth.centre, abs=0.08 * truth.width + 4)


def test_after_the_face_left_and_came_back_the_distance_is_measured_anew(portrait) -> None:
    seeker = DistantFaceSearch(Detector(), 24)
    seeker.find(portrait)
    blank = np.full_like(portrait, 120)
    for _ in range(4):
        assert seeker.find(blank).faces == []
    nearer = np.ascontiguousarray(resize(portrait, 768)[128:640, 100:612])
    assert probe_px(seeker.find(nearer).faces[0].landmarks) == pytest.approx(24, rel=0.2)
