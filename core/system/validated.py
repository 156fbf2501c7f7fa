"""Validated values: base models of configurations, events and reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import CoreError


class Config(BaseModel):
    """Base of configurations: immutable; an unknown field is an error.

    Types are strict (a number in a text is refused) and floats are finite.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Record(BaseModel):
    """Base of stored records (an event, a report): immutable; fields of other versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


_MUST_BE = "Input should be "
_EXPECTED = {
    "int": "a whole number",
    "int_from_float": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "path": "a path",
    "datetime": "a time",
    **dict.fromkeys(("list", "tuple"), "a list"),
    **dict.fromkeys(("dict", "mapping", "model", "dataclass", "model_attributes"), "a table of named values"),
}
"""What a field must be, by the kind of fault, where pydantic's own words name Python's types."""

_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], values: Any, raises: Callable[[str], CoreError]) -> _Model:
    """Return `values` as a `model`.

    Raises what `raises` makes of the first fault, a sentence such as "stages.0.epochs is -1, but must be greater than
    or equal to 0.".
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise raises(first_fault(error)) from error


def first_fault(error: ValidationError, *, show_value: bool = True) -> str:
    """The first fault of a validation as a sentence: the field, its value unless that may be personal data, and what
    was expected."""
    fault = error.errors(include_url=False, include_context=False)[0]
    where, kind = ".".join(map(str, fault["loc"])), fault["type"]
    reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
    expected = _EXPECTED.get(kind.removesuffix("_type").partition("_parsing")[0])
    if expected is None and reason.startswith(_MUST_BE):
        expected = reason.removeprefix(_MUST_BE)
    if not where:
        return f"{reason}." if expected is None else f"This must be {expected}."
    if kind == "missing":
        return f"{where} is missing."
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"There is no setting '{where}'."
    if not show_value:
        return f"{where}: {reason}." if expected is None else f"{where} must be {expected}."
    shown = repr(fault["input"])
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"{where} is {shown}: {reason}." if expected is None else f"{where} is {shown}, but must be {expected}."
