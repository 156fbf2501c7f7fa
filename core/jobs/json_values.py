"""Conversion to JSON: numpy numbers, paths and times become JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any


def to_json(value: Any, *, indent: int | None = None) -> bytes:
    """`value` as ASCII JSON; one line when `indent` is None. NaN and infinities become null: JSON has none.

    Raises TypeError for values that JSON can't hold (an open file, a tensor of many numbers).
    """
    return json.dumps(json_value(value), indent=indent, allow_nan=False).encode("ascii")


def json_value(value: Any) -> Any:
    """`value` from dicts, lists, strings, numbers, booleans and None only."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if getattr(value, "size", None) == 1 and hasattr(value, "item"):  # a number of numpy's
        return json_value(value.item())
    raise TypeError(f"a {type(value).__name__} has no place in a run's records")
