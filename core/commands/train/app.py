"""`train`: fine-tune EdgeFace, train super-resolution, a starter encoder or the landmark network, in resumable runs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.commands.shared.common import UsageMistake, example, new_path
from core.commands.shared.option_types import JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.printing import progress_line, say, say_json, say_result, say_table
from core.commands.shared.runs import trained_run
from core.commands.train import camera as camera_command
from core.commands.train import landmarks
from core.commands.train.launch import (
    BatchSize,
    CameraFile,
    Contrastive,
    Device,
    EdgeFace,
    Epochs,
    Preset,
    SetOption,
    Stage1Epochs,
    Stage2Epochs,
    Teacher,
    TrainData,
    TrainRun,
    Upscaler,
    launch_and_follow,
    make_run_config,
    show,
)
from core.settings import load_settings

group = typer.Typer(
    help="Train EdgeFace for small faces, super-resolution, a starter, the landmark network; estimate the time first.",
    epilog=example("train finetune --dataset faces", "train estimate finetune --dataset faces"),
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    landmarks.add_to(group)
    camera_command.add_to(group)
    app.add_typer(group, name="train")


@group.command(
    "finetune",
    epilog=example(
        "train finetune --dataset faces --edgeface edgeface_xxs",
        "train finetune --train-dir train --val-dir val --preset notes --stage2-epochs 30",
        "train finetune --dataset faces --preset specialist --camera camera.json",
        "train finetune --resume last --half-batch",
    ),
)
@takes_options
def finetune(
    data: TrainData,
    preset: Preset = None,
    edgeface: EdgeFace = None,
    teacher: Teacher = None,
    upscaler: Upscaler = None,
    stage1_epochs: Stage1Epochs = None,
    stage2_epochs: Stage2Epochs = None,
    contrastive_weight: Contrastive = None,
    camera: CameraFile = None,
    *,
    run: TrainRun,
) -> None:
    """Fine-tune EdgeFace for small faces, in a run that can be stopped and resumed."""
    named = {"stage1_epochs": stage1_epochs, "stage2_epochs": stage2_epochs, "contrastive_weight": contrastive_weight}
    weights = {"edgeface": edgeface, "teacher": teacher, "upscaler": upscaler}
    launch_and_follow("finetune", data, run, preset, named, **weights, camera=camera)


@group.command("dsr", epilog=example("train dsr --dataset faces --epochs 8", "train dsr --resume last"))
@takes_options
def dsr(
    data: TrainData, edgeface: EdgeFace = None, upscaler: Upscaler = None, epochs: Epochs = None, *, run: TrainRun
) -> None:
    """Train super-resolution from 12-48 px to 112 px, with pixel and identity losses."""
    launch_and_follow("dsr", data, run, named={"epochs": epochs}, edgeface=edgeface, upscaler=upscaler)


@group.command("starter", epilog=example("train starter --dataset faces --teacher edgeface_xxs"))
@takes_options
def starter(
    data: TrainData,
    teacher: Teacher = None,
    variant: Annotated[str, typer.Option("--variant", help="The EdgeFace variant to train.")] = "edgeface_xxs",
    stage1_epochs: Stage1Epochs = None,
    stage2_epochs: Stage2Epochs = None,
    *,
    run: TrainRun,
) -> None:
    """Train an EdgeFace from random weights by distillation from a teacher."""
    named = {"stage1_epochs": stage1_epochs, "stage2_epochs": stage2_epochs}
    launch_and_follow("starter", data, run, named=named, teacher=teacher, edgeface=teacher, variant=variant)


@group.command(
    "estimate", epilog=example("train estimate finetune --dataset faces", "train estimate dsr --dataset faces --json")
)
@takes_options
def estimate(
    kind: Annotated[
        Literal["finetune", "dsr", "starter"], typer.Argument(metavar="KIND", help="The kind of training.")
    ],
    data: TrainData,
    preset: Preset = None,
    edgeface: EdgeFace = None,
    teacher: Teacher = None,
    upscaler: Upscaler = None,
    device: Device = "auto",
    batch_size: BatchSize = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the time of a training from a few timed steps; nothing is trained or stored."""
    config = make_run_config(
        kind,
        preset,
        {},
        settings,
        **vars(data),
        edgeface=edgeface,
        teacher=teacher,
        upscaler=upscaler,
        device=device,
        batch_size=batch_size,
        force=True,
    )
    from core.training.setup import plan_lines, plan_run

    with progress_line("timing a few steps ..."):
        plan = plan_run(config, load_settings(), on_event=show)
    if as_json:
        say_json(plan)
        return
    for line in plan_lines(plan):
        say(line)


@group.command("presets", epilog=example("train presets", "train presets notes --json"))
def presets(
    name: Annotated[str | None, typer.Argument(metavar="PRESET", help="Show its settings; default: list all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes, or all settings of one in the form of --set."""
    from core.training.overrides import settings_of
    from core.training.presets import PRESETS

    known = {recipe.name: (kind, recipe) for kind, recipes in PRESETS.items() for recipe in recipes.values()}
    if name is None:
        if as_json:
            say_json([{"kind": kind, "preset": key, "text": recipe.text} for key, (kind, recipe) in known.items()])
            return
        say_table(("kind", "preset", "what it does"), [(k, key, r.text) for key, (k, r) in known.items()])
        return
    if name not in known:
        raise UsageMistake(f"There is no preset '{name}'.", f"Choose one of {', '.join(known)}.")
    values = settings_of(known[name][1])
    if as_json:
        say_json(values)
        return
    for key, value in values.items():
        say(f"{key}={','.join(map(str, value)) if isinstance(value, tuple) else value}")


@group.command("export", epilog=example("train export last edgeface_finetuned.pth"))
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help='A fine-tuning or starter run, or "last".')],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The .pth to write.")],
    which: Annotated[Literal["best", "last"], typer.Option("--which", help="Which checkpoint.")] = "best",
    as_json: JsonOption = False,
) -> None:
    """Write a run's weights as a .pth file with backbone_state_dict, arcface_state_dict, subject_to_id."""
    found = trained_run(run, which)
    target = new_path(file)
    from core.training.checkpoint import export_notes

    export_notes(found.checkpoints / which, target)
    say_result(
        {"run": found.id, "file": str(target)},
        f"{target}: the {which} weights of {found.id}. It names the people that it was trained on.",
        as_json,
    )
