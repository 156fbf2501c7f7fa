"""`weights use` and `weights use-run`: what recognises faces, enlarges them and finds landmarks, from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.commands.shared.common import example
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import note, progress_line, say, say_json
from core.commands.shared.runs import trained_run
from core.commands.weights.facts import FileOrName, facts_of, facts_of_any, facts_of_landmarks, facts_of_upscaler
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.models.active import AnyModel


def add_to(group: typer.Typer) -> None:
    group.command(
        "use",
        epilog=example(
            "weights use edgeface_xxs", "weights use ~/Downloads/edgeface_xxs.pt", "weights use edgeface_xxs --pair"
        ),
    )(use)
    group.command("use-run", epilog=example("weights use-run last", "weights use-run finetune --which last"))(use_run)


def use(
    file_or_name: FileOrName,
    pair: Annotated[
        bool, typer.Option("--pair", help="Also use the file that it was trained or measured with.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Use an encoder, an upscaler or a landmark network from now on, once it loads completely and works on faces.

    A file from elsewhere is copied. `bicubic` stops using a super-resolution network.
    """
    from core.models.active import active_models, partners, use_model

    settings = load_settings()
    before = active_models(settings).upscaler
    with progress_line("loading and checking ..."):
        used = [use_model(settings, file_or_name)]
        partner = [file for file in partners(settings, active_models(settings)) if type(file) is not type(used[0])][:1]
        if pair:
            used += [use_model(settings, file.path or file.name) for file in partner]
    if as_json:
        facts = [facts_of_any(file) for file in used]
        say_json(facts[0] if len(facts) == 1 else {**facts[0], "pair": facts[1]})
    else:
        for file in used:
            say(_in_use_words(file, settings))
    now = active_models(settings)
    if before is not None and before.specialist is not None and now.upscaler not in (before, *used):
        instead = "nothing" if now.upscaler is None else now.upscaler.name
        note(f"{before.name} belongs to other weights; in its place is {instead}.")
    if mismatch := now.mismatch:
        note(mismatch)
        for file in partner:
            note(f"Use {file.name}, too: edgeface-studio weights use {file.name}")


def _in_use_words(file: AnyModel, settings: Settings) -> str:
    from core.models.encoders import WeightsFile
    from core.models.files import origin_in_words
    from core.models.landmark_networks import LandmarkFile

    if isinstance(file, WeightsFile):
        return f"In use: {file.path} ({origin_in_words(settings, file)})"
    if isinstance(file, LandmarkFile):
        return f"In use for landmarks: {file.path}"
    return f"In use for small faces: {file.path or file.name}"


def use_run(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help='KIND/NAME as `runs list` shows it, a part of it, or "last".')
    ],
    which: Annotated[Literal["best", "last"], typer.Option("--which", help="Which of its checkpoints.")] = "best",
    as_json: JsonOption = False,
) -> None:
    """Use the weights that a run has trained: its encoder and the upscaler that it was trained with, or its landmark
    network.

    A part of a name, or "last", means the newest matching run that is done; a full name may name one that isn't.
    """
    from core.training.activate import use_run_weights

    found = trained_run(run, which)
    with progress_line("loading and checking ..."):
        adopted = use_run_weights(load_settings(), found, which)
    if as_json:
        encoder, upscaler, landmarks = adopted.encoder, adopted.upscaler, adopted.landmarks
        say_json(
            {
                "run": found.id,
                "encoder": facts_of(encoder) if encoder else None,
                "upscaler": facts_of_upscaler(upscaler) if upscaler else None,
                "landmarks": facts_of_landmarks(landmarks) if landmarks else None,
            }
        )
        return
    say(f"{adopted.text} Trained by {found.id}.")
    if adopted.encoder is not None:
        say("Those enrolled with other weights are found again after: edgeface-studio gallery reembed")
