"""Options that many commands share: each command shows them in their order and gets what was said as one value."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from core.commands.shared import pipeline_options
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import EncoderOptions, PipelineOptions

got: list[object] = []


@takes_options
def recognise(
    file: Annotated[str, typer.Argument()],
    options: PipelineOptions = PipelineOptions(),  # noqa: B008
    top: Annotated[int, typer.Option("--top")] = 3,
) -> None:
    got[:] = [file, options, top]


@takes_options
def measure(options: EncoderOptions = EncoderOptions()) -> None:  # noqa: B008
    got[:] = [options]


def run(command: object, *arguments: str) -> object:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(arguments))


def test_what_is_said_arrives_as_one_value() -> None:
    said = ("a.jpg", "--not-aligned", "--faces", "centre", "--weights", "w.pt", "--use-tta", "--top", "5")
    assert run(recognise, *said).exit_code == 0
    assert got == ["a.jpg", PipelineOptions(faces="centre", aligned=False, weights="w.pt", use_tta=True), 5]
    assert run(recognise, "b.jpg").exit_code == 0
    assert got == ["b.jpg", PipelineOptions(), 3]


def test_a_command_without_the_choice_of_a_face_has_no_such_option() -> None:
    assert run(measure, "--device", "cpu", "--skip-dsr").exit_code == 0
    assert got == [EncoderOptions(device="cpu", skip_dsr=True)]
    assert run(measure, "--faces", "centre").exit_code == 2


def test_options_stand_where_the_value_stood() -> None:
    shown = run(recognise, "--help").output
    places = [
        shown.index(f"--{name}")
        for name in ("faces", "aligned", "weights", "upscaler", "skip-dsr", "use-tta", "device", "top")
    ]
    assert places == sorted(places)


def test_they_become_the_pipelines_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_options, "build", lambda config: config)
    config = EncoderOptions(weights="w.pt", use_tta=True).pipeline(faces="centre", recognition_threshold=0.5)
    assert (config.weights, config.use_tta, config.faces, config.recognition_threshold) == ("w.pt", True, "centre", 0.5)
    assert PipelineOptions(aligned=True).pipeline().aligned is True
