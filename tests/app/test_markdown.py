"""What people typed is shown as typed. What Markdown makes of it is tested in Chromium; here, what it is given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.system.text import count
from dashboard.ui.markdown import markup, nonbreaking, plain, shorten

JOINER = "\u2060"


@given(st.text())
def test_every_ascii_punctuation_is_escaped_and_nothing_is_lost(text):
    escaped = plain(text)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped).replace(JOINER, "") == " ".join(text.split()).replace(
        JOINER, ""
    )
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`<>$\[\]#~|]", re.sub(r"\\[!-/:-@\[-`{-~]", "", escaped))


@pytest.mark.parametrize(
    "text", [":smile:", ":material/home:", "-> x", "a >= b", "http://evil.example", "www.x.org", "a@b.c"]
)
def test_what_a_text_node_would_be_changed_into_is_broken_up(text):
    assert JOINER in plain(text)


@pytest.mark.parametrize("text", ["/data/weights/edgeface_xxs.pt", "holiday.jpg", "O'Brien", "12:30", "José-María"])
def test_ordinary_text_can_be_copied_as_it_is(text):
    assert JOINER not in plain(text)


def test_our_own_addresses_can_be_copied():
    assert JOINER not in plain("Download https://example.org/a.pt", links=True)


def test_a_number_stays_on_one_line_with_its_unit():
    assert nonbreaking(plain("24 px 8.15 %, in 3 s")) == "24\u00a0px 8\\.15\u00a0\\%\\, in 3\u00a0s"
    assert nonbreaking("4 people, 12 spheres") == "4 people, 12 spheres"


def test_html_is_escaped_for_attributes_too():
    assert markup("<img src='x' onerror=\"y\">") == "&lt;img src=&#x27;x&#x27; onerror=&quot;y&quot;&gt;"


def test_counting_and_shortening():
    assert (count(1, "person", "people"), count(0, "person", "people"), count(1200, "photograph")) == (
        "1 person",
        "0 people",
        "1,200 photographs",
    )
    assert shorten("abcdef", 4) == "abc…" and shorten("abcd", 4) == "abcd"
