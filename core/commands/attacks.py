"""`attacks`: the user's own model against prints, screens and masks: choose, try and switch off."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core.commands.shared.common import example, user_path
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import note, say, say_json, say_table
from core.settings import load_settings

_EXAMPLE = (
    '{"input_px": 80, "channels": "bgr", "scale": 1.0, "mean": [0, 0, 0], "std": [1, 1, 1], "crop_scale": 2.7, '
    '"output": "softmax", "genuine": [1], "limit": 0.5, "min_face_px": 80, "small": "pass"}'
)

group = typer.Typer(
    help="Refuse faces that a model of your own takes for a print, a screen or a mask. None comes with this program. "
    f"A small JSON file says how the model is fed and read: {_EXAMPLE}",
    epilog=example("attacks use model.onnx --about model.json", "attacks try photo.jpg", "attacks off"),
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="attacks")


@group.command("use", epilog=example("attacks use model.onnx --about model.json"))
def use(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    about: Annotated[
        str, typer.Option("--about", metavar="FILE.json", help="JSON file with the model's input and output format.")
    ],
) -> None:
    """Check every face with this model from now on: when identifying, comparing and enrolling."""
    from core.faces.attack import read_model
    from core.recognition.attack_check import use_check

    chosen = use_check(load_settings(), user_path(model), read_model(user_path(about)))
    say(f"In use against presentation attacks: {chosen.path}, refusing from {chosen.model.limit:g} on.")
    passes = "pass unchecked" if chosen.model.small == "pass" else "are refused"
    note(f"Faces of less than {chosen.model.min_face_px:g} px {passes}. Try it on attacks of your own: attacks try.")


@group.command("off", epilog=example("attacks off"))
def off() -> None:
    """Stop checking faces."""
    from core.recognition.attack_check import UNPROTECTED, switch_off

    switch_off(load_settings())
    say(UNPROTECTED)


@group.command("show", epilog=example("attacks show", "attacks show --json"))
def show(as_json: JsonOption = False) -> None:
    """Show the model in use."""
    from core.recognition.attack_check import UNPROTECTED, chosen_check

    chosen = chosen_check(load_settings())
    if as_json:
        say_json(None if chosen is None else {"path": chosen.path, "sha256": chosen.sha256, **chosen.model.to_json()})
    elif chosen is None:
        say(UNPROTECTED)
    else:
        say(f"{chosen.path} (SHA-256 {chosen.sha256[:16]}...)")
        for name, value in chosen.model.to_json().items():
            say(f"  {name.replace('_', ' ')}: {value}")


@group.command("try", epilog=example("attacks try photo.jpg print-of-it.jpg"))
def attempt(
    photographs: Annotated[list[str], typer.Argument(metavar="PHOTO...", help="Photographs of faces and of attacks.")],
    as_json: JsonOption = False,
) -> None:
    """Show the model's score for every face in photographs. Nothing is recognised or stored."""
    from core.images import read_image
    from core.models.landmark_networks import detector_in_use
    from core.recognition.attack_check import UNPROTECTED, load_check

    check = load_check(load_settings())
    if check is None:
        say_json([]) if as_json else say(UNPROTECTED)
        return
    detector, rows = detector_in_use(load_settings()), []
    for path in photographs:
        place = user_path(path)
        rgb = read_image(place)
        for number, face in enumerate(detector.detect(rgb), start=1):
            found = check.look(rgb, face)
            rows.append({"photograph": place.name, "face": number, "px": round(face.width), **_answer_facts(found)})
    if as_json:
        say_json(rows)
    else:
        say_table(list(rows[0]), [list(row.values()) for row in rows]) if rows else say("No face was found.")


def _answer_facts(found: Any) -> dict[str, Any]:
    score = None if found.score is None else round(found.score, 4)
    return {"score": score, "answer": "refused" if found.refused else "unchecked" if score is None else "passes"}
