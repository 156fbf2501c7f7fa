"""`gallery reembed`: re-embed everybody from their stored crops, as a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import example, gallery_place, open_gallery
from core.commands.shared.option_types import DetachOption, GalleryOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import SystemOptions
from core.commands.shared.printing import note, progress, say, say_json
from core.commands.shared.runs import run_to_end
from core.settings import load_settings
from core.system.server_address import resolved_place

if TYPE_CHECKING:
    from core.jobs.events import Event

_NAMES_SHOWN = 10


def add_to(group: typer.Typer) -> None:
    group.command("reembed", epilog=example("gallery reembed", "gallery reembed --keep-old --detach"))(reembed)


@takes_options
def reembed(
    keep_old: Annotated[bool, typer.Option("--keep-old", help="Keep the earlier templates, too.")] = False,
    system: SystemOptions = SystemOptions(),
    gallery_path: GalleryOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Re-embed everybody from their stored crops for the weights in use, after the weights were changed. Small faces
    made through another upscaler than the one in use are re-embedded, too, also where a specialist finds them as they
    are: its own templates recognise more.

    The old templates stay until the new ones are all there. It can be stopped, or killed, and resumed. People without
    stored crops keep their templates and are listed: they have to be enrolled again.
    """
    from core.enrolment.reembed import KIND, job_config

    settings = load_settings()
    open_gallery(gallery_path).close()
    path = resolved_place(gallery_place(settings, gallery_path))
    config = job_config(settings, gallery_path=path, keep_old=keep_old, **vars(system))
    next_step = "{show}; go on with edgeface-studio runs resume {run}"
    run = run_to_end(KIND, config, "gallery", _show, detach=detach, as_json=as_json, next_step=next_step)
    if run is not None:
        _print_report(run.id, run.report or {}, gallery_path, as_json)


def _show(event: Event) -> None:
    if event.kind == "progress":
        left = f", {event.data['left_s']:.0f} s left" if event.data.get("left_s") is not None else ""
        progress(f"{event.data['done']} of {event.data['total']} photographs{left}")


def _print_report(run: str, report: dict[str, Any], gallery_path: str | None, as_json: bool) -> None:
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
