"""What a file's name says: whose it is, and under which conditions it was taken."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.dataset.errors import SourceInvalid
from core.gallery.checks import name_key

NOTES_PATTERN = (
    r"(?P<identity>\d{3})(?:_(?P<session>\d{2})_(?P<recording>\d{2})_(?P<camera>\d{3})_(?P<illumination>\d{2}))?"
)
"""`007_01_01_010_00_crop_128.png`: identity 007, then session, recording, camera (051 is frontal) and illumination."""

OWN_PATTERN = r"(?P<identity>.+?)__"
"""Names that ingest gives: `<identity>__<name of the photograph>.png`."""

_CROP_MARK = re.compile(r"_crop_\d{1,3}$|_\d{1,3}px$", re.IGNORECASE)


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern that a user gave. Raises SourceInvalid when it is none or has no group for the identity."""
    try:
        made = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SourceInvalid(f"The pattern {pattern!r} is no regular expression: {error}.", "Correct it.") from error
    if made.groups == 0:
        raise SourceInvalid(
            f"The pattern {pattern!r} has no group for the identity.", r"Write it like (?P<identity>\d{3})_.*"
        )
    return made


def fields_of(stem: str, pattern: re.Pattern[str]) -> dict[str, str] | None:
    """The pattern's named groups (else its first group as "identity") at the start of `stem`; None without a match."""
    match = pattern.match(stem)
    if match is None:
        return None
    named = {name: value or "" for name, value in match.groupdict().items()}
    if "identity" not in named:
        named["identity"] = match[1] or ""
    return named if named["identity"].strip() else None


def pair_key(stem: str) -> str:
    """What an HR image and its VLR have in common: the name without its mark of size (`_crop_128`, `_32px`)."""
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
