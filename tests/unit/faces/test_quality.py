"""Quality: angles from a projected head, sharpness against blur, and reasons in words."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.faces.align import align, probe_px
from core.faces.quality import Limits, Quality, assess, head_angles_deg, problems
from core.images import native_crop_px, read_image, reduce_photograph, resize

GOOD = Quality(probe_px=120, sharpness=1.2, brightness=120, contrast=45, yaw_deg=3, pitch_deg=-4, roll_deg=1)


def _head(yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 20) -> np.ndarray:
    """Five points of a head seen from afar: eyes, nose tip (towards the camera, -z), mouth corners; x right, y down."""
    points = np.array([[-1, 0, 0], [1, 0, 0], [0, 0.56 * 2.31, -0.95], [-0.7, 2.31, 0], [0.7, 2.31, 0]])
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned = points @ (about_z @ about_y @ about_x).T
    return (turned[:, :2] * scale + 100).astype(np.float32)


@given(st.floats(-70, 70), st.floats(-60, 60), st.floats(1, 200))
def test_yaw_of_a_projected_head(yaw: float, roll: float, scale: float) -> None:
    got_yaw, got_pitch, got_roll = head_angles_deg(_head(yaw=yaw, roll=roll, scale=scale))
    assert got_yaw == pytest.approx(yaw, abs=1)
    assert got_pitch == pytest.approx(0, abs=1)
    assert got_roll == pytest.approx(roll, abs=1)


@given(st.floats(-40, 40))
def test_pitch_of_a_projected_head(pitch: float) -> None:
    _, got, _ = head_angles_deg(_head(pitch=pitch))
    assert got == pytest.approx(pitch, abs=1)


def test_a_mirror_image_turns_the_other_way() -> None:
    points = _head(yaw=25)
    mirrored = (points * [-1, 1])[[1, 0, 2, 4, 3]]
    assert head_angles_deg(mirrored.astype(np.float32))[0] == pytest.approx(-head_angles_deg(points)[0], abs=0.1)


def test_a_portrait_is_good(astronaut, astronaut_face) -> None:
    crop = align(astronaut, astronaut_face.landmarks)
    quality = assess(crop, 120.0, astronaut_face)
    assert problems(quality) == []
    assert quality.detection_score == astronaut_face.score


def test_sharpness_falls_with_blur_and_keeps_with_size(astronaut, astronaut_face) -> None:
    crop = align(astronaut, astronaut_face.landmarks)
    blurred = [assess(cv2.GaussianBlur(crop, (0, 0), s), 112).sharpness for s in (1, 3, 6, 12)]
    assert blurred == sorted(blurred, reverse=True)
    sharp = assess(crop, 112).sharpness
    for size in (16, 24, 32, 48):
        assert assess(resize(crop, size), size).sharpness == pytest.approx(sharp, rel=0.25)


def test_brightness_and_contrast_by_hand() -> None:
    grey = np.zeros((112, 112, 3), np.uint8)
    grey[:, 56:] = 200
    quality = assess(grey, 112)
    assert quality.brightness == pytest.approx(100)
    assert quality.contrast == pytest.approx(100)
    assert quality.yaw_deg is None and quality.detection_score is None


def test_a_plain_crop_has_no_sharpness() -> None:
    assert assess(np.full((32, 32, 3), 90, np.uint8), 32).sharpness == 0


@pytest.mark.parametrize(
    ("change", "code", "severe"),
    [
        ({"probe_px": 8}, "too_small", True),
        ({"probe_px": 24}, "too_small", False),
        ({"sharpness": 0.1}, "blurred", True),
        ({"sharpness": 0.45}, "blurred", False),
        ({"yaw_deg": -75}, "turned", True),
        ({"yaw_deg": 40}, "turned", False),
        ({"pitch_deg": 45}, "turned", False),
        ({"brightness": 5}, "too_dark", True),
        ({"brightness": 40}, "too_dark", False),
        ({"brightness": 250}, "too_bright", True),
        ({"contrast": 2}, "low_contrast", True),
    ],
)
def test_each_reason_has_its_name(change: dict, code: str, severe: bool) -> None:
    [problem] = problems(Quality(**{**GOOD.__dict__, **change}))
    assert (problem.code, problem.severe) == (code, severe)
    assert problem.text[0].islower() and "{" not in problem.text


def test_severe_reasons_come_first() -> None:
    found = problems(Quality(**{**GOOD.__dict__, "probe_px": 24, "brightness": 2}))
    assert [problem.severe for problem in found] == [True, False]


def test_limits_are_settings() -> None:
    assert problems(GOOD, Limits(advised_probe_px=200))[0].code == "too_small"


@pytest.mark.parametrize(("measured", "severe"), [(0.1, True), (0.4, False), (0.6, None), (None, None)])
def test_an_indistinct_face_is_one_below_the_limits(measured: float | None, severe: bool | None) -> None:
    found = problems(
        replace(GOOD, recognisability=measured), Limits(severe_recognisability=0.2, advised_recognisability=0.5)
    )
    assert [(each.code, each.severe) for each in found] == ([] if severe is None else [("indistinct", severe)])
    assert not found or found[0].text == f"{'too' if severe else 'rather'} indistinct to be recognised"


def test_an_indistinct_face_with_a_severe_problem_is_told_by_that_one() -> None:
    found = problems(replace(GOOD, recognisability=0.0, brightness=2))
    assert [each.code for each in found if each.severe] == ["too_dark"]


def test_pictures_are_chosen_by_recognisability_else_by_sharpness() -> None:
    known, unknown = replace(GOOD, recognisability=0.625), replace(GOOD, sharpness=1.14)
    assert (known.worth, known.worth_text) == (0.625, "recognisability 0.62")
    assert (unknown.worth, unknown.worth_text) == (1.14, "sharpness 1.1")


@pytest.mark.parametrize("size", [112, 32, 24, 16])
def test_a_face_blurred_to_nothing_is_unrecognisable(astronaut, astronaut_face, size: int) -> None:
    """A blur of 12 px of 112 leaves nothing: the encoder's cosine to the sharp face is 0.07 on average."""
    crop = cv2.GaussianBlur(align(astronaut, astronaut_face.landmarks, size), (0, 0), 12 * size / 112)
    assert [problem.code for problem in problems(assess(crop, size, astronaut_face)) if problem.severe] == ["blurred"]


