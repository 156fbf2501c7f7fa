"""Pairs files: the layout is read, and whatever is wrong with one is told by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsInvalid
from core.evaluation.pairs import (
    Pair,
    PairsInvalid,
    Photo,
    folds_of,
    people_by_fold,
    photos_of,
    read_pairs,
    require_photos,
)

GOOD = "2\t1\nAda\t1\t3\nBo\t2\tCy\t1\nDi\t1\t2\nEd\t4\tFy\t1\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_same_and_different_pairs_are_read_by_fold(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, GOOD))
    assert pairs[0] == Pair(1, True, Photo("Ada", 1), Photo("Ada", 3))
    assert pairs[1] == Pair(1, False, Photo("Bo", 2), Photo("Cy", 1))
    assert [pair.fold for pair in pairs] == [1, 1, 2, 2]
    assert people_by_fold(pairs) == {1: {"Ada", "Bo", "Cy"}, 2: {"Di", "Ed", "Fy"}}


def test_folds_can_be_chosen(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, GOOD), [2])
    assert photos_of(pairs) == [Photo("Di", 1), Photo("Di", 2), Photo("Ed", 4), Photo("Fy", 1)]


@pytest.mark.parametrize(
    "text",
    ["1\nAda\t1\t3\nBo\t2\tCy\t1\n", "\ufeff1\t1\r\nAda 1 3\r\nBo 2 Cy 1\r\n\r\n"],
    ids=["one number for one fold", "byte-order mark, spaces, CRLF, blank end"],
)
def test_other_forms_of_the_layout(tmp_path: Path, text: str) -> None:
    assert [pair.same for pair in read_pairs(write(tmp_path, text))] == [True, False]


def test_a_name_may_hold_spaces_between_tabs(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, "1\t1\nAda de Ruy\t1\t3\nBo\t2\tCy\t1\n"))
    assert pairs[0].a == Photo("Ada de Ruy", 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1"),
        ("two\t1\n", "line 1"),
        ("0\t1\n", "line 1"),
        ("1\t1\t1\n", "line 1"),
        ("1\t1\nAda\t1\t3\n", "announces 2 pairs, and 1 follow"),
        (GOOD + "Gi\t1\t2\n", "announces 4 pairs, and 5 follow"),
        ("1\t1\nAda\t1\t3\nBo\t2\n", "line 3"),
        ("1\t1\nAda\t1\tx\nBo\t2\tCy\t1\n", "line 2"),
        ("1\t1\nAda\t0\t1\nBo\t2\tCy\t1\n", "line 2"),
        ("1\t1\nAda\t-1\t1\nBo\t2\tCy\t1\n", "line 2"),
        ("1\t1\n../Ada\t1\t2\nBo\t2\tCy\t1\n", "line 2"),
        ("1\t1\n..\t1\t2\nBo\t2\tCy\t1\n", "line 2"),
        ("1\t1\nAda\t2\t2\nBo\t2\tCy\t1\n", "line 2: a photograph is paired with itself"),
        ("1\t1\nAda\t1\t2\nBo\t2\tBo\t1\n", "line 3: a different pair names one person twice"),
        ("1\t1\nBo\t2\tCy\t1\nAda\t1\t3\n", "line 2: a fold has 1 same pairs"),
    ],
)
def test_what_is_wrong_is_told_by_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(PairsInvalid) as caught:
        read_pairs(write(tmp_path, text))
    assert "pairs.txt" in caught.value.what
    assert told in caught.value.what
    assert caught.value.next_step


def test_a_fold_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PairsInvalid, match="folds 1 to 2, not 3"):
        read_pairs(write(tmp_path, GOOD), [1, 3])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PairsInvalid, match="no pairs file"):
        read_pairs(tmp_path / "missing.txt")
    with pytest.raises(PairsInvalid, match="can't be read"):
        read_pairs(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PairsInvalid, match="can't be read"):
        read_pairs(tmp_path / "binary")


def test_missing_photographs_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    there = Photo("Ada", 3).path(tmp_path)
    assert there == tmp_path / "Ada" / "Ada_0003.jpg"
    there.parent.mkdir()
    there.touch()
    require_photos([Photo("Ada", 3)], tmp_path)
    with pytest.raises(PairsInvalid, match=r"2 of 3 photographs aren't there, first .*Bo_0001\.jpg"):
        require_photos([Photo("Ada", 3), Photo("Bo", 1), Photo("Bo", 2)], tmp_path)


@pytest.mark.shared
def test_the_real_file(shared_dir: Path) -> None:
    pairs = read_pairs(shared_dir / "data/lfw/pairs.txt")
    assert len(pairs) == 7 * 600
    assert sum(pair.same for pair in pairs) == 7 * 300
    people = list(people_by_fold(pairs).values())
    assert all(not a & b for i, a in enumerate(people) for b in people[:i])
    require_photos(photos_of(pairs), shared_dir / "data/lfw/images")


@pytest.mark.parametrize(
    ("text", "folds"),
    [(None, None), ("", None), ("  ", None), ("1-3,7", [1, 2, 3, 7]), (" 4 ", [4]), ("5 - 6,5", [5, 6])],
)
def test_folds(text: str | None, folds: list[int] | None) -> None:
    assert folds_of(text) == folds


@pytest.mark.parametrize("text", ["x", "1-x", "-2", "1-99999", "7-1", "1,,2", ",", "1-2-3", "\u0661"])
def test_folds_that_arent(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="list of folds"):
        folds_of(text)
