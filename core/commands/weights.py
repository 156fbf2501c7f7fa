"""`weights`: which encoder weights are here, what a file holds, download, choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.common import JsonOption, UsageMistake, example, note, progress, say, say_json, say_table
from core.errors import CoreError
from core.settings import load_settings

if TYPE_CHECKING:
    from core.encoder.encode import EncoderInfo
    from core.encoder.registry import WeightsFile
    from core.encoder.transfer import FetchEvent

group = typer.Typer(
    help="Encoder weights: list, inspect, download, choose.",
    epilog=example("weights fetch edgeface_xxs", "weights use ~/Downloads/edgeface_xxs.pt"),
    rich_markup_mode=None,
)

FileOrName = Annotated[str, typer.Argument(metavar="FILE|NAME", help="A weights file, or the name of a stored one.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="weights")


@group.command("list", epilog=example("weights list", "weights list --json"))
def list_weights(as_json: JsonOption = False) -> None:
    """List the official variants and the files that are here; the one in use has a star."""
    from core.encoder.registry import active_weights, scan
    from core.encoder.variants import LICENCE, VARIANTS

    settings = load_settings()
    stored = scan(settings)
    try:
        active: Path | None = active_weights(settings).path
        problem = ""
    except CoreError as error:
        active, problem = None, str(error)
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
        files = [{**_facts(file), "in_use": file.path == active} for file in stored]
        say_json({"official": official, "files": files, "problem": problem, "licence": LICENCE})
        return
    rows: list[tuple[object, ...]] = []
    for variant in VARIANTS.values():
        file = here.get(variant.name)
        star = "*" if file is not None and file.path == active else ""
        size = f"{variant.megabytes:.1f} MB"
        rows.append((star, variant.name, size, "official", file.path if file else "not here"))
    for file in others:
        kind = f"{file.official.name}, again" if file.official else "other"
        size = f"{file.size_bytes / 1e6:.1f} MB"
        rows.append(("*" if file.path == active else "", file.name, size, kind, file.path))
    say_table(("", "name", "size", "kind", "file"), rows)
    say(f"Licence of the official weights: {LICENCE}")
    if problem:
        note(problem)


@group.command("info", epilog=example("weights info edgeface_xxs.pt"))
def info(file_or_name: FileOrName, as_json: JsonOption = False) -> None:
    """Say what a weights file holds, whatever it is called: variant, form, parameters, health."""
    from core.encoder.health import check_health
    from core.encoder.registry import find_weights
    from core.encoder.variants import LICENCE

    file = find_weights(load_settings(), file_or_name)
    encoder = _load(file, check=False)
    health = check_health(encoder.encode)
    facts = {
        **_facts(file),
        **_held(encoder.info),
        "health": {"healthy": health.healthy, "reason": health.reason, **vars(health)},
        "licence": LICENCE if file.official else "unknown: weights that derive from EdgeFace are for research use",
    }
    if as_json:
        say_json(facts)
        return
    verdict = "healthy" if health.healthy else f"unhealthy: {health.reason}"
    say(f"{file.path}")
    for name in ("official", "size_bytes", "sha256", "git_blob_id", "variant", "kind", "parameters"):
        say(f"  {name.replace('_', ' ')}: {facts[name] if facts[name] is not None else 'no'}")
    if encoder.info.companions:
        say(f"  other tensors left out: {encoder.info.companions}")
    if encoder.info.identities is not None:
        say(f"  people its head was trained on: {encoder.info.identities}")
    if encoder.info.inert_classes:
        say(f"  foreign classes, not executed: {', '.join(encoder.info.inert_classes)}")
    say(f"  health: {verdict} (mean absolute cosine {health.mean_abs_cosine:.2f}, std {health.std:.3f}, 100 faces)")
    say(f"  licence: {facts['licence']}")


@group.command("verify", epilog=example("weights verify edgeface_xxs.pt"))
def verify(file_or_name: FileOrName, as_json: JsonOption = False) -> None:
    """Check that a file is complete and tells people apart; ends with code 2 and the reason when not."""
    from core.encoder.registry import find_weights

    file = find_weights(load_settings(), file_or_name)
    encoder = _load(file, check=True)
    if as_json:
        say_json({"ok": True, **_facts(file), **_held(encoder.info)})
        return
    origin = f"the published {file.official.name}" if file.official else "not a published file"
    say(f"ok: {file.path} is a complete {encoder.name}, healthy, {origin}")


@group.command("fetch", epilog=example("weights fetch edgeface_xxs", "weights fetch edgeface_s_gamma_05"))
def fetch(
    name: Annotated[str, typer.Argument(help="An official name: see `weights list`.")],
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="A mirror with the same files (https).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download official weights into data/weights: resumed where it broke off, checked against the published id."""
    from core.encoder.fetch import fetch as download
    from core.encoder.registry import describe
    from core.encoder.variants import LICENCE, OFFICIAL_FOLDER, VARIANTS

    variant = VARIANTS.get(name.removesuffix(".pt"))
    if variant is None:
        raise UsageMistake(f"There is no official file called '{name}'.", f"Choose one of {', '.join(VARIANTS)}.")
    try:
        path = download(
            variant,
            load_settings().weights_dir,
            base_url=base_url or OFFICIAL_FOLDER,
            on_event=lambda event: _show(variant.name, event),
        )
    finally:
        progress("")
    if as_json:
        say_json(_facts(describe(path)))
        return
    say(f"{path} is here and is the published {variant.name}.")
    say(f"Licence: {LICENCE}")
    say(f"Next: edgeface-studio weights use {variant.name}")


@group.command("use", epilog=example("weights use edgeface_xxs", "weights use ~/Downloads/edgeface_xxs.pt"))
def use(file_or_name: FileOrName, as_json: JsonOption = False) -> None:
    """Take weights into use, once they load completely and tell people apart. A file from elsewhere is copied."""
    from core.encoder.registry import use_weights

    progress("loading and checking ...")
    try:
        file = use_weights(load_settings(), file_or_name)
    finally:
        progress("")
    if as_json:
        say_json(_facts(file))
        return
    say(f"In use: {file.path} ({file.official.name if file.official else 'not a published file'})")


def _load(file: WeightsFile, *, check: bool) -> Any:
    from core.encoder.encode import load_encoder

    progress("loading ...")
    try:
        return load_encoder(file.path, device="cpu", check=check)
    finally:
        progress("")


def _facts(file: WeightsFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "name": file.name,
        "official": file.official.name if file.official else None,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "git_blob_id": file.git_blob_id,
    }


def _held(info: EncoderInfo) -> dict[str, Any]:
    return {
        "variant": info.variant,
        "kind": info.kind,
        "parameters": info.parameters,
        "missing": 0,
        "unexpected": 0,
        "companions": info.companions,
        "identities": info.identities,
        "inert_classes": list(info.inert_classes),
    }


def _show(name: str, event: FetchEvent) -> None:
    if event.state == "downloading":
        share = f"{event.done_bytes / event.total_bytes:4.0%} of " if event.total_bytes else ""
        whole = event.total_bytes or event.done_bytes
        progress(f"{name}: {share}{whole / 1e6:.1f} MB")
    elif event.state in ("resuming", "restarting", "retrying"):
        progress("")
        note(event.text)
