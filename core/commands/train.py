"""`train`: fine-tune EdgeFace, train super-resolution or a starter encoder; runs that can be stopped and resumed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.common import (
    JsonOption,
    UsageMistake,
    example,
    note,
    plain,
    progress,
    say,
    say_json,
    say_table,
    user_path,
)
from core.settings import load_settings

if TYPE_CHECKING:
    from core.jobs.run_dir import Run
    from core.training.config import TrainingConfig

group = typer.Typer(
    help="Fine-tune EdgeFace for small faces, train super-resolution or a starter; see how long it takes first.",
    epilog=example("train finetune --dataset faces", "train estimate finetune --dataset faces"),
    rich_markup_mode=None,
)

Dataset = Annotated[
    str | None, typer.Option("--dataset", metavar="FOLDER|NAME", help="A data set with the splits train and val.")
]
TrainDir = Annotated[
    str | None, typer.Option("--train-dir", metavar="FOLDER", help="Instead: a folder with hr_images and vlr_images.")
]
ValDir = Annotated[str | None, typer.Option("--val-dir", metavar="FOLDER", help="The same to validate on.")]
Preset = Annotated[str | None, typer.Option("--preset", help="The recipe; `train presets` lists them.")]
EdgeFace = Annotated[
    str | None,
    typer.Option("--edgeface", metavar="FILE|NAME", help="Weights to start from; default: those in use."),
]
Teacher = Annotated[
    str | None, typer.Option("--teacher", metavar="FILE|NAME", help="Frozen weights to learn from; default: the start.")
]
Upscaler = Annotated[
    str | None,
    typer.Option("--upscaler", metavar="FILE", help='A DSR file to go through or start from, or "bicubic".'),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Stage1Epochs = Annotated[int | None, typer.Option("--stage1-epochs", min=0, help="Epochs of the first stage.")]
Stage2Epochs = Annotated[int | None, typer.Option("--stage2-epochs", min=0, help="Epochs of the second stage.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=0, help="Epochs of every stage.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", min=1, help="Images a step; default: the recipe's.")]
Workers = Annotated[int, typer.Option("--num-workers", min=0, help="Threads that make batches ahead; 0: none.")]
Contrastive = Annotated[
    float | None, typer.Option("--contrastive-weight", help="Weight of 1 - cos(SR embedding, HR embedding).")
]
Processes = Annotated[int, typer.Option("--processes", min=1, help="Processes side by side, a GPU each if there are.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same run.")]
OutName = Annotated[str | None, typer.Option("--out-name", metavar="NAME", help="The run's name; default: data set.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, such as stage2.patience=4."),
]
Detach = Annotated[bool, typer.Option("--detach", help="Don't wait: read along with runs log last --follow.")]
ResumeOption = Annotated[
    str | None, typer.Option("--resume", metavar="RUN", help="Go on with an interrupted or stopped run.")
]
HalfBatch = Annotated[
    bool, typer.Option("--half-batch", help="With --resume: half as many images at once, the same effective batch.")
]
Force = Annotated[bool, typer.Option("--force", help="Train although the data set's check found errors.")]
FullCheck = Annotated[bool, typer.Option("--check", help="Check every image first, not only the table.")]

OF_RECIPE = frozenset({"batch_size"})


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="train")


@group.command(
    "finetune",
    epilog=example(
        "train finetune --dataset faces --edgeface edgeface_xxs",
        "train finetune --train-dir train --val-dir val --preset notes --stage2-epochs 30",
        "train finetune --resume last --half-batch",
    ),
)
def finetune(
    dataset: Dataset = None,
    train_dir: TrainDir = None,
    val_dir: ValDir = None,
    preset: Preset = None,
    edgeface: EdgeFace = None,
    teacher: Teacher = None,
    upscaler: Upscaler = None,
    device: Device = "auto",
    stage1_epochs: Stage1Epochs = None,
    stage2_epochs: Stage2Epochs = None,
    batch_size: BatchSize = None,
    num_workers: Workers = 0,
    contrastive_weight: Contrastive = None,
    processes: Processes = 1,
    seed: Seed = 0,
    out_name: OutName = None,
    settings: SetOption = None,
    check: FullCheck = False,
    force: Force = False,
    detach: Detach = False,
    resume: ResumeOption = None,
    half_batch: HalfBatch = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune EdgeFace for small faces: a run that can be stopped and resumed."""
    values = {"stage1_epochs": stage1_epochs, "stage2_epochs": stage2_epochs, "contrastive_weight": contrastive_weight}
    _train(
        "finetune", preset, values, settings, resume=resume, half_batch=half_batch, detach=detach, as_json=as_json,
        dataset=dataset, train_dir=train_dir, val_dir=val_dir, edgeface=edgeface, teacher=teacher, upscaler=upscaler,
        device=device, batch_size=batch_size, num_workers=num_workers, processes=processes, seed=seed,
        out_name=out_name, full_check=check, force=force,
    )  # fmt: skip


