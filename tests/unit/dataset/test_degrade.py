"""Degradation: bicubic as the papers have it, the camera within its published ranges, and both again byte for byte."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.degrade import (
    ANGLE_DEG,
    BLUR_PX,
    GAMMA,
    KERNELS,
    MOVING,
    PUBLISHED,
    QUALITY,
    SHOT,
    CameraRanges,
    degrade,
    degrade_photograph,
    draw,
    replay,
    seed_for,
)
from core.dataset.errors import DatasetInvalid
from core.errors import SettingsInvalid
from core.images import resize

PLAIN = {"blur_px": [0.0, 0.0], "shot": 0.0, "read": 0.0, "gamma": 2.2, "quality": 100, "kernel": "area"}


def _face(seed: int = 0) -> np.ndarray:
    """Smooth colours, as skin has, with a dark bar for the eyes."""
    grid = np.linspace(0, 3, 112)
    waves = np.sin(grid[:, None] + seed) * np.cos(grid[None, :])
    rgb = np.stack([150 + 60 * waves, 120 + 50 * waves, 100 + 40 * waves], axis=2)
    rgb[45:55, 25:90] = 40
    return rgb.astype(np.uint8)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_bicubic_is_the_one_resize_of_the_project(size: int) -> None:
    small, recipe = degrade(_face(), size)
    assert np.array_equal(small, resize(_face(), size))
    assert recipe == {"method": "bicubic", "size_px": size}


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**40), size=st.sampled_from([16, 24, 32]), method=st.sampled_from(["bicubic", "camera"]))
def test_a_recipe_that_went_through_json_makes_the_same_bytes(seed: int, size: int, method: str) -> None:
    small, recipe = degrade(_face(), size, method, seed=seed)
    assert small.shape == (size, size, 3) and small.dtype == np.uint8
    again = replay(_face(), json.loads(json.dumps(recipe)))
    assert small.tobytes() == again.tobytes()


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_drawn_stays_within_the_published_ranges(seed: int) -> None:
    drawn = draw(seed)
    assert all(BLUR_PX[0] <= width <= BLUR_PX[1] for width in drawn["blur_px"])
    assert ANGLE_DEG[0] <= drawn["angle_deg"] <= ANGLE_DEG[1]
    assert drawn["kernel"] in KERNELS
    assert SHOT[0] * 0.9999 <= drawn["shot"] <= SHOT[1] * 1.0001
    middle = 2.18 * np.log(drawn["shot"]) + 1.20
    assert abs(np.log(drawn["read"]) - middle) <= 3 * 0.26 + 1e-4
    assert GAMMA[0] <= drawn["gamma"] <= GAMMA[1]
    assert QUALITY[0] <= drawn["quality"] <= QUALITY[1]


def test_another_seed_makes_another_image_and_bicubic_knows_no_seed() -> None:
    camera = {degrade(_face(), 24, "camera", seed=seed)[0].tobytes() for seed in range(20)}
    assert len(camera) == 20
    assert len({degrade(_face(), 24, "bicubic", seed=seed)[0].tobytes() for seed in range(5)}) == 1


def test_the_noise_has_the_variance_of_the_formula() -> None:
    """Mid-grey light x = 0.25: variance shot x + read, here 0.01 * 0.25 + 0.001 = 0.0035, seen through gamma 1."""
    level = round(255 * 0.25 ** (1 / 2.2))
    light = (level / 255) ** 2.2
    flat = np.full((112, 112, 3), level, np.uint8)
    values = {**PLAIN, "shot": 0.01, "read": 0.001, "gamma": 1.0}
    seen = np.stack([_uncompressed(flat, {**values, "seed": seed}) for seed in range(12)])
    assert seen.mean() == pytest.approx(light, abs=0.002)
    assert seen.var() == pytest.approx(0.01 * light + 0.001, rel=0.05)


def _uncompressed(rgb: np.ndarray, values: dict) -> np.ndarray:
    from core.dataset.degrade import _read_out, _shrunk

    light = np.power(rgb.astype(np.float32) / 255, 2.2)
    return _read_out(_shrunk(light, 64, values["kernel"]), values["shot"], values["read"], values["seed"])


def test_without_blur_noise_and_gamma_it_is_an_area_average() -> None:
    small, _ = degrade(_face(), 28, "camera", params=PLAIN)
    average = (_face().astype(np.float64) / 255) ** 2.2
    average = average.reshape(28, 4, 28, 4, 3).mean(axis=(1, 3)) ** (1 / 2.2) * 255
    assert np.abs(small - average).mean() < 2.5  # JPEG's colour at half size


def test_a_blur_spreads_a_point_as_its_gaussian_does() -> None:
    from core.dataset.degrade import _blurred

    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    spread = _blurred(point, [3.0, 1.0], 0.0)[..., 0].astype(np.float64)
    x = np.arange(41) - 20
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert (spread.sum(axis=0) * x**2).sum() == pytest.approx(9, rel=0.05)
    assert (spread.sum(axis=1) * x**2).sum() == pytest.approx(1, rel=0.05)


def test_the_published_draws_never_change() -> None:
    """Manifests and evaluations name seeds: a change here would change what they stand for."""
    assert draw(7) == {
        "seed": 7,
        "blur_px": [2.2257, 2.9384],
        "angle_deg": 96.93,
        "kernel": "area",
        "shot": 0.000144098,
        "read": 1.29071e-08,
        "gamma": 1.852,
        "quality": 72,
    }
    assert draw(7, PUBLISHED) == draw(7)


def test_motion_comes_on_top_of_the_other_draws_in_its_share_of_images() -> None:
    drawn = [draw(seed, MOVING) for seed in range(4000)]
    moving = [values for values in drawn if "motion_px" in values]
    assert len(moving) / len(drawn) == pytest.approx(MOVING.motion_share, abs=0.02)
    assert all(3 <= values["motion_px"] <= 18 and 0 <= values["motion_deg"] <= 180 for values in moving)
    for seed, values in enumerate(drawn):
        assert {key: value for key, value in values.items() if not key.startswith("motion")} == draw(seed)


def test_motion_spreads_a_point_along_a_line() -> None:
    """A line of length L at constant speed has the variance L^2 / 12; sharing between pixels adds at most 1/4."""
    from core.dataset.degrade import _moved

    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    spread = _moved(point, 12.0, 0.0)[..., 0].astype(np.float64)
    x = np.arange(41) - 20
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    assert (spread.sum(axis=0) * x**2).sum() == pytest.approx(12**2 / 12, abs=0.26)
    assert (spread.sum(axis=1) * x**2).sum() == pytest.approx(0, abs=1e-5)
    slanting = _moved(point, 12.0, 45.0)[..., 0].astype(np.float64)
    assert (slanting * np.outer(x, x)).sum() == pytest.approx(12**2 / 24, rel=0.05)  # x and y rise together
    assert np.allclose(_moved(point, 0.0, 33.0), point)


def test_a_moving_image_is_replayed_from_its_recipe() -> None:
    seed = next(seed for seed in range(1000) if "motion_px" in draw(seed, MOVING))
    small, recipe = degrade(_face(), 24, "camera", seed=seed, ranges=MOVING)
    assert replay(_face(), json.loads(json.dumps(recipe))).tobytes() == small.tobytes()
    still = {key: value for key, value in recipe.items() if not key.startswith("motion")}
    assert replay(_face(), still).tobytes() != small.tobytes()
    assert degrade(_face(), 24, "camera", seed=seed)[0].tobytes() == replay(_face(), still).tobytes()


def test_motion_grows_with_the_face_of_a_photograph() -> None:
    ranges = CameraRanges(
        blur_px=(0.0, 0.0), shot=(1e-9, 1e-9), gamma=(2.2, 2.2), quality=(100, 100), motion_share=1, motion_px=(14, 14)
    )
    photograph = np.full((120, 120, 3), 128, np.uint8)
    photograph[:, 60:] = 30
    rough = [
        np.abs(np.diff(degrade_photograph(photograph, px, px, ranges=ranges).astype(int), axis=1)).max()
        for px in (28, 112)
    ]
    assert rough[1] < rough[0]


def test_ranges_hold_every_value_that_is_drawn_within_them() -> None:
    narrow = CameraRanges(blur_px=(1.0, 1.0), kernels=("area",), gamma=(2.0, 2.0), quality=(50, 50), shot=(1e-3, 1e-3))
    drawn = draw(3, narrow)
    assert (drawn["blur_px"], drawn["kernel"], drawn["gamma"], drawn["quality"]) == ([1.0, 1.0], "area", 2.0, 50)
    assert drawn["shot"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "values",
    [
        {"blur_px": (3.0, 0.2)},
        {"blur_px": (0.0, 30.0)},
        {"shot": (0.0, 1e-2)},
        {"gamma": (0.0, 1.0)},
        {"motion_px": (9.0, 3.0)},
        {"quality": (95, 30)},
        {"kernels": ()},
        {"kernels": ("sinc",)},
        {"kernels": ("area", "area")},
    ],
)
def test_ranges_that_no_camera_has_are_refused(values: dict) -> None:
    with pytest.raises(SettingsInvalid, match=next(iter(values))):
        CameraRanges(**values)


def test_light_is_looked_up_as_it_was_computed() -> None:
    from core.dataset.degrade import _LIGHT

    pixels = np.arange(256).astype(np.uint8)
    assert np.array_equal(_LIGHT[pixels], np.power(pixels.astype(np.float32) / 255.0, 2.2, dtype=np.float32))


def test_gamma_brightens_and_darkens() -> None:
    dark = degrade(_face(), 32, "camera", params={**PLAIN, "gamma": 1.8})[0]
    bright = degrade(_face(), 32, "camera", params={**PLAIN, "gamma": 2.4})[0]
    assert dark.mean() < bright.mean()


def test_an_images_seed_follows_its_name_and_not_the_order() -> None:
    assert seed_for(7, "a.png", 16) == seed_for(7, "a.png", 16)
    assert len({seed_for(s, n, p) for s in (1, 2) for n in ("a", "b") for p in (16, 24)}) == 8
    assert seed_for(1, "1a") != seed_for(11, "a")


@pytest.mark.parametrize(
    "change",
    [
        {"method": "magic"},
        {"size_px": 0},
        {"size_px": "16"},
        {"kernel": "sinc"},
        {"gamma": float("nan")},
        {"quality": 0},
        {"blur_px": [1.0]},
        {"seed": -1},
        {"shot": None},
        {"quality": True},
        {"motion_px": 5.0},
        {"motion_px": 300.0, "motion_deg": 0.0},
    ],
)
def test_a_damaged_recipe_is_refused_in_words(change: dict) -> None:
    _, recipe = degrade(_face(), 16, "camera")
    with pytest.raises(DatasetInvalid):
        replay(_face(), {**recipe, **change})


def test_bad_wishes_are_refused() -> None:
    with pytest.raises(SettingsInvalid, match="bicubic, camera"):
        degrade(_face(), 16, "lanczos")
    with pytest.raises(SettingsInvalid):
        degrade(_face(), 16, "bicubic", params={"gamma": 2})
    with pytest.raises(SettingsInvalid):
        degrade(_face(), 400, "bicubic")
    with pytest.raises(SettingsInvalid, match="square"):
        degrade(_face()[:50], 16)
