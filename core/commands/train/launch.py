"""Options of the train commands, and how their runs are configured, started and followed."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import UsageMistake, user_path
from core.commands.shared.option_types import DetachOption, JsonOption
from core.commands.shared.printing import note, plain, progress, progress_line, say, say_json
from core.commands.shared.runs import say_started
from core.settings import load_settings

if TYPE_CHECKING:
    from core.jobs.events import Event
    from core.jobs.run_dir import Run
    from core.training.config import TrainingConfig

Preset = Annotated[str | None, typer.Option("--preset", help="The recipe; `train presets` lists them.")]
EdgeFace = Annotated[
    str | None,
    typer.Option("--edgeface", metavar="FILE|NAME", help="Weights to start from; default: those in use."),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        "--teacher", metavar="FILE|NAME", help="Frozen weights of the teacher; default: the starting weights."
    ),
]
Upscaler = Annotated[
    str | None,
    typer.Option("--upscaler", metavar="FILE", help='A DSR file to use or to start from, "bicubic", or "new".'),
]
CameraFile = Annotated[
    str | None,
    typer.Option(
        "--camera",
        metavar="FILE",
        help="A camera's estimate by `train camera`: faces are made small as it does, at its sizes.",
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Stage1Epochs = Annotated[int | None, typer.Option("--stage1-epochs", min=0, help="Epochs of the first stage.")]
Stage2Epochs = Annotated[int | None, typer.Option("--stage2-epochs", min=0, help="Epochs of the second stage.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=0, help="Epochs of every stage.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Images of each step; default: the recipe's.")
]
Contrastive = Annotated[
    float | None, typer.Option("--contrastive-weight", help="Weight of 1 - cos(SR embedding, HR embedding).")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, such as stage2.patience=4."),
]


@dataclass(frozen=True)
class TrainData:
    """The data to train on."""

    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="FOLDER|NAME", help="A data set with the splits train and val.")
    ] = None
    train_dir: Annotated[
        str | None,
        typer.Option(
            "--train-dir", metavar="FOLDER", help="Instead of --dataset: a folder with hr_images and vlr_images."
        ),
    ] = None
    val_dir: Annotated[
        str | None, typer.Option("--val-dir", metavar="FOLDER", help="Such a folder to validate on.")
    ] = None


@dataclass(frozen=True)
class TrainRun:
    """Options of every training run."""

    device: Device = "auto"
    batch_size: BatchSize = None
    num_workers: Annotated[int, typer.Option("--num-workers", min=0, help="Threads that prepare batches; 0: none.")] = 0
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes in parallel, one for each GPU if there are several.")
    ] = 1
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same run.")] = 0
    out_name: Annotated[
        str | None, typer.Option("--out-name", metavar="NAME", help="The run's name; default: data set.")
    ] = None
    settings: SetOption = None
    terms: Annotated[
        list[str] | None,
        typer.Option("--terms", help="A source of the data with its terms, for the card; may be repeated."),
    ] = None
    full_check: Annotated[bool, typer.Option("--check", help="Check every image first, not only the table.")] = False
    force: Annotated[bool, typer.Option("--force", help="Train although the data set's check found errors.")] = False
    detach: DetachOption = False
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Resume an interrupted or stopped run.")
    ] = None
    half_batch: Annotated[
        bool,
        typer.Option("--half-batch", help="With --resume: half the images of each step, same effective batch size."),
    ] = False
    as_json: JsonOption = False

    def config_fields(self) -> dict[str, Any]:
        """The fields that are part of a run's configuration."""
        names = ("device", "batch_size", "num_workers", "processes", "seed", "out_name", "full_check", "force")
        return {**{name: getattr(self, name) for name in names}, "terms": tuple(self.terms or ())}


def make_run_config(
    kind: str, preset: str | None, named: dict[str, Any], settings: list[str] | None, **given: Any
) -> TrainingConfig:
    """The configuration of a run from its options. Raises SettingsInvalid, UsageMistake, WeightsMissing."""
    from core.commands.dataset.options import source_path
    from core.models.encoders import resolve_weights
    from core.models.upscalers import resolve_dsr
    from core.sr.upscale import BICUBIC
    from core.training.config import NEW, absolute, make_config
    from core.training.overrides import parse_changes

    batch_size, camera = given.pop("batch_size", None), given.pop("camera", None)
    changes = {} if camera is None else _adaptation(kind, preset, camera)
    changes |= {name: value for name, value in named.items() if value is not None}
    if batch_size is not None:
        changes["batch_size"] = batch_size
    own, recipe = _sorted_settings(parse_changes(settings))
    if given.get("dataset") is not None:
        given["dataset"] = str(source_path(given["dataset"]).absolute())
    for name in ("train_dir", "val_dir"):
        given[name] = absolute(given.get(name))
    if given.get("upscaler") not in (None, BICUBIC, NEW):
        given["upscaler"] = absolute(given["upscaler"])
    given["out_name"] = given.get("out_name") or ""
    config = make_config(kind, preset, {**changes, **recipe}, **{**given, **own})
    found = load_settings()
    # Resolved before the launch, by path: the weights in use may change before the run starts.
    edgeface = str(resolve_weights(found, config.edgeface))
    taught_by = None if config.teacher is None else str(resolve_weights(found, config.teacher))
    upscaler = config.upscaler
    if upscaler is None and config.recipe.wants_upscaler:
        trained = config.recipe.trains
        upscaler = str(resolve_dsr(found, to_train="upscaler" in trained) or BICUBIC)
        upscaler = NEW if trained == ("upscaler",) else upscaler
    return replace(config, edgeface=edgeface, teacher=taught_by, upscaler=upscaler)


