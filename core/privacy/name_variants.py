"""Search for names in the bytes of a file, in any spelling, escaping and encoding.

Case and Unicode form aside, gaps as spaces or underscores, quotation marks doubled or escaped, letters as HTML, JSON,
URLs or Python escape them, in UTF-8, UTF-16, UTF-32 and Windows-1252. It counts as a word of its own: "Ann Lee" isn't
in "Joann Lee", nor in "Ann Leeson".
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from html.entities import codepoint2name
from urllib.parse import unquote

ENCODINGS = {"utf-8": 1, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4, "cp1252": 1}
"""Each with the bytes that a character takes at least. Windows-1252 has the letters of Latin-1, and more."""

CONTEXT = 12
"""So many characters on either side decide whether a name stands for itself."""

_ALIKE = ("'’‘ʼ´`", "-‐‑–_")
_GAPS = (" ", "\t", "\r", "\n", "_", "+", "\u00a0", "%20", "&nbsp;", "&#160;", "&#xa0;", "\\u00a0", "\\t", "\\n")
_ESCAPE_BEFORE = re.compile(r"(?:\\[nrtbf]|%[0-9a-f]{2}|\\x[0-9a-f]{2})$", re.IGNORECASE)
_UNICODE_BEFORE = re.compile(r"\\u([0-9a-f]{4})$", re.IGNORECASE)
_UNICODE_AFTER = re.compile(r"\\+u([0-9a-f]{4})", re.IGNORECASE)
_MOST_BYTES = 4 * len("&amp;#x10ffff;")
"""So many one letter takes at most, however it is written."""
_PLAIN = re.compile(r"[0-9A-Za-z\s_]*")
"""A name that Windows-1252 and UTF-8 write alike."""
_SHORT = 6
"""A name of fewer letters occurs in random bytes: it counts among text only, or where its length stands before it."""


class NameFinder:
    """Looks for any of several names. Made once, used for many files. Within one of `others` a name doesn't count:
    "Ada" in "Ada Lovelace", who is somebody else."""

    def __init__(self, names: Sequence[str], others: Iterable[str] = ()) -> None:
        self._patterns = [pattern for name in names for pattern in _patterns(name)]
        alike = [re.compile(_regex(name, extra=()), re.IGNORECASE) for name in names]
        longer = [one for one in others if one not in names and any(each.search(one) for each in alike)]
        self._longer = [pattern for name in longer for pattern in _patterns(name)]
        self._reach = max([len(name) * _MOST_BYTES for name in longer], default=0)
        self._on_paths, self._longer_on_paths = (
            [re.compile(_regex(name, extra=("-", ".")), re.IGNORECASE) for name in each] for each in (names, longer)
        )
        longest = max((len(name) * _MOST_BYTES for name in names), default=0)
        self.overlap = longest + 2 * max(self._reach, 2 * CONTEXT * max(ENCODINGS.values()))
        """Pieces of a file that have so many bytes in common show each name whole, with what is around it."""

    def in_text(self, text: str) -> bool:
        """Whether a name occurs in a file's or folder's name, where hyphens and dots may be gaps too."""
        text = unicodedata.normalize("NFC", text)
        others = [match.span() for each in self._longer_on_paths for match in each.finditer(text)]
        found = (match for each in self._on_paths for match in each.finditer(text))
        return any(
            _alone(text[: match.start()], text[match.end() :])
            and not any(first <= match.start() and match.end() <= last for first, last in others)
            for match in found
        )

    def in_bytes(self, content: bytes, *, from_start: bool = True, to_end: bool = True) -> bool:
        """Whether a name occurs in a piece of a file. `from_start` and `to_end` say whether the piece is the first and
        the last of it: what is cut off at an edge is left to the piece beside it."""
        small = content.lower()
        for pattern in self._patterns:
            if pattern.anchor and pattern.anchor not in small:
                continue
            margin = max(self._reach, 2 * CONTEXT * ENCODINGS[pattern.encoding])
            for match in pattern.regex.finditer(content):
                start, end = match.span()
                if (start < margin and not from_start) or (end > len(content) - margin and not to_end):
                    continue
                if pattern.fits(content, start, end) and not self._within_longer(pattern.encoding, content, start, end):
                    return True
        return False

    def _within_longer(self, encoding: str, content: bytes, start: int, end: int) -> bool:
        first = max(0, start - self._reach)
        near = content[first : end + self._reach]
        return any(
            first + match.start() <= start and end <= first + match.end()
            for pattern in self._longer
            if pattern.encoding == encoding
            for match in pattern.regex.finditer(near)
        )


class _Pattern:
    """A name in one encoding. `anchor`: bytes in lower case that are there wherever the name is."""

    def __init__(self, name: str, encoding: str, regex: bytes) -> None:
        self.encoding = encoding
        self.regex = re.compile(regex, re.IGNORECASE)
        self.short = len(name) < _SHORT and ENCODINGS[encoding] == 1
        run = max(re.findall(r"[0-9A-Za-z]+", unicodedata.normalize("NFC", name)), key=len, default="").lower()
        self.anchor = run.encode(encoding).strip(b"\0") if len(run) > 1 else b""

    def fits(self, content: bytes, start: int, end: int) -> bool:
        size = end - start
        if content[max(0, start - 4) : start] == size.to_bytes(4, "little") or (
            size < 256 and content[max(0, start - 2) : start] in (bytes([0x8C, size]), bytes([0x55, size]))
        ):
            return True  # a text in a pickle: its length, then its letters, then whatever comes next
        width = CONTEXT * ENCODINGS[self.encoding]
        before = content[max(0, start - width) : start].decode(self.encoding, "replace")
        after = content[end : end + width].decode(self.encoding, "replace")
        return _alone(before, after) and not (self.short and _among_noise(before, after))


def _patterns(name: str) -> list[_Pattern]:
    found = []
    for encoding in ENCODINGS:
        regex = _encoded(name, encoding)
        if regex is not None and (encoding != "cp1252" or not _PLAIN.fullmatch(name)):
            found.append(_Pattern(name, encoding, regex))
    return found


def _encoded(name: str, encoding: str) -> bytes | None:
    """The regular expression over bytes; None where a letter isn't in the encoding."""
    parts = []
    for choices, many in _positions(name, ()):
        written = {choice.encode(encoding, "ignore") for choice in choices if _encodable(choice, encoding)}
        if not written:
            return None
        parts.append(b"(?:%b)%b" % (b"|".join(map(re.escape, sorted(written, key=len, reverse=True))), b"{1,8}" * many))
    return b"".join(parts)


