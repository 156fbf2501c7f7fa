"""File names: the identity and the recording conditions that they contain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import re2

from core.dataset.errors import SourceInvalid
from core.gallery.validation import name_key

NOTES_PATTERN = (
    r"(?P<identity>\d{3})(?:_(?P<session>\d{2})_(?P<recording>\d{2})_(?P<camera>\d{3})_(?P<illumination>\d{2}))?"
)
"""`007_01_01_010_00_crop_128.png`: identity 007, then session, recording, camera (051 is frontal) and illumination."""

OWN_PATTERN = r"(?P<identity>.+?)__"
"""Names that ingest gives: `<identity>__<name of the photograph>.png`."""

_CROP_MARK = re.compile(r"_crop_\d{1,3}$|_\d{1,3}px$", re.IGNORECASE)


def compiled(pattern: str) -> Any:
    """Compile a user's pattern with RE2, whose matching time is linear in the name's length. Raises SourceInvalid for
    an invalid pattern and one without a group for the identity."""
    options = re2.Options()
    options.log_errors = False
    try:
        made = re2.compile(_of_all_scripts(pattern), options)
    except (re2.error, ValueError) as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error
        raise SourceInvalid(
            f"The pattern {pattern!r} is no regular expression: {said}.",
            "Correct it; a look ahead or back (?=...) and a reference to a group (\\1) aren't supported.",
        ) from error
    if made.groups == 0:
        raise SourceInvalid(
            f"The pattern {pattern!r} has no group for the identity.", r"Write it like (?P<identity>\d{3})_.*"
        )
    return made


def _of_all_scripts(pattern: str) -> str:
    """The pattern with \\w and \\d for the letters and digits of every script: RE2's are ASCII only."""
    made, in_class, place = "", False, 0
    while place < len(pattern):
        part = pattern[place : place + 2] if pattern[place] == "\\" else pattern[place]
        place += len(part)
        if part == "\\w":
            part = r"\p{L}\p{M}\p{N}_" if in_class else r"[\p{L}\p{M}\p{N}_]"
        elif part == "\\d":
            part = r"\p{Nd}"
        elif part == "[" and not in_class:
            in_class = True
        elif part == "]":
            in_class = False
        made += part
    return made


def fields_of(stem: str, pattern: Any) -> dict[str, str] | None:
    """The pattern's named groups (else its first group as "identity") at the start of `stem`; None without a match."""
    match = pattern.match(stem)
    if match is None:
        return None
    order = sorted(pattern.groupindex, key=pattern.groupindex.__getitem__)
    named = {name: match[name] or "" for name in order}
    if "identity" not in named:
        named["identity"] = match[1] or ""
    return named if named["identity"].strip() else None


def pair_key(stem: str) -> str:
    """The pair key of an image: its name without the size (`_crop_128`, `_32px`)."""
    return _CROP_MARK.sub("", stem) or stem


def refuse_look_alikes(identities: Iterable[str]) -> None:
    """Raises SourceInvalid for two identities that differ only in case, spacing or Unicode form: one person to the
    gallery, or one folder on some disks."""
    seen: dict[str, str] = {}
    for identity in sorted(set(identities)):
        other = seen.setdefault(name_key(identity), identity)
        if other != identity:
            raise SourceInvalid(
                f"Two identities differ only in case, spacing or the form of an accent: '{other}' and '{identity}'.",
                "Give one person one spelling, or two people clearly different names.",
            )
