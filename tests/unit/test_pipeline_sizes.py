"""Sizes: what a small square is taken for, how far a face is reduced, and which size decides."""

from __future__ import annotations

import numpy as np
import pytest

from core.enrolment.drafts import prepare_enrolment
from core.errors import SettingsInvalid
from core.faces.align import align
from core.faces.detect import Detector
from core.images import resize
from core.pipeline import native_crop_px, reduce_photograph, vlr_size

BLANK = np.full((200, 200, 3), 128, np.uint8)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_distance_is_simulated_on_the_whole_photograph(make_pipeline, portrait, size: int) -> None:
    result = make_pipeline().run(portrait, reduce_to_px=size)
    assert result.probe_px == pytest.approx(size, rel=0.2)
    assert result.size_px == vlr_size(result.probe_px)
    assert result.crop.shape[0] == native_crop_px(result.probe_px)
    assert result.sr_image.shape == (112, 112, 3)
    assert max(result.probe.frame_shape) < 200, "the frame itself is small"


def test_a_small_square_is_an_aligned_crop_unless_forbidden(make_pipeline, portrait) -> None:
    [face] = make_pipeline().detector.detect(portrait)
    crop = align(portrait, face.landmarks, 32)
    taken = make_pipeline().run(crop)
    assert taken.probe_px == 32 and taken.box_xyxy is None
    assert (taken.sr_image == resize(crop, 112)).all()
    searched = make_pipeline(aligned=False).run(crop)
    assert searched.box_xyxy is not None or searched.outcome == "unrecognisable"
    forced = make_pipeline(aligned=True).run(align(portrait, face.landmarks, 112))
    assert forced.probe_px == 112 and forced.size_px is None
    with pytest.raises(SettingsInvalid, match=r"300 x 200 px"):
        make_pipeline(aligned=True).run(np.zeros((200, 300, 3), np.uint8))


def _crop(portrait: np.ndarray, side: int) -> np.ndarray:
    [face] = Detector().detect(portrait, small_faces=False)
    return align(portrait, face.landmarks, side)


def test_an_aligned_crop_can_be_reduced(make_pipeline, portrait) -> None:
    result = make_pipeline().run(_crop(portrait, 64), reduce_to_px=16)
    assert result.probe_px == 16 and result.crop.shape == (16, 16, 3)


@pytest.mark.parametrize("side", [24, 32, 48, 64])
def test_what_a_small_square_was_taken_for_is_told(make_pipeline, portrait, side: int) -> None:
    pipeline = make_pipeline()
    aligned = pipeline.run(_crop(portrait, side))
    assert aligned.taken == "crop" and aligned.probe_px == side
    thumbnail = pipeline.run(resize(portrait[:300, 80:380], side))
    assert thumbnail.taken == "face" and thumbnail.probe_px < 0.7 * side
    nothing = pipeline.run(np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8))
    assert nothing.taken is None and nothing.outcome == "unrecognisable"


@pytest.mark.parametrize("side", [32, 64, 112])
@pytest.mark.parametrize(("quarter", "how"), [(1, "sideways"), (2, "upside down"), (3, "sideways")])
def test_a_turned_crop_is_matched_upright_or_refused(
    make_pipeline, portrait, side: int, quarter: int, how: str
) -> None:
    turned = np.ascontiguousarray(np.rot90(_crop(portrait, side), quarter))
    refused = make_pipeline(aligned=True).run(turned)
    assert refused.outcome == "unrecognisable" and refused.reason.startswith(f"an aligned crop that is {how}")
    draft = prepare_enrolment(make_pipeline(aligned=True), [turned])
    assert not draft.usable
    found = make_pipeline().run(turned)
    assert found.taken == "face" and any(problem.code == "rotated" for problem in found.problems)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_the_face_of_a_shrunk_photograph_measures_what_was_asked_for(make_pipeline, portrait, size: int) -> None:
    pipeline = make_pipeline()
    for picture in (portrait, portrait[:, ::-1], resize(portrait, 400), resize(portrait[:300, 80:380], 250)):
        result = pipeline.run(picture, reduce_to_px=size)
        assert round(result.probe_px) == size


def test_what_is_smaller_than_asked_for_stays_as_it_is(make_pipeline, portrait) -> None:
    small = resize(portrait, 100)
    assert make_pipeline().run(small, reduce_to_px=32).probe_px == pytest.approx(23, rel=0.1)


@pytest.mark.parametrize(
    ("size", "vlr", "crop"),
    [
        (9, 16, 9),
        (16.4, 16, 16),
        (21, 24, 21),
        (29, 32, 29),
        (40, 32, 40),
        (41, None, 41),
        (64, None, 112),
        (150, None, 112),
    ],
)
def test_sizes(size, vlr, crop) -> None:
    assert vlr_size(size) == vlr
    assert native_crop_px(size) == crop


def test_reducing_never_enlarges() -> None:
    assert reduce_photograph(BLANK, 20, 32) is BLANK
    assert reduce_photograph(BLANK, 100, 25).shape == (50, 50, 3)
