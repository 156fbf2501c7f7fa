"""`gallery backup`, `backups`, `restore`: copy a gallery that is in use, list the copies, restore one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import confirm_or_exit, example, gallery_place, open_gallery, user_path
from core.commands.shared.option_types import ActorOption, GalleryOption, JsonOption, YesOption
from core.commands.shared.printing import say, say_json, say_result, say_table
from core.settings import load_settings
from core.system.server_address import is_server
from core.system.text import count

if TYPE_CHECKING:
    from core.gallery.backup import Backup


def add_to(group: typer.Typer) -> None:
    group.command("backup", epilog=example("gallery backup", "gallery backup /media/safe/"))(backup)
    group.command("backups", epilog=example("gallery backups"))(backups)
    group.command(
        "restore",
        epilog=example("gallery restore gallery-20300101T120000Z.db", "gallery restore /media/safe/g.db --yes"),
    )(restore)


def backup(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="File or folder to write; default: the folder backups beside the gallery."
        ),
    ] = None,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Copy the gallery to one checked file while it is in use. The backup of an encrypted gallery is encrypted, too."""
    from core.gallery.backup import back_up

    with open_gallery(gallery_path) as gallery:
        made = back_up(gallery, None if target is None else user_path(target), actor=actor)
    if as_json:
        say_json(_facts(made))
        return
    kind = "encrypted" if made.protection.encrypted else "not encrypted"
    held = f"{count(made.people, 'person', 'people')}, {count(made.templates, 'template')}"
    say(f"Wrote {made.path}: {held}, {kind}, checked.")


def backups(gallery_path: GalleryOption = None, as_json: JsonOption = False) -> None:
    """List the backups beside the gallery, newest first."""
    from core.gallery.backup import list_backups

    found = list_backups(_in_file(gallery_path))
    if as_json:
        say_json([_facts(each) for each in found])
        return
    say_table(
        ("file", "made (UTC)", "people", "templates", "encrypted", "MB", "problem"),
        [
            (
                b.path.name,
                f"{b.made_at:%Y-%m-%d %H:%M:%S}",
                b.people,
                b.templates,
                "yes" if b.protection.encrypted else "no",
                f"{b.size_bytes / 1e6:.1f}",
                b.problem,
            )
            for b in found
        ],
    )
    say(f"{len(found)} {'backup' if len(found) == 1 else 'backups'}.")


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup: a path, or a name that `backups` lists.")],
    yes: YesOption = False,
    backup_key_file: Annotated[
        str | None,
        typer.Option("--backup-key-file", metavar="FILE", help="The backup's key, if it isn't the present one."),
    ] = None,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Restore the gallery from a backup. The backup is checked first, and the present gallery is backed up. People who
    were erased since stay erased, and the audit trail continues."""
    from core.gallery.backup import inspect_backup
    from core.gallery.backup import restore as restore_from
    from core.gallery.errors import GalleryUnreadable
    from core.gallery.keys import read_key_file
    from core.gallery.snapshot import backup_folder

    path = user_path(file)
    listed = backup_folder(_in_file(gallery_path)) / path.name
    if not path.exists() and listed.exists():
        path = listed
    found = inspect_backup(path)
    if found.problem:
        raise GalleryUnreadable(found.problem, "See edgeface-studio gallery backups.")
    key = None if backup_key_file is None else read_key_file(user_path(backup_key_file))
    with open_gallery(gallery_path, create=True) as gallery:
        people = count(found.people, "person", "people")
        asked = f"Put {people} of {found.made_at:%Y-%m-%d %H:%M} UTC in the place of {gallery.size}?"
        confirm_or_exit(asked, "Nothing was restored.", yes)
        done = restore_from(gallery, path, backup_key=key, actor=actor)
    say_result({**vars(done), "earlier": None if done.earlier is None else str(done.earlier)}, done.text, as_json)


def _in_file(gallery_path: str | None) -> Path:
    """The file of the gallery. Raises GalleryError for one on a server, which has none."""
    from core.gallery.backup import no_file

    place = gallery_place(load_settings(), gallery_path)
    if is_server(place):
        raise no_file(place)
    return Path(place)


def _facts(found: Backup) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "made_at": found.made_at.isoformat(),
        "people": found.people,
        "templates": found.templates,
        "format": found.format,
        "encrypted": found.protection.encrypted,
        "key": found.protection.fingerprint,
        "size_bytes": found.size_bytes,
        "problem": found.problem,
    }
