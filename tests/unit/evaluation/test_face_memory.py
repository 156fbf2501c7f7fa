"""Systems of one evaluation look for faces once, and find what each would have found."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from core.evaluation import face_memory, views
from core.evaluation.face_memory import FaceMemory, RememberingDetector
from core.evaluation.pictures import Picture
from core.evaluation.views import Shown, View, show
from core.faces.detect import Detector
from core.images import read_image
from core.models.landmark_networks import resolve_landmarks
from core.pipeline import Pipeline
from core.settings import load_settings


@pytest.fixture(scope="module")
def astronaut_rgb() -> np.ndarray:
    spec = find_spec("skimage")
    assert spec is not None and spec.submodule_search_locations
    return read_image(Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> tuple[RememberingDetector, RememberingDetector, list[str]]:
    """Two detectors with one memory, and what was looked at."""
    looked: list[str] = []

    def spied(name: str):
        whole = getattr(Detector, name)

        def look(self, *arguments, **options):
            looked.append(name)
            return whole(self, *arguments, **options)

        return look

    for name in ("detect", "recognisability"):
        monkeypatch.setattr(Detector, name, spied(name))
    memory, path = FaceMemory(), resolve_landmarks(load_settings())
    return (*(RememberingDetector(memory, landmarks_path=path) for _ in range(2)), looked)  # type: ignore[return-value]


def test_a_picture_is_looked_at_once_by_all(two, astronaut_rgb) -> None:
    first, second, looked = two
    plain = Detector(landmarks_path=resolve_landmarks(load_settings()))
    found = [repr(one.detect(astronaut_rgb)) for one in (first, plain, second)]
    assert found[0] == found[1] == found[2] and "Face(" in found[0]
    assert looked == ["detect", "detect"], "one of the memory, one of the plain detector"
    second.detect(astronaut_rgb, small_faces=True)
    second.detect(astronaut_rgb[:, ::-1])
    assert looked.count("detect") == 4, "another search, another picture"


def test_recognisability_is_measured_once(two, astronaut_rgb) -> None:
    first, second, looked = two
    crops = [np.ascontiguousarray(astronaut_rgb[60:172, 170:282])]
    assert first.recognisability(crops) == second.recognisability(crops) and looked == ["recognisability"]
    first.recognisability([crops[0][:24, :24]])
    assert len(looked) == 2


def test_answers_are_the_callers_own_and_bounded(two, astronaut_rgb, monkeypatch) -> None:
    first, second, looked = two
    first.detect(astronaut_rgb).clear()
    assert second.detect(astronaut_rgb)
    monkeypatch.setattr(face_memory, "MOST_ANSWERS", 1)
    for _ in range(2):
        first.recognisability([astronaut_rgb[:112, :112]])
    assert looked.count("recognisability") == 2


@pytest.fixture
def degraded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes to which crops were degraded."""
    sizes: list[int] = []
    real = views.degrade

    def spied(hr, size_px, *arguments, **options):
        sizes.append(size_px)
        return real(hr, size_px, *arguments, **options)

    monkeypatch.setattr(views, "degrade", spied)
    return sizes


def _equal(one: dict[View, Shown], other: dict[View, Shown]) -> bool:
    return list(one) == list(other) and all(
        np.array_equal(a.crop, b.crop) and np.array_equal(a.quality, b.quality, equal_nan=True)  # type: ignore[arg-type]
        for a, b in zip(one.values(), other.values(), strict=True)
    )


def test_a_picture_is_prepared_once_for_all_systems(pipeline: Pipeline, photographs: Path, degraded) -> None:
    picture = Picture(photographs / "images" / "Ada" / "Ada_0001.jpg", "Ada", "1", False, "ab")
    wanted = [View("aligned"), View("aligned", 32, "camera"), View("end to end", 24), View("aligned", 16)]
    plain = show(pipeline, picture, wanted)
    memory = FaceMemory()
    assert _equal(show(pipeline, picture, wanted[:2], memory=memory), {view: plain[view] for view in wanted[:2]})
    degraded.clear()
    for _ in range(2):
        assert _equal(show(pipeline, picture, wanted, memory=memory), plain)
    assert degraded == [16], "only the new size"
    show(pipeline, picture, wanted, seed=1, memory=memory)
    assert degraded == [16, 32, 16], "another seed"


def test_crops_beyond_the_limit_are_prepared_again(
    pipeline: Pipeline, photographs: Path, degraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_memory, "MOST_BYTES", 3 * 24 * 24 + 200)
    picture = Picture(photographs / "images" / "Ada" / "Ada_0001.jpg", "Ada", "1", False, "ab")
    memory = FaceMemory()
    for _ in range(2):
        show(pipeline, picture, [View("aligned", 24), View("aligned", 16)], memory=memory)
    assert degraded == [24, 16, 16]
