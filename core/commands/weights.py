"""`weights`: which encoder weights are here, what a file holds, fetch official ones, choose what is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from core.commands.output import UsageWrong, progress, say, say_json, table
from core.encoder.errors import WeightsMissing
from core.encoder.registry import WeightsFile, active_weights, find_weights, scan, use_weights
from core.encoder.variants import LICENCE, OFFICIAL_FOLDER, VARIANTS, Variant
from core.settings import Settings, load_settings

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="""EdgeFace weights: list, inspect, verify, fetch, and choose the ones in use.

    \b
    Example:
      edgeface-studio weights fetch edgeface_xxs
    """,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
FileOrName = Annotated[str, typer.Argument(metavar="FILE-or-NAME", help="A weights file, or a name from the list.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """Weights that are here, those in use, and the official ones that can be fetched.

    \b
    Example:
      edgeface-studio weights list
    """
    settings = load_settings()
    stored = scan(settings)
    used, trouble = _in_use(settings)
    here = {file.official.name for file in stored if file.official}
    if json:
        say_json(
            {
                "in_use": str(used.path) if used else None,
                "problem": trouble,
                "stored": [_facts(file) for file in stored],
                "official": [_offer(variant, variant.name in here) for variant in VARIANTS.values()],
                "folder": str(settings.weights_dir),
                "licence": LICENCE,
            }
        )
        return
    if stored:
        rows = [
            (
                "in use" if used and used.path == file.path else "",
                file.path.name,
                file.official.name if file.official else "not an official file",
                f"{file.size_bytes / 1e6:.1f} MB",
                file.sha256[:12],
            )
            for file in stored
        ]
        say(table(rows, ("", "file", "is", "size", "SHA-256")))
    else:
        say(f"No weights are stored in {settings.weights_dir} yet.")
    if trouble:
        say(f"\n{trouble}")
    missing = [variant for variant in VARIANTS.values() if variant.name not in here]
    if missing:
        say("\nOfficial files that can be fetched (edgeface-studio weights fetch NAME):")
        offers = [(v.name, f"{v.megabytes:.1f} MB", v.timm_model, "int8" if v.int8 else "") for v in missing]
        say(table(offers, ("name", "size", "network", "")))
    say(f"\nLicence: {LICENCE}")


@app.command()
def info(file: FileOrName, json: Json = False) -> None:
    """What a file holds: variant, storage, parameters, hashes. Nothing in it is ever run.

    \b
    Example:
      edgeface-studio weights info my_finetuned.pt
    """
    found = find_weights(load_settings(), file)
    facts = {**_facts(found), **_content(found.path)}
    if json:
        say_json(facts)
        return
    say("\n".join(f"{name.replace('_', ' '):<18}{value}" for name, value in facts.items() if value not in (None, "")))


@app.command()
def verify(file: FileOrName, json: Json = False) -> None:
    """Load a file completely and check on faces that it tells people apart. Exit code 2 when it doesn't.

    \b
    Example:
      edgeface-studio weights verify edgeface_xxs.pt
    """
    from core.encoder.encode import load_encoder

    found = find_weights(load_settings(), file)
    encoder = load_encoder(found.path, device="cpu", check=True)
    health = encoder.info.health
    if health is None:  # load_encoder always measures when it is asked to
        raise WeightsMissing(f"{found.path.name} couldn't be checked.", "Try again.")
    if json:
        figures = {"std": health.std, "mean_abs_cosine": health.mean_abs_cosine, "norm_error": health.norm_error}
        say_json({**_facts(found), "variant": encoder.name, "healthy": True, "faces": health.faces, **figures})
        return
    say(
        f"{found.path.name} is complete and healthy: {encoder.name}, {encoder.info.parameters:,} parameters, "
        f"0 keys missing, 0 unexpected."
    )
    say(
        f"On {health.faces} faces: mean absolute cosine between people {health.mean_abs_cosine:.3f}, "
        f"std {health.std:.3f} a dimension, norm 1 within {health.norm_error:.1g}."
    )
    say(
        "It is an official file." if found.official else "It isn't an official file; its content is known to you alone."
    )


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(VARIANTS)}.")],
    base_url: Annotated[str, typer.Option(help="Folder to fetch from; https, or http on this machine.")] = (
        OFFICIAL_FOLDER
    ),
) -> None:
    """Download official weights: resumed where it broke off, checked against the published content.

    \b
    Example:
      edgeface-studio weights fetch edgeface_xxs
    """
    from core.encoder.fetch import fetch as fetch_file

    variant = VARIANTS.get(name.strip().removesuffix(".pt"))
    if variant is None:
        raise UsageWrong(f"There are no official weights called '{name}'.", f"Choose one of {', '.join(VARIANTS)}.")
    settings = load_settings()
    last = -1

    def tell(event: Any) -> None:
        nonlocal last
        if event.state != "downloading":
            progress(event.text, end=True)
            return
        percent = 100 * event.done_bytes // event.total_bytes if event.total_bytes else event.done_bytes // 1_000_000
        if percent // 5 != last // 5:
            last = percent
            of = f"{percent} % of {event.total_bytes:,} bytes" if event.total_bytes else f"{event.done_bytes:,} bytes"
            progress(f"{variant.file_name}: {of}")

    path = fetch_file(variant, settings.weights_dir, base_url=base_url, on_event=tell)
    say(f"{variant.name} is at {path}.")
    used, _ = _in_use(settings)
    if used is not None and used.path != path.resolve():
        say(f"In use is still {used.path.name}. Change it: edgeface-studio weights use {variant.name}")
    say(f"Licence: {LICENCE}")


@app.command()
def use(file: FileOrName) -> None:
    """Take weights into use: loaded, checked on faces, copied into the weights folder. People enrolled with other
    weights have to be enrolled again.

    \b
    Example:
      edgeface-studio weights use edgeface_xxs
    """
    chosen = use_weights(load_settings(), file)
    what = f"official {chosen.official.name}" if chosen.official else "not an official file"
    say(f"In use: {chosen.path.name} ({what}), healthy. Stored at {chosen.path}.")


def _in_use(settings: Settings) -> tuple[WeightsFile | None, str]:
    try:
        return active_weights(settings), ""
    except WeightsMissing as error:
        return None, str(error)


def _facts(file: WeightsFile) -> dict[str, Any]:
    return {
        "file": str(file.path),
        "official": file.official.name if file.official else None,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "git_blob_id": file.git_blob_id,
    }


def _offer(variant: Variant, here: bool) -> dict[str, Any]:
    return {
        "name": variant.name,
        "stored": here,
        "megabytes": variant.megabytes,
        "network": variant.timm_model,
        "rank_ratio": variant.rank_ratio,
        "int8": variant.int8,
        "url": variant.url,
        "git_blob_id": variant.git_blob_id,
    }


def _content(path: Path) -> dict[str, Any]:
    from core.encoder.weights import load_state

    state = load_state(path)
    return {
        "variant": state.variant.name,
        "stored_as": state.kind,
        "network": state.variant.timm_model,
        "parameters": sum(tensor.numel() for tensor in state.tensors.values()),
        "keys": f"{len(state.tensors)}, 0 missing, 0 unexpected",
        "other_tensors": state.companions or None,
        "head_identities": state.identities,
        "inert_classes": ", ".join(state.inert_classes) or None,
        **{f"metadata_{key}": value for key, value in state.metadata.items()},
    }
