"""Options written once: spread out over a command's help, and given to it as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from core.commands.shared.options import takes_options


@dataclass(frozen=True)
class Machine:
    device: Annotated[str, typer.Option("--device", help="Where.")] = "auto"
    threads: Annotated[int, typer.Option("--threads", min=1, help="How many.")] = 2


def _app(seen: list[object]) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @takes_options
    def train(
        name: Annotated[str, typer.Argument(help="Whose.")],
        epochs: Annotated[int, typer.Option("--epochs", help="How long.")] = 8,
        *,
        machine: Machine,
    ) -> None:
        """Train."""
        seen.append((name, epochs, machine))

    return app


def test_a_group_comes_as_one_value_with_its_defaults() -> None:
    seen: list[object] = []
    app = _app(seen)
    assert CliRunner().invoke(app, ["a"]).exit_code == 0
    assert CliRunner().invoke(app, ["b", "--threads", "4", "--epochs", "3", "--device", "cpu"]).exit_code == 0
    assert seen == [("a", 8, Machine()), ("b", 3, Machine("cpu", 4))]


def test_its_options_are_checked_and_helped_like_others() -> None:
    app = _app([])
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert all(word in help_text for word in ("--device", "Where.", "--threads", "--epochs", "Train."))
    assert CliRunner().invoke(app, ["a", "--threads", "0"]).exit_code == 2


def test_an_instance_as_default_replaces_the_defaults_of_its_fields() -> None:
    seen: list[Machine] = []
    app = typer.Typer()

    @app.command()
    @takes_options
    def train(machine: Machine = Machine("cuda")) -> None:
        seen.append(machine)

    assert CliRunner().invoke(app, ["--threads", "3"]).exit_code == 0
    assert seen == [Machine("cuda", 3)]