def test_black_is_unrecognisable() -> None:
    severe = {p.code for p in problems(assess(np.zeros((112, 112, 3), np.uint8), 112.0)) if p.severe}
    assert {"too_dark", "blurred", "low_contrast"} <= severe


@pytest.mark.parametrize("yaw", [-75, 75])
def test_a_profile_is_unrecognisable(yaw: float) -> None:
    face_yaw, _, _ = head_angles_deg(_head(yaw=yaw))
    [problem] = problems(Quality(**{**GOOD.__dict__, "yaw_deg": face_yaw}))
    assert problem.code == "turned" and problem.severe


@pytest.mark.shared
@pytest.mark.parametrize("size", [112, 32, 24, 16])
def test_hardly_a_real_face_is_unrecognisable(shared_dir, detector, size: int) -> None:
    from core.faces.face import choose_faces
    from core.images import read_image

    photos = sorted((shared_dir / "data" / "lfw" / "images").glob("*/*_0001.jpg"))[::140][:25]
    severe = 0
    for path in photos:
        rgb = read_image(path)
        [face] = choose_faces(detector.detect(rgb), "centre", rgb.shape)
        quality = assess(align(rgb, face.landmarks, size), size, face)
        severe += any(problem.severe for problem in problems(quality))
    assert severe <= 1


def _judged(picture: np.ndarray, detector) -> list[str]:
    """The codes of what makes the largest face unrecognisable; ["none"] where none is found."""
    found = detector.detect(picture)
    if not found:
        return ["none"]
    size = probe_px(found[0].landmarks)
    quality = assess(align(picture, found[0].landmarks, native_crop_px(size)), size, found[0])
    return [problem.code for problem in problems(quality) if problem.severe]


@pytest.mark.parametrize("way", [(25, 1), (1, 25)])
def test_a_motion_in_one_direction_is_a_blur(astronaut, detector, way: tuple[int, int]) -> None:
    """25 px on a face that fills as much of 250 px as LFW's do."""
    portrait = resize(astronaut[:250, 100:350], 250)
    assert _judged(portrait, detector) == []
    assert _judged(cv2.blur(portrait, way), detector) in (["blurred"], ["none"])


def test_a_gaussian_blur_of_7_px_is_refused_and_small_sharp_faces_are_not(astronaut, astronaut_face, detector) -> None:
    portrait = resize(astronaut[:250, 100:350], 250)
    assert "blurred" in _judged(cv2.GaussianBlur(portrait, (0, 0), 7), detector)
    for size in (48, 32, 24, 20, 16, 13):
        small = resize(astronaut, round(512 * size / probe_px(astronaut_face.landmarks)))
        assert _judged(small, detector) == [], size


def test_what_is_little_like_a_face_is_refused(detector) -> None:
    """Part of a motorcycle in scikit-image, in which both networks see a face."""
    spec = importlib.util.find_spec("skimage")
    workshop = read_image(Path(spec.submodule_search_locations[0]) / "data" / "motorcycle_right.png")
    assert detector.detect(workshop) and "indistinct" in _judged(workshop, detector)


def test_a_plain_crop_has_no_detail_to_judge() -> None:
    assert assess(np.full((32, 32, 3), 90, np.uint8), 32).detail is None


@pytest.mark.parametrize(("blur", "least"), [("sharp", 0.0), ("16 px", 0.0), ("motion", 0.9), ("gauss", 0.9)])
def test_blurred_faces_of_many_people_are_refused(shared_dir: Path, detector, blur: str, least: float) -> None:
    folder = shared_dir / "data" / "lfw" / "images"
    lines = (shared_dir / "data" / "lfw" / "pairs.txt").read_text().splitlines()[1:]
    names = sorted({line.split("\t")[0] for line in lines[:600]})[:60]
    refused = 0
    for name in names:
        picture = read_image(folder / name / f"{name}_0001.jpg")
        if blur == "16 px":
            face = detector.detect_one(picture, "centre")
            picture = reduce_photograph(picture, probe_px(face.landmarks), 16)
        elif blur != "sharp":
            picture = cv2.blur(picture, (25, 1)) if blur == "motion" else cv2.GaussianBlur(picture, (0, 0), 7)
        refused += bool(_judged(picture, detector))
    assert least * len(names) <= refused <= (len(names) if least else 0.02 * len(names))
