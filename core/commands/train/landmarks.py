"""`train landmarks`: train the network that places five landmarks on small, tilted and blurred faces."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.shared.common import UsageMistake, example, user_path
from core.commands.shared.option_types import DetachOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.runs import say_started
from core.commands.train.launch import Device, follow_run, resume_run
from core.settings import load_settings

if TYPE_CHECKING:
    from core.training.landmarks.config import LandmarksConfig

KIND = "landmarks"


def add_to(group: typer.Typer) -> None:
    group.command(
        KIND,
        epilog=example(
            "train landmarks --photographs lfw/images --photographs crops",
            "train landmarks --photographs lfw/images --pairs lfw/pairs.txt --folds 1-3 --val-folds 4",
            "train landmarks --resume last",
        ),
    )(landmarks)


@dataclass(frozen=True)
class People:
    """Who is trained on, and who validates."""

    photographs: Annotated[
        list[str] | None,
        typer.Option(
            "--photographs",
            metavar="FOLDER",
            help="Pictures with one main face, in a folder for each person or side by side; crops of 112 px are taken "
            "whole. May be repeated.",
        ),
    ] = None
    pairs: Annotated[
        str | None,
        typer.Option("--pairs", metavar="FILE", help="A pairs file; its people outside --folds are left out."),
    ] = None
    folds: Annotated[
        str | None, typer.Option("--folds", metavar="1-3", help="Folds of --pairs whose people may be trained on.")
    ] = None
    val_folds: Annotated[
        str | None,
        typer.Option(
            "--val-folds", metavar="4", help="Folds of --pairs whose people validate; default: 5 % of all people."
        ),
    ] = None
    terms: Annotated[
        list[str] | None,
        typer.Option("--terms", help="A source of the photographs with its terms, for the card; may be repeated."),
    ] = None


@dataclass(frozen=True)
class Amounts:
    """How much is trained, and how."""

    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps in all.")] = 10_000
    epoch_steps: Annotated[int, typer.Option("--epoch-steps", min=1, help="Steps between two validations.")] = 1_000
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Faces of each step.")] = 128
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Largest learning rate.")] = 2e-3
    device: Device = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option("--precision", help="auto: bfloat16 where the device has it."),
    ] = "auto"
    num_workers: Annotated[
        int, typer.Option("--num-workers", min=0, help="Processes that draw samples; 0: none of their own.")
    ] = 2
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same run.")] = 0


@dataclass(frozen=True)
class Recognisability:
    """The second stage."""

    edgeface: Annotated[
        str | None,
        typer.Option(
            "--edgeface",
            metavar="FILE|NAME",
            help="Encoder weights. With them a second stage trains recognisability, on people with two photographs or "
            "more; without them the probability of a face stands in its place.",
        ),
    ] = None
    upscaler: Annotated[
        str | None,
        typer.Option("--upscaler", metavar="FILE", help='A DSR file for the second stage; default: "bicubic".'),
    ] = None
    faces: Annotated[int, typer.Option("--recognisability-faces", min=2, help="Faces that the second stage draws.")] = (
        44_000
    )
    epochs: Annotated[int, typer.Option("--recognisability-epochs", min=1, help="Epochs of the second stage.")] = 10


@takes_options
def landmarks(
    people: People,
    amounts: Amounts,
    second: Recognisability,
    name: Annotated[str | None, typer.Option("--name", help="The run's name; default: the first folder's.")] = None,
    detach: DetachOption = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Resume an interrupted or stopped run.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the network that places five landmarks on faces of any size and roll, and tells what is no face.

    The targets are landmarks that YuNet places on the large, upright picture. Prepared pictures are kept in
    data/cache/landmarks. The best network is checkpoints/best/landmarks.onnx in the run's folder; `weights export
    run:NAME FILE.onnx` copies it with its card.
    """
    if resume is not None:
        run = resume_run(KIND, resume)
    else:
        from core.jobs.launch import launch

        config = _config(people, amounts, second, name)
        slug = config.out_name or config.photographs[0].name
        run = launch(load_settings(), KIND, config.model_dump(mode="json"), slug=slug)
    if detach:
        say_started(run, as_json)
        return
    follow_run(run, KIND, as_json)


def _config(people: People, amounts: Amounts, second: Recognisability, name: str | None) -> LandmarksConfig:
    """Raises UsageMistake, SettingsInvalid, WeightsMissing, UpscalerUnusable."""
    from core.evaluation.pairs import folds_of
    from core.models.encoders import resolve_weights
    from core.models.upscalers import resolve_dsr
    from core.training.landmarks.config import make_landmarks_config

    if not people.photographs:
        raise UsageMistake("No photographs were named.", "Name a folder of them: --photographs FOLDER.")
    words = sys.argv[1:] if len(sys.argv) > 2 and "train" in sys.argv[1:] else ["train", KIND]
    dsr = None if second.upscaler is None else resolve_dsr(load_settings(), second.upscaler)
    values: dict[str, Any] = {
        **vars(amounts),
        "photographs": [_absolute(folder) for folder in people.photographs],
        "pairs": None if people.pairs is None else _absolute(people.pairs),
        "folds": folds_of(people.folds) or (),
        "val_folds": folds_of(people.val_folds) or (),
        "terms": people.terms or (),
        "edgeface": second.edgeface and resolve_weights(load_settings(), second.edgeface).absolute(),
        "upscaler": dsr and dsr.absolute(),
        "recognisability_faces": second.faces,
        "recognisability_epochs": second.epochs,
        "out_name": name or "",
        "command": shlex.join(["edgeface-studio", *words]),
    }
    config = make_landmarks_config(values)
    for folder in config.photographs:
        if not folder.is_dir():
            raise UsageMistake(f"There is no folder {folder}.", "Check --photographs.")
    if config.pairs is not None and not config.pairs.is_file():
        raise UsageMistake(f"There is no pairs file at {config.pairs}.", "Check --pairs.")
    return config


def _absolute(text: str) -> Path:
    return user_path(text).absolute()
