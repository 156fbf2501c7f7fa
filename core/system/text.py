"""Text for one line of a terminal, a picture or a message: safe to show, as wide as it looks, with the right plural."""

from __future__ import annotations

import unicodedata

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text round them."""


def printable(text: str) -> str:
    """`text` without control characters, line breaks and changes of direction, each of which becomes "?".

    Joiners stay: Persian, Indic and many other names are spelled with the zero-width joiner or non-joiner, and emoji
    are put together by it.
    """
    return "".join(each if _shows(each) else "?" for each in text)


def columns_of(text: str) -> int:
    """How many columns of a terminal `text` takes: two for each wide (East Asian) character, none for joiners and for
    marks on the letter before them."""
    return sum(_width(each) for each in text)


def count(number: int, one: str, many: str = "") -> str:
    """ "1 person", "12 people": the number with its noun; `many` defaults to `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shows(character: str) -> bool:
    return character.isprintable() or (unicodedata.category(character) == "Cf" and character not in TURNING)