@group.command("dsr", epilog=example("train dsr --dataset faces --epochs 8", "train dsr --resume last"))
def dsr(
    dataset: Dataset = None,
    train_dir: TrainDir = None,
    val_dir: ValDir = None,
    edgeface: EdgeFace = None,
    upscaler: Upscaler = None,
    device: Device = "auto",
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    num_workers: Workers = 0,
    processes: Processes = 1,
    seed: Seed = 0,
    out_name: OutName = None,
    settings: SetOption = None,
    check: FullCheck = False,
    force: Force = False,
    detach: Detach = False,
    resume: ResumeOption = None,
    half_batch: HalfBatch = False,
    as_json: JsonOption = False,
) -> None:
    """Train super-resolution from 12 to 48 px to 112 px, for pixels and for identity."""
    _train(
        "dsr", None, {"epochs": epochs}, settings, resume=resume, half_batch=half_batch, detach=detach,
        as_json=as_json, dataset=dataset, train_dir=train_dir, val_dir=val_dir, edgeface=edgeface, upscaler=upscaler,
        device=device, batch_size=batch_size, num_workers=num_workers, processes=processes, seed=seed,
        out_name=out_name, full_check=check, force=force,
    )  # fmt: skip


@group.command("starter", epilog=example("train starter --dataset faces --teacher edgeface_xxs"))
def starter(
    dataset: Dataset = None,
    train_dir: TrainDir = None,
    val_dir: ValDir = None,
    teacher: Teacher = None,
    variant: Annotated[str, typer.Option("--variant", help="Which EdgeFace it becomes.")] = "edgeface_xxs",
    device: Device = "auto",
    stage1_epochs: Stage1Epochs = None,
    stage2_epochs: Stage2Epochs = None,
    batch_size: BatchSize = None,
    num_workers: Workers = 0,
    processes: Processes = 1,
    seed: Seed = 0,
    out_name: OutName = None,
    settings: SetOption = None,
    check: FullCheck = False,
    force: Force = False,
    detach: Detach = False,
    resume: ResumeOption = None,
    half_batch: HalfBatch = False,
    as_json: JsonOption = False,
) -> None:
    """Train an EdgeFace from random weights, taught by others."""
    values = {"stage1_epochs": stage1_epochs, "stage2_epochs": stage2_epochs}
    _train(
        "starter", None, values, settings, resume=resume, half_batch=half_batch, detach=detach, as_json=as_json,
        dataset=dataset, train_dir=train_dir, val_dir=val_dir, teacher=teacher, edgeface=teacher, variant=variant,
        device=device, batch_size=batch_size, num_workers=num_workers, processes=processes, seed=seed,
        out_name=out_name, full_check=check, force=force,
    )  # fmt: skip


