"""Options that several commands share, written once: the fields of a frozen dataclass, each an option with its default.

    @dataclass(frozen=True)
    class Machine:
        device: Annotated[str, typer.Option("--device", help="...")] = "auto"

    @group.command()
    @takes_options
    def train(machine: Machine, epochs: Epochs = 8) -> None: ...

`train --device cpu --epochs 3` then calls it with Machine("cpu"). A parameter's default, such as
`machine: Machine = Machine("cuda")`, replaces the defaults of the fields.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a function with dataclass parameters into a Typer command with their fields as options, in that order."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {
        name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))
            continue
        of_group = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=getattr(parameter.default, field.name, field.default),
                annotation=of_group[field.name],
            )
            for field in fields(groups[name])
        ]

    @functools.wraps(command)
    def spread(**given: Any) -> None:
        values = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()
        }
        command(**values, **given)

    del spread.__wrapped__  # Typer would read its signature
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spread
