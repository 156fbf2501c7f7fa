"""Printing of results, JSON, tables, notes and progress."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands.shared.printing import note, plain, progress, progress_line, say_json, say_result, say_table
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
    say_table(("name", "n"), [("Ada", 3), ("a longer\nname", None)])
    assert capsys.readouterr().out.splitlines() == ["name           n", "Ada            3", "a longer name"]
    say_table(("name", "n"), [("李雷", 1), ("مه\u200cرو", 2), ("Zoe\u0308", 3), ("Anna", 4)])
    assert capsys.readouterr().out.splitlines() == [
        "name  n",
        "李雷  1",
        "مه\u200cرو  2",
        "Zoe\u0308   3",
        "Anna  4",
    ]


def test_json_is_ascii_and_refuses_what_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"name": "Zoë \udcff", "path": Path("a")})
    text = capsys.readouterr().out
    assert text.isascii() and json.loads(text) == {"name": "Zoë \udcff", "path": "a"}
    with pytest.raises(ValueError):
        say_json({"score": float("nan")})


def test_notes_and_progress_stay_off_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    note("by the way")
    progress("1 of 2")  # not a terminal: nothing
    assert capsys.readouterr() == ("", "note: by the way\n")


def test_a_result_is_json_or_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say_result({"removed": 1}, "Removed Ada.", as_json=False)
    assert capsys.readouterr().out == "Removed Ada.\n"
    say_result({"removed": 1}, "Removed Ada.", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"removed": 1}


def test_progress_is_cleared_on_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(ValueError), progress_line("loading ..."):
        raise ValueError
    assert capsys.readouterr().err == "\r\x1b[Kloading ...\r\x1b[K"
