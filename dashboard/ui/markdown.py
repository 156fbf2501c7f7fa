"""Escaping of text from people and files, so that it appears as typed, never as markup."""

from __future__ import annotations

import html
import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SHORTCODE = re.compile(r":(?=[\w/+-]+:)")  # :smile: and :material/home:
_SYMBOL = re.compile(r"(?:(?<=\s)|^)([<>~-])(?=(?:->|[->=-])(?:\s|$))")  # -> and >= become other characters
_LINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)
_UNIT = re.compile(r"(?<=\d) (?=\\?%|(?:px|dB|ms|s|min|h)\b)")
_JOINER = "\u2060"  # of no width: breaks such a pattern without being seen


def plain(text: object, *, links: bool = False) -> str:
    """`text` escaped for any Streamlit label or message: Markdown, HTML, icons, emoji codes and formulas stay text.

    Line breaks become spaces, so that a name can't start a list or a heading. Addresses become links only with `links`,
    for the program's own messages.
    """
    flat = " ".join(str(text).split())
    if not links:
        flat = _LINK.sub(_JOINER, flat)
    flat = _SYMBOL.sub(rf"\1{_JOINER}", _SHORTCODE.sub(f":{_JOINER}", flat))
    return _PUNCTUATION.sub(r"\\\1", flat)


def nonbreaking(text: str) -> str:
    """`text` with every number kept on one line with its unit: "8.15 %", "24 px". Apply it after `plain`."""
    return _UNIT.sub("\u00a0", text)


def markup(text: object) -> str:
    """`text` escaped for HTML, as content or as a quoted attribute."""
    return html.escape(str(text), quote=True)


def shorten(text: str, limit: int = 40) -> str:
    """`text` cut to at most `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def duration(seconds: float) -> str:
    """A duration in its two largest units: "8 s", "1 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole % 3600 // 60 else f"{whole // 3600} h"