def _regex(name: str, extra: Sequence[str]) -> str:
    return "".join(
        f"(?:{'|'.join(map(re.escape, sorted(choices, key=len, reverse=True)))}){'{1,8}' * many}"
        for choices, many in _positions(name, extra)
    )


def _positions(name: str, extra: Sequence[str]) -> list[tuple[list[str], bool]]:
    """For each letter the ways to write it; for each gap, whose ways may follow one another, True."""
    found: list[tuple[list[str], bool]] = []
    for word in re.split(r"([\s_]+)", unicodedata.normalize("NFC", name).strip()):
        if re.fullmatch(r"[\s_]+", word):
            found.append(([*_GAPS, *extra], True))
        else:
            found += [(_ways(letter), False) for letter in word]
    return found


@lru_cache(maxsize=4096)
def _ways(letter: str) -> list[str]:
    if letter.isascii() and letter.isalnum():
        return [letter]
    alike = next((group for group in _ALIKE if letter in group), letter)
    written = (*alike, *_folds_alike(letter))
    cases = {case(each) for each in written for case in (str, str.lower, str.upper, str.casefold)}
    forms = {unicodedata.normalize(form, each) for each in cases for form in ("NFC", "NFD")}
    return list(dict.fromkeys([*sorted(forms), *(_escaped(form, how) for form in sorted(forms) for how in _HOW)]))


@lru_cache(maxsize=1)
def _by_fold() -> dict[str, str]:
    letters: dict[str, str] = {}
    for code in range(0x80, 0x2FFF):
        letters[chr(code).casefold()] = letters.get(chr(code).casefold(), "") + chr(code)
    return letters


def _folds_alike(letter: str) -> str:
    return _by_fold().get(letter.casefold(), "")


def _escaped(form: str, how: Callable[[str], str]) -> str:
    return "".join(each if each.isascii() and each.isalnum() else how(each) for each in form)


def _units(letter: str) -> list[int]:
    pairs = letter.encode("utf-16-be")
    return [int.from_bytes(pairs[at : at + 2], "big") for at in range(0, len(pairs), 2)]


def _named(letter: str) -> str:
    return "&apos;" if letter == "'" else f"&{codepoint2name.get(ord(letter), f'#{ord(letter)}')};"


_HOW: tuple[Callable[[str], str], ...] = (
    _named,
    lambda c: f"&#{ord(c)};",
    lambda c: f"&#{ord(c):03d};",
    lambda c: f"&#x{ord(c):x};",
    lambda c: f"&#x{ord(c):04x};",
    lambda c: f"&amp;#{ord(c)};",
    lambda c: f"&amp;#x{ord(c):x};",
    lambda c: _named(c).replace("&", "&amp;"),
    lambda c: "".join(f"\\u{unit:04x}" for unit in _units(c)),
    lambda c: "".join(f"\\\\u{unit:04x}" for unit in _units(c)),
    lambda c: f"\\x{ord(c):02x}" if ord(c) < 0x100 else f"\\U{ord(c):08x}",
    lambda c: "".join(f"%{byte:02x}" for byte in c.encode()),
    lambda c: "".join(f"\\{byte:03o}" for byte in c.encode()),
    lambda c: f"\\{c}",
    lambda c: f"\\\\{c}",
    lambda c: f"\\\\\\{c}",
    lambda c: c * 2 if c in "\"'" else c,
    lambda c: c * 4 if c == '"' else c,
)
"""How one letter is escaped: in HTML and JSON (once and twice), Python, URLs, octal; quotes in CSV, SQL and strings."""


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _alone(before: str, after: str) -> bool:
    """Whether no letter, digit or accent adjoins, escaped ones included."""
    if match := _UNICODE_BEFORE.search(before):
        before = chr(int(match[1], 16))
    elif _ESCAPE_BEFORE.search(before):
        before = ""
    if match := _UNICODE_AFTER.match(after):
        after = chr(int(match[1], 16))
    elif after.startswith("&"):
        after = html.unescape(after)
    elif after.startswith("%"):
        after = unquote(after)
    return not (_is_letter(before[-1:]) or _is_letter(after[:1]))


def _is_letter(character: str) -> bool:
    return bool(character) and (character.isalnum() or unicodedata.combining(character) > 0)


def _among_noise(before: str, after: str) -> bool:
    near = before.rpartition("\0")[2] + after.partition("\0")[0]
    readable = sum((each.isprintable() or each.isspace()) and each != "\ufffd" for each in near)
    return readable < 0.9 * len(near)
