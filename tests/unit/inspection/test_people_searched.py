"""Whom a face resembles: the gallery's own search, and a data set with the face's own picture left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.pictures import Picture
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from core.inspection.reference import reference_of_index, reference_of_pictures


def unit(*rows: list[float]) -> np.ndarray:
    made = np.array(rows, np.float32)
    return made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)


def picture(identity: str, number: int) -> Picture:
    return Picture(Path("x"), identity, f"{identity}{number}", True, f"{identity}{number}")


def test_its_own_picture_is_left_out_of_its_persons_mean() -> None:
    vectors = unit([1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1])
    pictures = [picture("Ada", 1), picture("Ada", 2), picture("Ben", 1), picture("Cleo", 1)]
    reference = reference_of_pictures(pictures, vectors, "three")
    [own] = reference.search(vectors[:1], "Ada", "Ada1")
    # Ada without her first picture is (0, 1, 0): cosine 0 to (1, 0, 0); Ben's is 1/sqrt(2); Cleo's 0 ties with hers.
    assert own.genuine == pytest.approx(0) and own.rank == 3 and own.people == 3
    assert own.nearest[0].name == "Ben" and own.nearest[0].score == pytest.approx(2**-0.5)
    [stranger] = reference.search(vectors[:1])
    assert stranger.rank is None and [near.name for near in stranger.nearest] == ["Ada", "Ben", "Cleo"]
    assert stranger.nearest[0].score == pytest.approx(2**-0.5)  # the mean of both of Ada's


def test_who_has_no_other_picture_is_nobody_to_be_found_as() -> None:
    vectors = unit([1, 0], [0, 1])
    reference = reference_of_pictures([picture("Ada", 1), picture("Ben", 1)], vectors, "two")
    [alone] = reference.search(vectors[:1], "Ada", "Ada1")
    assert alone.rank is None and alone.people == 1 and [near.name for near in alone.nearest] == ["Ben"]
    assert reference.mean_of("Ada", "Ada1") is None and reference.mean_of("Nobody") is None
    one = reference_of_pictures([picture("Ada", 1)], vectors[:1], "one")
    assert one.label == "one, HR images of 1 person, this one left out"
    assert np.allclose(reference.mean_of("Ada"), [1, 0])


def test_the_gallerys_people_are_found_as_the_gallery_finds_them(own_data_dir: Path) -> None:
    random = np.random.default_rng(0)
    space = Space("x", "a" * 64, "bicubic", False)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        for name in ("Ada", "Ben", "Cleo"):
            rows = unit(*random.normal(size=(3, 512)).tolist())
            kinds = [("hr", None), ("hr", None), ("sr", 16)]
            gallery.enrol(
                name,
                [NewTemplate(row, kind, 100.0, size) for row, (kind, size) in zip(rows, kinds, strict=True)],  # type: ignore[arg-type]
                space=space,
            )
        probes = unit(*random.normal(size=(4, 512)).tolist())
        index = gallery.index(space)
        reference = reference_of_index(index)
        for ranking, candidates in zip(reference.search(probes, "Ben"), index.search(probes, k=3), strict=True):
            assert [near.name for near in ranking.nearest] == [each.name for each in candidates]
            assert [near.score for near in ranking.nearest] == pytest.approx([each.score for each in candidates])
            assert ranking.rank == [each.name for each in candidates].index("Ben") + 1
    assert reference_of_index(index).label == "the gallery, 3 people"


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**31))
def test_a_rank_counts_who_scores_at_least_as_high(people: int, each: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = unit(*random.integers(-2, 3, (people * each, 4)).astype(float).tolist())
    pictures = [picture(f"P{person}", number) for person in range(people) for number in range(each)]
    reference = reference_of_pictures(pictures, vectors, "some")
    probe = unit([1.0, 2.0, 0.0, -1.0])
    [ranking] = reference.search(probe, "P0", "", k=people)
    scores = reference.scores(probe)[0]
    assert ranking.rank == 1 + sum(scores[1:] >= scores[0])
    assert [near.score for near in ranking.nearest] == sorted(scores, reverse=True)
    assert 1 <= ranking.rank <= people
