"""What every command shares: paths, lists of images, questions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer

from core.commands.shared.common import UsageMistake, confirm, confirm_or_exit, image_files, user_path


@pytest.mark.parametrize(("answer", "yes"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
def test_a_question_takes_only_yes_for_yes(answer: str, yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert confirm("Remove?") is yes


def test_a_question_that_nobody_answers_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UsageMistake, match="--yes"):
        confirm("Remove?")


def test_a_no_ends_the_command_with_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    confirm_or_exit("Remove?", "Nothing was removed.", yes=True)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(typer.Exit) as ended:
        confirm_or_exit("Remove?", "Nothing was removed.")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out == "Nothing was removed.\n"


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
