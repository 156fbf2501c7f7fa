"""Read fields of JSON that somebody else wrote: each of the kind and size it should be, or a clear refusal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from core.gallery.errors import ImportRejected

_MEND = "Export it again from the gallery it came from."


def parse_json(content: bytes) -> Any:
    """The value of UTF-8 JSON. Raises ImportRejected."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImportRejected("A part of the file isn't readable JSON.", _MEND) from error


def as_object(value: Any) -> dict[str, Any]:
    """`value`, when it is a JSON object. Raises ImportRejected."""
    if not isinstance(value, dict):
        raise ImportRejected(f"Expected a JSON object, got {type(value).__name__}.", _MEND)
    return value


def as_list(value: Any) -> list[Any]:
    """`value`, when it is a JSON list. Raises ImportRejected."""
    if not isinstance(value, list):
        raise ImportRejected(f"Expected a JSON list, got {type(value).__name__}.", _MEND)
    return value


def as_text(values: dict[str, Any], key: str, longest: int) -> str:
    """values[key], when it is text of at most `longest` characters that UTF-8 can hold. Raises ImportRejected."""
    value = values.get(key)
    if not isinstance(value, str) or len(value) > longest or any("\ud800" <= c <= "\udfff" for c in value):
        raise ImportRejected(f"{key!r} isn't text of up to {longest} characters.", _MEND)
    return value


def as_whole(values: dict[str, Any], key: str, lowest: int, highest: int) -> int:
    """values[key], when it is a whole number from `lowest` to `highest`. Raises ImportRejected."""
    value = values.get(key)
    if type(value) is not int or not lowest <= value <= highest:
        raise ImportRejected(f"{key!r} isn't a whole number from {lowest} to {highest}.", _MEND)
    return value


def as_real(values: dict[str, Any], key: str) -> float:
    """values[key], when it is a number, finite and no bigger than 1e30. Raises ImportRejected."""
    value = values.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e30:  # NaN fails too
        return float(value)
    raise ImportRejected(f"{key!r} isn't a number.", _MEND)


def as_moment(values: dict[str, Any], key: str) -> datetime:
    """values[key], when it is a time in ISO 8601 with its zone. Raises ImportRejected."""
    try:
        moment = datetime.fromisoformat(as_text(values, key, 60))
    except ValueError as error:
        raise ImportRejected(f"{key!r} isn't a time.", _MEND) from error
    if moment.tzinfo is None:
        raise ImportRejected(f"{key!r} names no time zone.", _MEND)
    return moment
