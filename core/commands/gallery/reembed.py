"""`gallery reembed`: re-embed everybody from their stored crops, as a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import (
    DeviceOption,
    GalleryOption,
    JsonOption,
    TtaOption,
    UpscalerOption,
    UsageMistake,
    WeightsOption,
    example,
    gallery_file,
    note,
    open_gallery,
    progress,
    say,
    say_json,
)
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.jobs.events import Event

_NAMES_SHOWN = 10


def add_to(group: typer.Typer) -> None:
    group.command("reembed", epilog=example("gallery reembed", "gallery reembed --keep-old --detach"))(reembed)


def reembed(
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Keep the templates of the earlier weights, too.")
    ] = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    use_tta: TtaOption = False,
    device: DeviceOption = "auto",
    gallery_path: GalleryOption = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Don't wait; follow it with `runs log last --follow`.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Re-embed everybody from their stored crops for the weights in use, after the weights were changed.

    The old templates stay until the new ones are all there. It can be stopped, or killed, and resumed. People without
    stored crops keep their templates and are listed: they have to be enrolled again.
    """
    from core.commands.shared.follow import wait_for
    from core.enrolment.reembed import KIND, job_config
    from core.jobs.launch import launch

    settings = load_settings()
    open_gallery(gallery_path).close()
    path = gallery_file(settings, gallery_path).resolve()
    config = job_config(
        settings,
        weights=weights,
        upscaler=upscaler,
        gallery_path=path,
        use_tta=use_tta,
        keep_old=keep_old,
        device=device,
    )
    run = launch(settings, KIND, config, slug="gallery")
    if detach:
        say_json({"run": run.id}) if as_json else say(f"{run.id} has started.")
        return
    state = wait_for(run, _show)
    report = run.report or {}
    if state.status != "done":
        raise UsageMistake(
            f"{run.id} is {state.status}. {state.error or ''}".strip(),
            f"See edgeface-studio runs show {run.id}; go on with edgeface-studio runs resume {run.id}",
        )
    _tell(settings, run.id, report, gallery_path, as_json)


def _show(event: Event) -> None:
    if event.kind == "progress":
        left = f", {event.data['left_s']:.0f} s left" if event.data.get("left_s") is not None else ""
        progress(f"{event.data['done']} of {event.data['total']} photographs{left}")


def _tell(settings: Settings, run: str, report: dict[str, Any], gallery_path: str | None, as_json: bool) -> None:
    with open_gallery(gallery_path) as gallery:
        names = {person.id: person.name for person in gallery.identities()}
    again = [names[number] for number in report.get("enrol_again", ()) if number in names]
    if as_json:
        say_json({"run": run, **{**report, "enrol_again": again}})
        return
    say(report.get("text", ""))
    if again:
        more = f" and {len(again) - _NAMES_SHOWN} more" if len(again) > _NAMES_SHOWN else ""
        note(f"Enrol again: {', '.join(again[:_NAMES_SHOWN])}{more}.")
