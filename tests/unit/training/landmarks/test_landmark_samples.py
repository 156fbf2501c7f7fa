"""Samples: landmarks land where the picture shows them, whatever is drawn; what is no face has none."""

from __future__ import annotations

import numpy as np
import pytest

from core.faces.align import probe_px
from core.faces.landmarks.look import LOOK_PX, Look
from core.training.landmarks import faults, negatives, samples
from core.training.landmarks.batches import Material, batches, make_batch
from core.training.landmarks.faults import motion_kernel, spoilt
from core.training.landmarks.samples import draw_sample, drawn, look_at
from tests.unit.training.landmarks.drawn_people import dots_in, dotted


@pytest.mark.parametrize("roll", [0.0, 30.0, 90.0, 180.0])
@pytest.mark.parametrize("size", [40.0, 96.0])
def test_drawn_points_are_where_the_dots_are(size, roll):
    source = dotted()
    picture, native = drawn(source.window(0), source.landmarks[0], size, roll, np.random.default_rng(3))
    assert np.abs(dots_in(picture) - native).max() < 0.5
    assert probe_px(native) == pytest.approx(size, rel=0.1), "a stretch of some percent is drawn"
    eyes = native[1] - native[0]
    turned = np.degrees(np.arctan2(eyes[1], eyes[0]))
    assert abs((turned - roll + 180) % 360 - 180) < 6
    assert np.abs(native.mean(axis=0) - picture.shape[0] / 2).max() <= 0.51


def test_a_drawn_point_by_hand():
    """A turn by 90 degrees takes (x, y), measured from the mean of the points, to (-y, x), scaled."""

    class Still(np.random.Generator):
        def normal(self, *_):
            return 0.0

        def uniform(self, *_):
            return np.zeros(2)

    source = dotted()
    points, size = source.landmarks[0], 60.0
    _, native = drawn(source.window(0), points, size, 90.0, Still(np.random.PCG64(0)))
    side, from_mean = int(np.ceil(size * 2.3)), points - points.mean(axis=0)
    expected = np.stack([-from_mean[:, 1], from_mean[:, 0]], axis=1) * size / probe_px(points) + side / 2
    assert native == pytest.approx(expected, abs=1e-3)


def test_a_look_cuts_the_dots_where_it_says():
    source, rng = dotted(), np.random.default_rng(0)
    for _ in range(20):
        size = float(rng.uniform(60, 110))
        picture, native = drawn(source.window(0), source.landmarks[0], size, float(rng.uniform(-180, 180)), rng)
        look = look_at(native, size, rng)
        expected = (look.from_picture(native) + 1) * LOOK_PX / 2 - 0.5
        inside = (expected > 4).all() and (expected < LOOK_PX - 5).all()
        if inside:
            assert np.abs(dots_in(look.cut(picture)) - expected).max() < 0.8


def test_the_first_look_is_upright_and_the_exact_one_turned_with_the_face():
    source, rng = dotted(), np.random.default_rng(1)
    _, native = drawn(source.window(0), source.landmarks[0], 80.0, 120.0, rng)
    looks = [look_at(native, 80.0, rng) for _ in range(200)]
    upright = [look for look in looks if look.roll_deg == 0]
    turned = [look for look in looks if look.roll_deg != 0]
    assert 60 < len(upright) < 140
    assert np.median([look.roll_deg for look in turned]) == pytest.approx(120, abs=4)
    assert np.median([look.side_px for look in upright]) / 80 == pytest.approx(1.6, abs=0.06)
    assert np.median([look.side_px for look in turned]) / 80 == pytest.approx(1.3, abs=0.04)


def test_samples_follow_from_the_seed_and_a_mirrored_face_keeps_its_left_eye_left():
    source, textures = dotted(), [np.zeros((64, 64, 3), dtype=np.uint8)]
    drawn_samples = [draw_sample([source], [1.0], textures, np.random.default_rng(seed)) for seed in range(120)]
    again = draw_sample([source], [1.0], textures, np.random.default_rng(7))
    assert (again.image == drawn_samples[7].image).all() and (again.points == drawn_samples[7].points).all()
    faces = [sample for sample in drawn_samples if sample.is_face]
    assert 68 <= len(faces) <= 100, "three in ten show no face"
    for sample in drawn_samples:
        assert sample.image.shape == (LOOK_PX, LOOK_PX, 3) and sample.image.dtype == np.uint8
        assert sample.points.shape == (5, 2) and sample.points.dtype == np.float32
        if not sample.is_face:
            assert not sample.points.any()
    for sample in faces:
        along = sample.points[1] - sample.points[0]
        down = sample.points[3:].mean(axis=0) - sample.points[:2].mean(axis=0)
        assert along[0] * down[1] - along[1] * down[0] > 0