def _adaptation(kind: str, preset: str | None, camera: str) -> dict[str, Any]:
    """The changes to the recipe that a camera's estimate brings. Raises CameraUnclear, SettingsInvalid."""
    from core.dataset.camera.file import read_camera
    from core.training.adapt import adaptation
    from core.training.presets import find_preset

    return dict(adaptation(find_preset(kind, preset), read_camera(user_path(camera))))


def _sorted_settings(changes: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Split settings into the run's own (precision, val_limit) and its recipe's."""
    from core.training.config import TrainingConfig
    from core.training.overrides import parsed

    kinds = {field.name: field.default for field in fields(TrainingConfig)}
    own: dict[str, Any] = {}
    recipe: dict[str, str] = {}
    for name, value in changes.items():
        if name in kinds and name not in ("kind", "recipe", "command", "terms"):
            own[name] = value if kinds[name] is None else parsed(name, value, kinds[name])
        else:
            recipe[name] = value
    return own, recipe


def launch_and_follow(
    kind: str,
    data: TrainData,
    run: TrainRun,
    preset: str | None = None,
    named: dict[str, Any] | None = None,
    **given: Any,
) -> None:
    """Start or resume a run, and print its log until it ends. `named` settings are the recipe's, `given` ones
    the configuration's."""
    from core.jobs.launch import launch

    if run.resume is not None:
        started = resume_run(kind, run.resume, half_batch=run.half_batch)
    elif run.half_batch:
        raise UsageMistake("--half-batch goes with --resume.", "Use --batch-size for a new run.")
    else:
        from core.training.config import config_to_dict

        config = make_run_config(kind, preset, named or {}, run.settings, **vars(data), **run.config_fields(), **given)
        words = sys.argv[1:] if len(sys.argv) > 2 and "train" in sys.argv[1:] else ["train", kind]
        config = replace(config, command=shlex.join(["edgeface-studio", *words]))
        slug = config.out_name or Path(config.dataset or config.train_dir or kind).name
        started = launch(load_settings(), kind, config_to_dict(config), slug=f"{config.preset}-{slug}")
    if run.detach:
        say_started(started, run.as_json)
        return
    follow_run(started, kind, run.as_json)


def resume_run(kind: str, text: str, *, half_batch: bool = False) -> Run:
    """Start an interrupted or stopped run of a kind again, the newest for "last". Raises UsageMistake, JobError,
    RunNotFound."""
    from core.jobs.launch import resume
    from core.jobs.run_dir import find_run, list_runs, runs_root

    root = runs_root(load_settings())
    of_kind = list_runs(root, kind)
    run = of_kind[0] if text == "last" and of_kind else find_run(root, text)
    if run.kind != kind:
        raise UsageMistake(f"{run.id} is no {kind} run.", f"Resume it: edgeface-studio runs resume {run.id}")
    if half_batch:
        from core.training.batch_split import halve_batch

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


def follow_run(run: Run, kind: str, as_json: bool) -> None:
    """Print the log as it comes. Ctrl-C asks the run to stop and waits for it; a second one leaves it alone."""
    from core.jobs.launch import follow, stop

    again = f"edgeface-studio train {kind} --resume {run.id}"
    asked = False
    events = follow(run)
    with progress_line():
        while True:
            try:
                for event in events:
                    show(event.kind, quiet=as_json, **event.data)
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


def _after(run: Run) -> Iterator[Event]:
    """What comes after now, until the run has ended."""
    from core.jobs.events import read_events

    _, offset = read_events(run.events_path)
    while True:
        live = run.state().live
        events, offset = read_events(run.events_path, offset)
        yield from events
        if not live:
            return
        time.sleep(0.2)


def show(kind: str, /, *, quiet: bool = False, **data: Any) -> None:
    """An event as lines of the log, progress as the terminal's last line."""
    if kind == "progress":
        from core.training.log_format import duration

        left = f", {duration(data['left_s'])} left" if data.get("left_s") is not None else ""
        loss = f", loss {data['loss']:.4f}" if data.get("loss") is not None else ""
        where = f"epoch {data['epoch']}/{data['epochs']} " if data.get("epoch") else ""
        progress(f"{where}{data.get('step', '')}: {data.get('done', 0):,} of {data.get('total', 0):,}{loss}{left}")
        return
    text = data.get("text") if kind == "log" else data.get("line")
    if isinstance(text, str) and not quiet:
        progress("")
        typer.echo("  " * ((len(text) - len(text.lstrip(" "))) // 2) + plain(text))
