"""What every command shares: printing that can't be abused, paths, image lists, questions."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands.shared import common
from core.commands.shared.common import UsageMistake, image_files, plain, user_path
from core.system.text import TURNING


@given(st.text())
def test_plain_text_is_one_printable_line(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown and "\x1b" not in shown
    assert all(character.isprintable() or unicodedata.category(character) == "Cf" for character in shown)
    assert not TURNING & set(shown)


def test_plain_keeps_names_as_they_are() -> None:
    assert plain("  Ada  Lovelace\n") == "Ada Lovelace"
    assert plain("Zoë 李雷 Ω") == "Zoë 李雷 Ω"
    assert plain("red\x1b[31m\udcff") == "red?[31m?"


@pytest.mark.parametrize("name", ["مه\u200cرو", "ക്\u200dഷ", "👩\u200d🚀"], ids=["Persian", "Malayalam", "emoji"])
def test_names_that_are_spelled_with_joiners_stay_as_they_are(name: str) -> None:
    assert plain(name) == name
    assert plain(f"{name}\u202e") == f"{name}?", "what turns the text round it is no part of a name"


def test_a_table_has_straight_columns(capsys: pytest.CaptureFixture[str]) -> None:
    common.say_table(("name", "n"), [("Ada", 3), ("a longer\nname", None)])
    assert capsys.readouterr().out.splitlines() == ["name           n", "Ada            3", "a longer name"]
    common.say_table(("name", "n"), [("李雷", 1), ("مه\u200cرو", 2), ("Zoe\u0308", 3), ("Anna", 4)])
    assert capsys.readouterr().out.splitlines() == [
        "name  n",
        "李雷  1",
        "مه\u200cرو  2",
        "Zoe\u0308   3",
        "Anna  4",
    ]


def test_json_is_ascii_and_refuses_what_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    common.say_json({"name": "Zoë \udcff", "path": Path("a")})
    text = capsys.readouterr().out
    assert text.isascii() and json.loads(text) == {"name": "Zoë \udcff", "path": "a"}
    with pytest.raises(ValueError):
        common.say_json({"score": float("nan")})


def test_notes_and_progress_stay_off_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    common.note("by the way")
    common.progress("1 of 2")  # not a terminal: nothing
    assert capsys.readouterr() == ("", "note: by the way\n")


@pytest.mark.parametrize(("answer", "yes"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
def test_a_question_takes_only_yes_for_yes(answer: str, yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert common.confirm("Remove?") is yes


def test_a_question_that_nobody_answers_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UsageMistake, match="--yes"):
        common.confirm("Remove?")


def test_a_folder_stands_for_its_images(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "inner.jpg").mkdir()
    assert image_files([str(tmp_path)]) == [tmp_path / "a.PNG", tmp_path / "b.jpg"]


def test_a_pattern_that_no_shell_expanded(tmp_path: Path) -> None:
    for name in ("a1.jpg", "a2.jpg", "b1.jpg"):
        (tmp_path / name).touch()
    assert image_files([str(tmp_path / "a*.jpg")]) == [tmp_path / "a1.jpg", tmp_path / "a2.jpg"]


def test_a_file_called_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].jpg").touch()
    (tmp_path / "a1.jpg").touch()
    assert image_files([str(tmp_path / "a[1].jpg")]) == [tmp_path / "a[1].jpg"]


def test_a_file_that_is_not_there_stays_for_its_reader_to_report(tmp_path: Path) -> None:
    assert image_files([str(tmp_path / "none.jpg"), "x" * 5000]) == [tmp_path / "none.jpg", Path("x" * 5000)]


@pytest.mark.parametrize("items", [[], [""], ["  "], ["a\0b"], ["none*.jpg"], ["~no-such-user-here/a.jpg"]])
def test_what_names_no_image_is_a_mistake(items: list[str]) -> None:
    with pytest.raises(UsageMistake) as caught:
        image_files(items)
    assert caught.value.next_step


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageMistake, match="holds no image"):
        image_files([str(tmp_path)])


def test_a_path_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a.jpg") == tmp_path / "a.jpg"