def test_what_is_cut_off_or_covered_keeps_its_landmarks():
    source, rng = dotted(), np.random.default_rng(5)
    picture, native = drawn(source.window(0), source.landmarks[0], 90.0, 0.0, rng)
    for _ in range(12):
        cut, moved = samples.cut_off(picture, native, 90.0, rng)
        there = (moved > 4).all(axis=1) & (moved < np.array(cut.shape[1::-1]) - 5).all(axis=1)
        assert cut.size < picture.size and there.any()
        assert np.abs(dots_in(cut) - moved)[there].max() < 1.5
    before = picture.copy()
    covered = samples.covered(picture, native, 90.0, rng)
    assert (picture == before).all() and (covered != before).any(), "the picture itself isn't drawn on"


def test_a_scrambled_look_has_its_parts_elsewhere():
    """Of a look whose pixels hold their row and column, each way of scrambling by hand."""
    rows, columns = np.mgrid[:LOOK_PX, :LOOK_PX].astype(np.uint8)
    look = np.stack([rows, columns, np.zeros_like(rows)], axis=2)
    found = [negatives.scrambled(look, np.random.default_rng(seed)) for seed in range(60)]
    assert all(each.shape == look.shape and (each != look).any() for each in found)
    upper, lower = look[:40], look[40:]
    for expected in (np.vstack([upper[::-1, ::-1], lower]), np.vstack([upper, upper]), np.vstack([lower, lower])):
        assert any((each == expected).all() for each in found)
    assert any(each[:16, 0, 0].tolist() == list(range(48, 64)) for each in found), "strips"
    quarters = [each for each in found if sorted(each[::40, ::40, :2].reshape(-1, 2).tolist()) == _CORNERS]
    assert quarters
    for each in quarters:
        assert all(
            here != there for here, there in zip(each[::40, ::40, :2].reshape(-1, 2).tolist(), _CORNERS, strict=True)
        )


_CORNERS = [[0, 0], [0, 40], [40, 0], [40, 40]]


def test_drawings_differ_and_fill_the_look():
    looks = [negatives.drawing_look(np.random.default_rng(seed)) for seed in range(40)]
    assert all(each.shape == (LOOK_PX, LOOK_PX, 3) and each.dtype == np.uint8 for each in looks)
    assert len({each.tobytes() for each in looks}) == 40
    assert min(each.std() for each in looks) > 2
    assert (negatives.drawing_look(np.random.default_rng(3)) == looks[3]).all()


def test_a_motion_kernel_by_hand():
    kernel = motion_kernel(3.0, 0.0)
    middle = kernel.shape[0] // 2
    assert kernel[middle, middle - 1 : middle + 2] == pytest.approx([1 / 3] * 3)
    assert kernel.sum() == pytest.approx(1) and (np.delete(kernel, middle, axis=0) == 0).all()
    assert motion_kernel(3.0, 90.0) == pytest.approx(kernel.T, abs=1e-6)


def test_a_fifth_of_pictures_has_no_fault():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    kept = sum(spoilt(picture, 20.0, np.random.default_rng(seed)) is picture for seed in range(400))
    assert 50 <= kept <= 115
    assert faults.spoilt(picture, 20.0, np.random.default_rng(1)).dtype == np.uint8


def test_sample_images_that_arent_there_are_left_out(monkeypatch):
    found = negatives.load_textures()
    assert len(found) >= 10 and all(each.ndim == 3 and each.dtype == np.uint8 for each in found)
    monkeypatch.setattr(negatives.importlib.util, "find_spec", lambda name: None)
    assert negatives.load_textures() == []


def test_without_textures_there_are_other_negatives():
    seen = [draw_sample([dotted()], [1.0], [], np.random.default_rng(seed)).is_face for seed in range(60)]
    assert 3 <= seen.count(False) <= 30


def test_batches_are_the_same_from_processes_and_without():
    material = Material([dotted(), dotted(112, 0.9)], [np.zeros((64, 64, 3), dtype=np.uint8)])
    assert material.shares == [0.5, 0.5]
    apart = [list(batches(material, 3, range(5, 8), seed=2, workers=workers)) for workers in (0, 2)]
    assert len(apart[0]) == 3
    for one, two, step in zip(*apart, range(5, 8), strict=True):
        expected = make_batch(material, 3, step, 2)
        for part, (a, b) in enumerate(zip(one, two, strict=True)):
            assert (a.numpy() == expected[part]).all() and (b.numpy() == expected[part]).all()


def test_a_look_at_a_source_of_dots_reads_back():
    """The fixture itself: dots are found where they were painted."""
    source = dotted()
    assert np.abs(dots_in(source.window(0)) - source.landmarks[0]).max() < 0.05
    look = Look((200.0, 200.0), 120.0)
    expected = (look.from_picture(source.landmarks[0]) + 1) * LOOK_PX / 2 - 0.5
    assert np.abs(dots_in(look.cut(source.window(0))) - expected).max() < 0.2
