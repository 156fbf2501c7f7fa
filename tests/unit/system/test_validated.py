"""Validation: the first fault becomes one sentence that names the field and its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from core.errors import SettingsInvalid
from core.system.validated import Config, Record, validated


class Stage(Config):
    name: str
    epochs: int = Field(3, ge=0)


class Recipe(Config):
    stages: tuple[Stage, ...]
    rate: float = 0.1
    folder: Path = Field(Path(), strict=False)
    flip: bool = False


class Report(Record):
    eer: float | None = None


def refusal(values: Any) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        validated(Recipe, values, lambda fault: SettingsInvalid(fault, "Correct it."))
    return caught.value.what


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "stages is missing."),
        ({"stages": (), "speed": 1}, "There is no setting 'speed'."),
        ({"stages": ({"name": "a", "epochs": -1},)}, "stages.0.epochs is -1, but must be greater than or equal to 0."),
        ({"stages": ({"name": "a", "epochs": "3"},)}, "stages.0.epochs is '3', but must be a whole number."),
        ({"stages": ({"name": 7},)}, "stages.0.name is 7, but must be a text."),
        ({"stages": (), "rate": float("nan")}, "rate is nan, but must be a finite number."),
        ({"stages": ([1],)}, "stages.0 is [1], but must be a table of named values."),
        ({"stages": (), "folder": 7}, "folder is 7, but must be a path."),
        ({"stages": (), "flip": "perhaps"}, "flip is 'perhaps', but must be true or false."),
        ([1], "This must be a table of named values."),
        (
            {"stages": "x" * 100},
            "stages is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..., but must be a list.",
        ),
    ],
)
def test_the_first_fault_is_a_sentence_with_field_and_value(values: Any, said: str) -> None:
    assert refusal(values).startswith(said)


def test_what_is_right_passes_and_stays_as_it_is() -> None:
    recipe = validated(Recipe, {"stages": ({"name": "a"},)}, lambda fault: SettingsInvalid(fault, ""))
    assert recipe == Recipe(stages=(Stage(name="a", epochs=3),), rate=0.1)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.rate = 0.2  # type: ignore[misc]


def test_a_record_of_another_version_is_read() -> None:
    assert validated(Report, {"eer": 0.05, "since": 2031}, lambda fault: SettingsInvalid(fault, "")) == Report(eer=0.05)
