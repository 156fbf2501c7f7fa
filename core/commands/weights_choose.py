"""`weights use` and `weights use-run`: what recognises faces, and what enlarges them, from now on."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.commands.common import JsonOption, example, note, progress, say, say_json
from core.commands.weights_facts import FileOrName, facts_of, facts_of_upscaler
from core.settings import load_settings


def add_to(group: typer.Typer) -> None:
    group.command(
        "use",
        epilog=example("weights use edgeface_xxs", "weights use ~/Downloads/edgeface_xxs.pt", "weights use bicubic"),
    )(use)
    group.command("use-run", epilog=example("weights use-run last", "weights use-run finetune --which last"))(use_run)


def use(file_or_name: FileOrName, as_json: JsonOption = False) -> None:
    """Take weights into use, encoder or upscaler by what the file holds, once they load completely and work on faces.

    A file from elsewhere is copied. `bicubic` stops using a super-resolution network.
    """
    from core.encoder.registry import WeightsFile
    from core.in_use import in_use, use_either

    progress("loading and checking ...")
    try:
        used = use_either(load_settings(), file_or_name)
    finally:
        progress("")
    if as_json:
        say_json(facts_of(used) if isinstance(used, WeightsFile) else facts_of_upscaler(used))
    elif isinstance(used, WeightsFile):
        say(f"In use: {used.path} ({used.official.name if used.official else 'not a published file'})")
    else:
        say(f"In use for small faces: {used.path or used.name}")
    if mismatch := in_use(load_settings()).mismatch:
        note(mismatch)


def use_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help='A training run as `runs list` shows it, or "last".')],
    which: Annotated[Literal["best", "last"], typer.Option("--which", help="Which of its checkpoints.")] = "best",
    as_json: JsonOption = False,
) -> None:
    """Take over what a run has trained: its encoder, together with the upscaler that it was trained with."""
    from core.jobs.run_dir import find_run, runs_root
    from core.training.adopt import use_run_weights

    settings = load_settings()
    found = find_run(runs_root(settings), run)
    progress("loading and checking ...")
    try:
        adopted = use_run_weights(settings, found, which)
    finally:
        progress("")
    if as_json:
        encoder, upscaler = adopted.encoder, adopted.upscaler
        say_json(
            {
                "run": found.id,
                "encoder": facts_of(encoder) if encoder else None,
                "upscaler": facts_of_upscaler(upscaler) if upscaler else None,
            }
        )
        return
    say(adopted.text)
    if adopted.encoder is not None:
        say("Those enrolled with other weights are found again after: edgeface-studio gallery reembed")
