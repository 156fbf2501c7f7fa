"""`diagnose`: check weights, similarities and the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.diagnose.options import counting, open_source, say_json_values, space_of
from core.commands.evaluate.options import DatasetOption, SeedOption, SplitOption
from core.commands.shared.common import UsageMistake, example, open_gallery
from core.commands.shared.option_types import (
    DEFAULT_THRESHOLD,
    DeviceOption,
    GalleryOption,
    JsonOption,
    ThresholdOption,
    UpscalerOption,
)
from core.commands.shared.pipeline_options import SystemOptions
from core.commands.shared.printing import progress, say
from core.settings import load_settings

if TYPE_CHECKING:
    from core.diagnostics.gallery_troubles import Trouble

group = typer.Typer(
    help="Explain figures: weights, similarities, maps of embeddings, the gallery's health.",
    epilog=example("diagnose weights", "diagnose gallery"),
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    from core.commands.diagnose import similarity

    similarity.add_to(group)
    app.add_typer(group, name="diagnose")


@group.command(
    "weights", epilog=example("diagnose weights", "diagnose weights suspect.pt --dataset-root lfw --split test")
)
def weights(
    file_or_name: Annotated[
        str | None,
        typer.Argument(metavar="FILE|NAME", help="A file, or the name of a stored one; default: the weights in use."),
    ] = None,
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    upscaler: UpscalerOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Report on a file: keys, parameters, parent, health. With a data set: the three causes of a similarity that is
    too high, each with its evidence. Exits with 1 if something is wrong."""
    from core.diagnostics.weights_report import report_on
    from core.models.active import find_model
    from core.models.encoders import WeightsFile, active_weights
    from core.models.landmark_networks import LandmarkFile

    settings = load_settings()
    file = active_weights(settings) if file_or_name is None else find_model(settings, file_or_name)
    if isinstance(file, LandmarkFile):
        raise UsageMistake(
            f"{file.name} is a landmark network.", f"Check it: edgeface-studio weights verify {file.name}"
        )
    progress("reading every key ...")
    report = report_on(file, settings)
    progress("")
    facts = report.facts()
    found: dict[str, Any] | None = None
    if dataset_root is not None:
        if not isinstance(file, WeightsFile) or (report.keys is not None and not report.keys.complete):
            raise UsageMistake(
                f"{file.name} is no complete encoder.", "Test the causes with one; --upscaler names a DSR."
            )
        found = _causes(file.path, dataset_root, split, upscaler, seed, device)
    if as_json:
        say_json_values({**facts, **({"check": found["check"], "diagnosis": found["diagnosis"]} if found else {})})
    else:
        _say_report(facts, report.keys.line if report.keys else "")
        if found is not None:
            _say_causes(found)
    if not report.ok or (found is not None and not found["diagnosis"]["ok"]):
        raise typer.Exit(1)


def _say_report(facts: dict[str, Any], keys: str) -> None:
    say(str(facts["path"] or facts["name"]))
    shown = ("kind", "origin", "form", "parameters", "sha256", "parent_sha256", "parent", "trained_by", "made_at")
    for name in shown:
        if facts[name]:
            say(f"  {name.replace('_', ' ')}: {facts[name]}")
    if keys:
        say(f"  keys: {keys}")
    health = facts["health"]
    if health is not None:
        say(f"  mean absolute cosine {health['mean_abs_cosine']:.3f}, std {health['std']:.4f}, {health['faces']} faces")
    say(f"  {'good' if facts['ok'] else 'wrong'}: {facts['problem'] or 'complete, and does what it should to faces'}")
    if facts["next_step"]:
        say(f"  -> {facts['next_step']}")


def _causes(
    path: Path, dataset_root: str, split: str | None, upscaler: str | None, seed: int, device: str
) -> dict[str, Any]:
    from core.diagnostics.causes import diagnose
    from core.diagnostics.check import check_on_faces, sample_of
    from core.encoder.encode import load_encoder, resolve_device
    from core.models.upscalers import resolve_upscaler
    from core.sr.upscale import load_upscaler

    opened = open_source(dataset_root, split, "", SystemOptions(device=device), seed=seed)
    target = resolve_device(device)
    encoder = load_encoder(path, device=target, check=False)
    check = check_on_faces(
        encoder,
        load_upscaler(resolve_upscaler(load_settings(), upscaler, path), device=target),
        sample_of(opened.pictures, seed=seed),
        synthetic=opened.dataset.info.synthetic,
        on_progress=lambda name, done, total: progress(f"{name}: step {done} of {total}"),
    )
    progress("")
    found = diagnose(check, opened.dataset.info.name + (f", split {split}" if split else ""))
    return {"check": check.facts(), "diagnosis": found.facts()}


def _say_causes(found: dict[str, Any]) -> None:
    diagnosis = found["diagnosis"]
    say()
    for answer in diagnosis["answers"]:
        say(f"{answer['cause']}: {answer['question']} {answer['text']}")
    say(diagnosis["text"])
    say(f"({diagnosis['protocol']})")


@group.command("gallery", epilog=example("diagnose gallery", "diagnose gallery --json"))
def gallery(
    gallery_path: GalleryOption = None,
    threshold: ThresholdOption = DEFAULT_THRESHOLD,
    as_json: JsonOption = False,
) -> None:
    """Look for photographs under a wrong name, people under two names, too few or too similar photographs. Exits with 1
    if somebody may be given a wrong name."""
    from core.diagnostics.gallery_health import examine

    with open_gallery(gallery_path) as store:
        health = examine(store, space_of(store), threshold=threshold, on_progress=counting("reading"))
    progress("")
    if as_json:
        say_json_values(
            {
                "people": health.people,
                "photographs": health.photographs,
                "encoder": health.space.encoder_name,
                "weights_sha256": health.space.weights_sha256,
                "threshold": health.threshold,
                "calibrated": health.calibrated,
                "troubles": [_trouble(each) for each in health.troubles],
                "left": [
                    {**_trouble(each), "left_by": mark.by, "left_at": mark.at.isoformat()} for each, mark in health.left
                ],
            }
        )
    else:
        for each in health.troubles:
            say(f"{'serious' if each.serious else 'notice'}: {each.text}")
            if each.remedies[0] == "remove":
                say(f"  templates: {', '.join(str(number) for photo in each.photos for number in photo.templates)}")
        say(health.line)
    if health.serious:
        raise typer.Exit(1)


def _trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "code": trouble.code,
        "serious": trouble.serious,
        "name": trouble.name,
        "other": trouble.other_name or None,
        "templates": [number for photo in trouble.photos for number in photo.templates],
        "score": trouble.score,
        "limit": trouble.limit,
        "text": trouble.text,
    }
