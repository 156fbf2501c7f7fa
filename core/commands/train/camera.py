"""`train camera`: estimate a camera's degradation from its small faces, for trainings with --camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.dataset.options import source_path
from core.commands.shared.common import example, new_path, user_path
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import note, progress, progress_line, say, say_json, say_table
from core.settings import load_settings

if TYPE_CHECKING:
    from core.dataset.camera.estimate import CameraEstimate


def add_to(group: typer.Typer) -> None:
    group.command(
        "camera",
        epilog=example(
            "train camera far-camera/ --out camera.json", "train finetune --preset specialist --camera camera.json"
        ),
    )(camera)


def camera(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Pictures of the camera with small faces; nobody has to be named.")
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The JSON file to write.")],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            metavar="FOLDER|NAME",
            help="A data set whose large faces stand for sharp ones; default: drawn people, which is less exact.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same estimate.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Estimate blur, noise, gamma, JPEG quality and face sizes of a camera, and write them to a file.

    It takes a few dozen to a few hundred small faces (12 to 48 px), as the camera saved them: enlarged, sharpened or
    saved again, they show another camera. The file holds no face. Train with it: `train finetune --camera FILE`.
    """
    from core.dataset.camera.clean import clean_crops
    from core.dataset.camera.estimate import estimate_camera
    from core.dataset.camera.file import camera_values, write_camera
    from core.dataset.camera.small_faces import pictures_in, small_faces
    from core.jobs.context import Hooks
    from core.models.landmark_networks import detector_in_use

    target = new_path(out)
    hooks = Hooks(_show)
    with progress_line("reading pictures ..."):
        found = small_faces(pictures_in(user_path(folder)), detector_in_use(load_settings()), hooks=hooks)
        clean = clean_crops(None if dataset is None else source_path(dataset), seed=seed)
        estimate = estimate_camera(found.faces, clean, seed=seed, hooks=hooks)
    write_camera(target, estimate)
    if as_json:
        say_json({"file": str(target), **camera_values(estimate)})
        return
    _say(estimate)
    if dataset is None:
        note("Drawn people stood for sharp faces. With --dataset and a data set of photographs it is more exact.")
    say(f"{target}: train with it by `train finetune --preset specialist --camera {target}`.")


def _show(kind: str, /, **data: Any) -> None:
    if kind == "progress":
        step = {"faces": "reading pictures", "cameras": "simulating cameras"}[str(data["step"])]
        progress(f"{step}: {data['done']:,} of {data['total']:,}")


def _say(estimate: CameraEstimate) -> None:
    from core.dataset.camera.estimate import described

    say_table(("what", "this camera", "all cameras"), described(estimate))
    if estimate.unusual:
        note("These faces look unlike those of every simulated camera: the ranges are only the nearest ones.")
