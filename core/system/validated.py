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


_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], values: Any, raises: Callable[[str], CoreError]) -> _Model:
    """Return `values` as a `model`.

    Raises what `raises` makes of the first fault, a sentence such as "stages.0.epochs is -1: Input should be greater
    than or equal to 0.".
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise raises(first_fault(error)) from error


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation as a sentence: the field, its value, and what was expected."""
    fault = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(map(str, fault["loc"]))
    reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
    if not where:
        return f"{reason}."
    if fault["type"] == "missing":
        return f"{where} is missing."
    if fault["type"] == "extra_forbidden":
        return f"There is no setting '{where}'."
    shown = repr(fault["input"])
    return f"{where} is {shown if len(shown) <= 60 else shown[:57] + '...'}: {reason}."
