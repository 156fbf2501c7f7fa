"""A name is found however a file writes it, and names that only contain it aren't."""

from __future__ import annotations

import csv
import html
import io
import json
import pickle
import random
import unicodedata
from urllib.parse import quote, quote_plus

import pytest

from core.privacy.name_variants import NameFinder

NAME = "Zoë O'Quennell-Straße"


def in_csv(name: str) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([f'a "{name}"', 1])
    return text.getvalue().encode()


WRITTEN = {
    "plain": f"x,{NAME},0.4".encode(),
    "alone": NAME.encode(),
    "upper case": NAME.upper().encode(),
    "lower case": NAME.lower().encode(),
    "case-folded": NAME.casefold().encode(),
    "NFD": unicodedata.normalize("NFD", NAME).encode(),
    "NFD in upper case": unicodedata.normalize("NFD", NAME.upper()).encode(),
    "HTML": f"<td>{html.escape(NAME)}</td>".encode(),
    "HTML with entities": b"<b>Zo&euml;&nbsp;O&apos;Quennell-Stra&szlig;e</b>",
    "HTML with numbers": b"Zo&#235; O&#039;Quennell&#45;Stra&#xDF;e",
    "HTML escaped twice": html.escape(html.escape(NAME)).encode(),
    "JSON": json.dumps({"who": NAME}).encode(),
    "JSON in upper-case digits": json.dumps({"who": NAME}).replace("\\u00eb", "\\u00EB").encode(),
    "JSON in JSON": json.dumps(json.dumps({"who": NAME})).encode(),
    "a line of JSON": json.dumps(f"first\n{NAME}\tlast").encode(),
    "Python": ascii([NAME]).encode(),
    "URL": quote(NAME).encode(),
    "form": quote_plus(NAME).encode(),
    "SQL": f"INSERT '{NAME.replace(chr(39), chr(39) * 2)}'".encode(),
    "CSV": in_csv(NAME),
    "underscores": f"{NAME.replace(' ', '_')}_0001.jpg".encode(),
    "a wide gap": NAME.replace(" ", "  \n ").encode(),
    "typographic": f"“{NAME.replace(chr(39), '’')}”".encode(),
    "UTF-16": NAME.encode("utf-16"),
    "UTF-16 big-endian": f"a {NAME}.".encode("utf-16-be"),
    "UTF-32": NAME.encode("utf-32"),
    "UTF-32 big-endian": f"a {NAME}.".encode("utf-32-be"),
    "Latin-1": f"a;{NAME};b".encode("latin-1"),
    "Windows-1252": f"a;{NAME.replace(chr(39), '’')};b".encode("cp1252"),
    "pickle 2": pickle.dumps({NAME: 1}, protocol=2),
    "pickle 5": pickle.dumps([NAME, "x"], protocol=5),
}
OTHERS = {
    "longer": f"{NAME}r".encode(),
    "after a letter": f"a{NAME}".encode(),
    "after an accented letter": f"é{NAME}".encode(),
    "before an escaped letter": f"{NAME}\\u00eb".encode(),
    "before an accent": f"{NAME}\u0301".encode(),
    "before an entity": f"{NAME}&eacute;".encode(),
    "a number on": f"{NAME}2".encode(),
    "longer in UTF-16": f"{NAME}r".encode("utf-16"),
    "half": NAME[4:].encode(),
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN.keys())
def test_it_is_found(content):
    assert NameFinder(["Somebody Else", NAME]).in_bytes(content)
    assert NameFinder([NAME]).in_bytes(b"\n" + b"a" * 5000 + b" " + content)


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS.keys())
def test_another_name_isnt(content):
    assert not NameFinder([NAME]).in_bytes(content)


SCRIPTS = ('Al "the" Kid', "王小明", "Σίσυφος", "Ада Лавлейс", "محمد علي", "Ada", "C3-PO", "\U0001f600 Joy", "ẞ")


@pytest.mark.parametrize("name", SCRIPTS)
def test_any_script_in_json_html_and_utf_16(name):
    finder = NameFinder([name])
    for content in (json.dumps([name]), f"<p>{html.escape(name)}</p>", f"({name.upper()})", f"a\n{name.lower()}\n"):
        assert finder.in_bytes(content.encode()) and finder.in_bytes(content.encode("utf-16")), content
    assert finder.in_bytes(in_csv(name))


def test_short_names_count_among_text_and_not_in_random_bytes():
    finder = NameFinder(["Ada"])
    assert all(map(finder.in_bytes, (b"Ada", b'{"n":"Ada"}', b"\0Ada\0", b"x,Ada,y", pickle.dumps("Ada"))))
    noise = random.Random(1).randbytes(200_000)
    assert not finder.in_bytes(b"\x91(\xfe)".join(noise[at : at + 50] + b"\x01Ada\xff" for at in range(0, 200_000, 50)))


def test_what_is_cut_off_at_an_edge_is_left_to_the_piece_beside_it():
    finder, text = NameFinder(["Ann Lee"]), b"Joann Lee and Ann Leeson, " + b"." * 100
    assert not finder.in_bytes(text)
    assert not finder.in_bytes(text[2:], from_start=False), "the end of another name"
    assert not finder.in_bytes(text[:21], to_end=False), "the start of another name"
    assert finder.in_bytes(b"." * 100 + b"Ann Lee" + b"." * 100, from_start=False, to_end=False)


def test_names_of_files_have_hyphens_and_dots_for_gaps():
    finder = NameFinder([NAME])
    for name in (
        "zoë-o'quennell-straße-2.jpg",
        unicodedata.normalize("NFD", NAME),
        "faces of Zoë_O’Quennell_Straße.tar",
    ):
        assert finder.in_text(name), name
    assert not finder.in_text("Zoë O'Quennell-Straßer.jpg")


def test_within_the_longer_name_of_somebody_else_it_doesnt_count():
    finder = NameFinder(["Ada"], ["Ada", "Ada Lovelace", "Bob", "Countess Ada"])
    for text in ("Ada Lovelace", "ada_lovelace_1.jpg", '{"x": "Ada\\u00a0Lovelace"}', "a countess Ada."):
        assert not finder.in_bytes(text.encode()), text
        assert not finder.in_bytes(text.encode("utf-16")), text
    assert not finder.in_text("Ada-Lovelace_0001.jpg") and finder.in_text("Ada_0001.jpg")
    for text in ("Ada", "Ada, Lovelace", "Ada Lovelace and Ada", "Ada Byron"):
        assert finder.in_bytes(text.encode()), text


def test_no_name_finds_nothing():
    assert not NameFinder([]).in_bytes(b"anything")
