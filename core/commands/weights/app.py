"""`weights`: list, inspect, download and choose encoders, upscalers and landmark networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from core.commands.shared.common import UsageMistake, example
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import note, progress, progress_line, say, say_json, say_result, say_table
from core.commands.weights.facts import (
    FileOrName,
    brief_figures,
    card_facts,
    facts_of,
    facts_of_landmarks,
    facts_of_upscaler,
    listed_facts,
    say_card,
    say_encoder,
    tensor_facts,
)
from core.errors import CoreError
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.models.encoders import WeightsFile
    from core.models.http_transfer import FetchEvent
    from core.models.landmark_networks import LandmarkFile
    from core.models.upscalers import UpscalerFile

File = TypeVar("File")

group = typer.Typer(
    help="Encoders, upscalers and landmark networks: list, inspect, download, choose.",
    epilog=example("weights fetch edgeface_xxs", "weights use ~/Downloads/edgeface_xxs.pt", "weights use bicubic"),
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    from core.commands.weights import average, choose, export

    choose.add_to(group)
    export.add_to(group)
    average.add_to(group)
    app.add_typer(group, name="weights")


@group.command("list", epilog=example("weights list", "weights list --json"))
def list_weights(as_json: JsonOption = False) -> None:
    """List the official variants, the encoder files, upscalers and landmark networks; a star marks those in use."""
    from core.models.encoders import active_weights, scan
    from core.models.files import is_shipped
    from core.models.landmark_networks import active_landmarks
    from core.models.landmark_networks import scan as scan_landmarks
    from core.models.upscalers import active_upscaler
    from core.models.upscalers import scan as scan_upscalers
    from core.models.variants import LICENCE, VARIANTS

    settings = load_settings()
    stored = scan(settings)
    try:
        active: Path | None = active_weights(settings).path
        problem = ""
    except CoreError as error:
        active, problem = None, str(error)
    enlarging, upscaler_problem = _in_use(active_upscaler, settings)
    upscalers = scan_upscalers(settings)
    placing, landmarks_problem = _in_use(active_landmarks, settings)
    networks = scan_landmarks(settings)
    here = {file.official.name: file for file in stored if file.official is not None}
    others = [file for file in stored if file.official is None or here[file.official.name] != file]
    if as_json:
        official = [
            {
                "name": v.name,
                "timm_model": v.timm_model,
                "rank_ratio": v.rank_ratio,
                "int8": v.int8,
                "megabytes": v.megabytes,
                "git_blob_id": v.git_blob_id,
                "url": v.url,
                "path": here[v.name].path if v.name in here else None,
            }
            for v in VARIANTS.values()
        ]
        files = [{**listed_facts(file, settings), "in_use": file.path == active} for file in stored]
        enlargers = [{**facts_of_upscaler(file), "in_use": file == enlarging} for file in upscalers]
        say_json(
            {
                "official": official,
                "files": files,
                "problem": problem,
                "licence": LICENCE,
                "upscalers": enlargers,
                "upscaler": enlarging.name if enlarging else None,
                "upscaler_problem": upscaler_problem,
                "landmarks": [{**facts_of_landmarks(file), "in_use": file == placing} for file in networks],
                "landmarks_problem": landmarks_problem,
            }
        )
        return
    rows: list[tuple[object, ...]] = []
    for variant in VARIANTS.values():
        file = here.get(variant.name)
        star = "*" if file is not None and file.path == active else ""
        size = f"{variant.megabytes:.1f} MB"
        eer = brief_figures(file, settings) if file else ""
        rows.append((star, variant.name, size, "official", eer, file.path if file else "not here"))
    for file in others:
        kind = f"{file.official.name}, again" if file.official else file.origin
        kind = f"shipped, {kind}" if is_shipped(settings, file) else kind
        size = f"{file.size_bytes / 1e6:.1f} MB"
        rows.append(
            ("*" if file.path == active else "", file.name, size, kind, brief_figures(file, settings), file.path)
        )
    for enlarger in upscalers:
        size = f"{enlarger.size_bytes / 1e6:.1f} MB"
        own = enlarger.specialist
        kind = "upscaler" if own is None else f"specialist of {own.weights_name or 'unknown weights'}"
        rows.append(("*" if enlarger == enlarging else "", enlarger.name, size, kind, "", enlarger.path))
    if enlarging is not None and enlarging.path is None:
        rows.append(("*", enlarging.name, "", "upscaler", "", "no file needed"))
    for network in networks:
        size = f"{network.size_bytes / 1e6:.1f} MB"
        rows.append(("*" if network == placing else "", network.name, size, "landmark network", "", network.path))
    say_table(("", "name", "size", "kind", "EER 24 px: bicubic, camera", "file"), rows)
    say(f"Licence of the official weights: {LICENCE}")
    for each in (problem, upscaler_problem, landmarks_problem):
        if each:
            note(each)


def _in_use(active: Callable[[Settings], File], settings: Settings) -> tuple[File | None, str]:
    """The file in use, and why there is none."""
    try:
        return active(settings), ""
    except CoreError as error:
        return None, str(error)


@group.command("info", epilog=example("weights info edgeface_xxs.pt", "weights info bicubic"))
def info(file_or_name: FileOrName, as_json: JsonOption = False) -> None:
    """Show what a file holds: variant, format, health, and its model card if it has one."""
    from core.encoder.health import check_health
    from core.models.active import find_model
    from core.models.encoders import WeightsFile
    from core.models.figures import measured
    from core.models.files import is_shipped
    from core.models.header import read_card
    from core.models.landmark_networks import LandmarkFile
    from core.models.variants import LICENCE, LICENCE_OF_DERIVED

    settings = load_settings()
    found = find_model(settings, file_or_name)
    if isinstance(found, LandmarkFile):
        _say_landmarks(found, as_json)
        return
    if not isinstance(found, WeightsFile):
        _say_upscaler(found, as_json)
        return
    encoder = _load(found, check=False)
    health = check_health(encoder.encode)
    ours = found.origin in ("starter", "fine-tuned")
    derived = LICENCE_OF_DERIVED if ours else f"unknown: if it {LICENCE_OF_DERIVED}"
    card, figures = read_card(found.metadata), measured(found, settings)
    facts = {
        **facts_of(found),
        "shipped": is_shipped(settings, found),
        **tensor_facts(encoder.info),
        "health": {"healthy": health.healthy, "reason": health.reason, **vars(health)},
        "card": card_facts(card, figures),
        "licence": LICENCE if found.official else derived,
    }
    if as_json:
        say_json(facts)
        return
    say_encoder(facts, encoder.info, health)
    say_card(card, figures)
    say(f"  licence: {facts['licence']}")


def _say_upscaler(upscaler: UpscalerFile, as_json: bool) -> None:
    from core.models.figures import remark
    from core.models.header import read_card
    from core.models.variants import LICENCE_OF_DERIVED
    from core.sr.upscale import load_upscaler

    own = upscaler.specialist
    if own is None:
        load_upscaler(upscaler.path)  # complete, or refused
    else:
        _load_file(own.path, check=False)
    card = read_card(upscaler.metadata)
    if as_json:
        card_of_file = card_facts(card, card.measured)
        say_json({**facts_of_upscaler(upscaler), "card": card_of_file, "remark": remark(upscaler.sha256) or None})
        return
    if upscaler.path is None:
        say("bicubic: interpolation, nothing is invented; no file needed")
        return
    say(f"{upscaler.path}")
    if own is None:
        say("  kind: upscaler (DSR)")
    else:
        say(f"  kind: specialist: an encoder for faces up to {own.max_px} px")
        say(f"  specialist for: {own.weights_name or 'unknown weights'} (SHA-256 {own.weights_sha256 or 'unknown'})")
    for name in ("size_bytes", "sha256"):
        say(f"  {name.replace('_', ' ')}: {getattr(upscaler, name)}")
    for name, value in card.config.items():
        say(f"  {name.replace('_', ' ')}: {value}")
    say_card(card, card.measured)
    if said := remark(upscaler.sha256):
        say(f"  remark: {said}")
    say(f"  licence: {LICENCE_OF_DERIVED}")


def _say_landmarks(network: LandmarkFile, as_json: bool) -> None:
    from core.training.landmarks.card import landmarks_card

    if as_json:
        say_json({**facts_of_landmarks(network), "metadata": dict(network.metadata)})
        return
    say(landmarks_card(network.path).rstrip())


@group.command("verify", epilog=example("weights verify edgeface_xxs.pt"))
def verify(file_or_name: FileOrName, as_json: JsonOption = False) -> None:
    """Check that a file is complete and does what it should to faces; ends with code 2 and the reason when not."""
    from core.models.active import find_model
    from core.models.encoders import WeightsFile
    from core.models.files import origin_in_words
    from core.models.landmark_networks import LandmarkFile, check_landmarks

    file = find_model(load_settings(), file_or_name)
    if isinstance(file, LandmarkFile):
        check_landmarks(file)
        say_result({"ok": True, **facts_of_landmarks(file)}, f"ok: {file.path} places landmarks on faces", as_json)
        return
    if not isinstance(file, WeightsFile):
        from core.models.upscalers import check_upscaler

        check_upscaler(file)
        does = "enlarges faces" if file.specialist is None else "embeds small faces"
        say_result({"ok": True, **facts_of_upscaler(file)}, f"ok: {file.path or file.name} {does}", as_json)
        return
    encoder = _load(file, check=True)
    say_result(
        {"ok": True, **facts_of(file), **tensor_facts(encoder.info)},
        f"ok: {file.path} is a complete {encoder.name}, healthy, {origin_in_words(load_settings(), file)}",
        as_json,
    )


@group.command("fetch", epilog=example("weights fetch edgeface_xxs", "weights fetch edgeface_s_gamma_05"))
def fetch(
    name: Annotated[str, typer.Argument(help="An official name: see `weights list`.")],
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="Another address with the same files (https)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download official weights into data/weights: resumed where it broke off, checked against the published id."""
    from core.models.download import fetch as download
    from core.models.encoders import describe
    from core.models.variants import LICENCE, VARIANTS

    variant = VARIANTS.get(name.removesuffix(".pt"))
    if variant is None:
        raise UsageMistake(f"There is no official file called '{name}'.", f"Choose one of {', '.join(VARIANTS)}.")
    with progress_line():
        path = download(
            variant,
            load_settings().weights_dir,
            base_url=base_url,
            on_event=lambda event: _show(variant.name, event),
        )
    if as_json:
        say_json(facts_of(describe(path)))
        return
    say(f"{path} is here and is the published {variant.name}.")
    say(f"Licence: {LICENCE}")
    say(f"Next: edgeface-studio weights use {variant.name}")


def _load(file: WeightsFile, *, check: bool) -> Any:
    return _load_file(file.path, check=check)


def _load_file(path: Path, *, check: bool) -> Any:
    from core.encoder.encode import load_encoder

    with progress_line("loading ..."):
        return load_encoder(path, device="cpu", check=check)


def _show(name: str, event: FetchEvent) -> None:
    if event.state == "downloading":
        share = f"{event.done_bytes / event.total_bytes:4.0%} of " if event.total_bytes else ""
        whole = event.total_bytes or event.done_bytes
        progress(f"{name}: {share}{whole / 1e6:.1f} MB")
    elif event.state in ("resuming", "restarting", "retrying"):
        progress("")
        note(event.text)
