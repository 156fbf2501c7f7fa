"""`gallery merge`, `erase`, `retention`, `purge`: merge and erase people, purge by age."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from core.commands.shared.common import confirm_or_exit, example, gallery_place, open_gallery
from core.commands.shared.option_types import ActorOption, GalleryOption, JsonOption, YesOption
from core.commands.shared.printing import say, say_json, say_result
from core.settings import load_settings
from core.system.server_address import may_be_there
from core.system.text import count


def add_to(group: typer.Typer) -> None:
    group.command("merge", epilog=example("gallery merge 'A. Lovelace' 'Ada Lovelace'"))(merge)
    group.command(
        "erase", epilog=example("gallery erase 'Ada Lovelace'", "gallery erase 'Ada Lovelace' --from-backups")
    )(erase)
    group.command("retention", epilog=example("gallery retention", "gallery retention --crops-days 90"))(retention)
    group.command("purge", epilog=example("gallery purge"))(purge)


def merge(
    gone: Annotated[str, typer.Argument(metavar="NAME", help="The entry to merge; its photographs move to INTO.")],
    into: Annotated[str, typer.Argument(metavar="INTO", help="The entry that stays.")],
    yes: YesOption = False,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
) -> None:
    """Merge two entries into one person. The first entry's name and note are erased from the file."""
    from core.gallery.identity_merge import merge_identities

    with open_gallery(gallery_path) as gallery:
        first, second = gallery.identity(gone), gallery.identity(into)
        confirm_or_exit(
            f"Move {count(first.templates, 'template')} of {first.name} to {second.name}?", "Nothing was merged.", yes
        )
        merged = merge_identities(gallery, first.id, second.id, actor=actor)
    say(f"Merged {first.name} into {second.name}: {count(len(merged.templates), 'template')} moved.")


def erase(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name; case doesn't matter.")],
    from_backups: Annotated[
        bool, typer.Option("--from-backups", help="Also erase from the backups beside the gallery.")
    ] = False,
    yes: YesOption = False,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Erase a person everywhere, search for remaining data, and report. Exits with 1 where something still holds, or
    may hold, the person.

    Templates, crops, cached embeddings, free pages and journals are erased. Listed are backups that still hold the
    person, files of the data folder that still hold the name, also in archives, and films and pictures, which can't be
    searched, with the way to remove them. Restoring a backup doesn't bring an erased person back.
    """
    from core.privacy.erasure import erase as erase_person

    with open_gallery(gallery_path) as gallery:
        person = gallery.identity(name)
        confirm_or_exit(
            f"Erase {person.name} ({count(person.templates, 'template')}) for good?", "Nothing was erased.", yes
        )
        report = erase_person(load_settings(), gallery, person.id, from_backups=from_backups, actor=actor)
    if as_json:
        say_json(report.facts())
    else:
        for line in report.text.splitlines():
            say(line)
    if not report.complete:
        raise typer.Exit(1)


def retention(
    crops_days: Annotated[
        int | None, typer.Option("--crops-days", metavar="DAYS", help="Days to keep crops of faces; 0: until removed.")
    ] = None,
    sightings_days: Annotated[
        int | None, typer.Option("--sightings-days", metavar="DAYS", min=1, help="Days to keep sightings.")
    ] = None,
    gallery_path: GalleryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show, or set, after how many days pictures and sightings are purged. The dashboard purges once an hour while it
    is used; `gallery purge` does it at once."""
    from core.privacy.retention import Retention, read_retention, write_retention
    from core.video.sightings import SightingRule, read_rule, write_rule

    settings = load_settings()
    if crops_days is not None:
        write_retention(settings, Retention(crops_days or None))
    times = read_retention(settings)
    rule = SightingRule()
    if sightings_days is not None or may_be_there(gallery_place(settings, gallery_path)):
        with open_gallery(gallery_path) as gallery:
            rule = read_rule(gallery)
            if sightings_days is not None:
                rule = replace(rule, retention_h=24.0 * sightings_days)
                write_rule(gallery, rule)
    if as_json:
        say_json({**vars(times), "sightings_kept": rule.kept, "sightings_days": rule.retention_h / 24})
        return
    said = "kept until removed" if times.crops_days is None else f"purged after {count(times.crops_days, 'day')}"
    say(f"Pictures of faces: {said}.")
    said = (
        f"purged after {rule.retention_h / 24:g} {'day' if rule.retention_h == 24 else 'days'}"
        if rule.kept
        else "not kept"
    )
    say(f"Sightings: {said}.")


def purge(gallery_path: GalleryOption = None, actor: ActorOption = "local", as_json: JsonOption = False) -> None:
    """Remove crops and sightings whose retention time has passed, without a trace."""
    from core.privacy.retention import purge as purge_now

    settings = load_settings()
    with open_gallery(gallery_path) as gallery:
        done = purge_now(settings, gallery, actor=actor)
    say_result([vars(one) for one in done], "; ".join(f"{one.count} {one.what} purged" for one in done) + ".", as_json)
