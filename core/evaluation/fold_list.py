"""Folds of a pairs file as people write them."""

from __future__ import annotations

import re

from core.errors import SettingsInvalid


def folds_of(text: str | None) -> list[int] | None:
    """ "1-3,7" -> [1, 2, 3, 7]; None, which means all, for nothing or blanks. Raises SettingsInvalid."""
    if text is None or not text.strip():
        return None
    folds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,4})(?:\s*-\s*([0-9]{1,4}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise SettingsInvalid(f"'{text[:40]}' isn't a list of folds.", "Write 1-7, or 1,3,5.")
        folds.update(range(first, last + 1))
    return sorted(folds)