@group.command(
    "estimate", epilog=example("train estimate finetune --dataset faces", "train estimate dsr --dataset faces --json")
)
def estimate(
    kind: Annotated[Literal["finetune", "dsr", "starter"], typer.Argument(metavar="KIND", help="What to train.")],
    dataset: Dataset = None,
    train_dir: TrainDir = None,
    val_dir: ValDir = None,
    preset: Preset = None,
    edgeface: EdgeFace = None,
    teacher: Teacher = None,
    upscaler: Upscaler = None,
    device: Device = "auto",
    batch_size: BatchSize = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how long a training would take, by timing a few real steps of it; nothing is trained or kept."""
    config = make_run_config(
        kind, preset, {}, settings, dataset=dataset, train_dir=train_dir, val_dir=val_dir, edgeface=edgeface,
        teacher=teacher, upscaler=upscaler, device=device, batch_size=batch_size, force=True,
    )  # fmt: skip
    from core.training.planning import plan_lines, plan_of

    progress("timing a few steps ...")
    try:
        plan = plan_of(config, load_settings(), on_event=_show)
    finally:
        progress("")
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
    """List the recipes, or every setting of one as --set takes it."""
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
    """Write a run's weights in the notes' form: backbone_state_dict, arcface_state_dict, subject_to_id."""
    from core.jobs.run_dir import find_run, runs_root

    found = find_run(runs_root(load_settings()), run)
    target = user_path(file)
    if target.exists():
        raise UsageMistake(f"{target} exists already.", "Choose another name.")
    from core.training.checkpoint import export_notes

    export_notes(found.checkpoints / which, target)
    if as_json:
        say_json({"run": found.id, "file": str(target)})
        return
    say(f"{target}: the {which} weights of {found.id}. It names the people that it was trained on.")


# Launching ----------------------------------------------------------------------------------------------------------


def make_run_config(
    kind: str, preset: str | None, named: dict[str, Any], settings: list[str] | None, **given: Any
) -> TrainingConfig:
    """The configuration that options mean. Raises SettingsInvalid, UsageMistake, WeightsMissing."""
    from core.commands.dataset_options import source_path
    from core.encoder.registry import resolve_weights
    from core.training.config import absolute, make_config
    from core.training.overrides import parse_changes

    batch_size = given.pop("batch_size", None)
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if batch_size is not None:
        changes["batch_size"] = batch_size
    own, recipe = _sorted_settings(parse_changes(settings))
    if given.get("dataset") is not None:
        given["dataset"] = str(source_path(given["dataset"]).absolute())
    for name in ("train_dir", "val_dir"):
        given[name] = absolute(given.get(name))
    if given.get("upscaler") not in (None, "bicubic"):
        given["upscaler"] = absolute(given["upscaler"])
    given["out_name"] = given.get("out_name") or ""
    config = make_config(kind, preset, {**changes, **recipe}, **{**given, **own})
    found = load_settings()
    # Looked for before anything is launched, and named by their paths: what is in use may change meanwhile.
    edgeface = str(resolve_weights(found, config.edgeface))
    taught_by = None if config.teacher is None else str(resolve_weights(found, config.teacher))
    from dataclasses import replace

    return replace(config, edgeface=edgeface, teacher=taught_by)


def _sorted_settings(changes: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings of the run itself (precision, val_limit) and those of its recipe."""
    from dataclasses import fields

    from core.training.config import TrainingConfig
    from core.training.overrides import parsed

    kinds = {field.name: field.default for field in fields(TrainingConfig)}
    own: dict[str, Any] = {}
    recipe: dict[str, str] = {}
    for name, value in changes.items():
        if name in kinds and name not in ("kind", "recipe", "command"):
            own[name] = value if kinds[name] is None else parsed(name, value, kinds[name])
        else:
            recipe[name] = value
    return own, recipe


def _train(
    kind: str, preset: str | None, named: dict[str, Any], settings: list[str] | None, *, resume: str | None,
    half_batch: bool, detach: bool, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    from core.jobs.launch import launch

    if resume is not None:
        run = _resumed(kind, resume, half_batch)
    elif half_batch:
        raise UsageMistake("--half-batch goes with --resume.", "Use --batch-size for a new run.")
    else:
        import sys
        from dataclasses import replace

        from core.training.config import config_to_dict

        config = make_run_config(kind, preset, named, settings, **given)
        words = sys.argv[1:] if len(sys.argv) > 2 and "train" in sys.argv[1:] else ["train", kind]
        config = replace(config, command=shlex.join(["edgeface-studio", *words]))
        slug = config.out_name or Path(config.dataset or config.train_dir or kind).name
        run = launch(load_settings(), kind, config_to_dict(config), slug=f"{config.preset}-{slug}")
    if detach:
        say_json({"run": run.id}) if as_json else say(f"{run.id} has started.")
        return
    _follow(run, kind, as_json)


def _resumed(kind: str, text: str, half_batch: bool) -> Run:
    from core.jobs.launch import resume
    from core.jobs.run_dir import find_run, list_runs, runs_root

    root = runs_root(load_settings())
    of_kind = list_runs(root, kind)
    if text == "last" and of_kind:
        run = of_kind[0]
    else:
        run = find_run(root, text)
    if run.kind != kind:
        raise UsageMistake(f"{run.id} is no {kind} run.", f"Resume it: edgeface-studio runs resume {run.id}")
    if half_batch:
        from core.training.resume import halve_batch

        config = run.config
        parts = halve_batch(
            run.checkpoints,
            batch_size=int(config["batch_size"]),
            processes=int(config["processes"]),
            configured=int(config["accumulate"]),
        )
        note(f"a batch of {config['batch_size']} is now worked on in {parts} parts")
    resume(run, load_settings())
    return run


def _follow(run: Run, kind: str, as_json: bool) -> None:
    """Print the log as it comes. Ctrl-C asks the run to stop and waits for it; a second one leaves it alone."""
    from core.jobs.launch import follow, stop

    again = f"edgeface-studio train {kind} --resume {run.id}"
    asked = False
    events = follow(run)
    try:
        while True:
            try:
                for event in events:
                    _show(event.kind, quiet=as_json, **event.data)
                break
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                progress("")
                note(f"stopping after this step; go on later with: {again}")
                if run.state().live:
                    stop(run)
                events = _after(run)
    finally:
        progress("")
    state, report = run.state(), run.report or {}
    if state.status == "stopped":
        note(f"{run.id} has stopped; go on with: {again}")
        raise KeyboardInterrupt
    if state.status != "done":
        raise UsageMistake(f"{run.id} is {state.status}. {state.error or ''}", state.next_step or f"See {again}")
    if as_json:
        say_json({"run": run.id, **report})
        return
    say(str(report.get("text", "")))
    for part, path in report.get("weights", {}).items():
        say(f"  {part}: {run.path / path}")


def _after(run: Run) -> Any:
    """What comes after now, until the run has ended."""
    import time

    from core.jobs.events import read_events

    _, offset = read_events(run.events_path)
    while True:
        live = run.state().live
        events, offset = read_events(run.events_path, offset)
        yield from events
        if not live:
            return
        time.sleep(0.2)


def _show(kind: str, /, *, quiet: bool = False, **data: Any) -> None:
    """An event as lines of the log, progress as the terminal's last line."""
    if kind == "progress":
        from core.training.lines import duration

        left = f", {duration(data['left_s'])} left" if data.get("left_s") is not None else ""
        loss = f", loss {data['loss']:.4f}" if data.get("loss") is not None else ""
        where = f"epoch {data['epoch']}/{data['epochs']} " if data.get("epoch") else ""
        progress(f"{where}{data.get('step', '')}: {data.get('done', 0):,} of {data.get('total', 0):,}{loss}{left}")
        return
    text = data.get("text") if kind == "log" else data.get("line")
    if isinstance(text, str) and not quiet:
        progress("")
        typer.echo("  " * ((len(text) - len(text.lstrip(" "))) // 2) + plain(text))
