"""`gallery`: list, show, rename, remove, export and import enrolled people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.shared.common import UsageMistake, confirm_or_exit, example, open_gallery, user_path
from core.commands.shared.option_types import (
    ActorOption,
    GalleryOption,
    JsonOption,
    TtaOption,
    WeightsOption,
    YesOption,
)
from core.commands.shared.printing import note, say, say_audit, say_json, say_result, say_table
from core.settings import load_settings
from core.system.text import count

if TYPE_CHECKING:
    from core.gallery.records import Identity, Space
    from core.gallery.store import Gallery

group = typer.Typer(
    help="The people who are enrolled: list, show, rename, remove, export, import.",
    epilog=example("gallery list", "gallery show 'Ada Lovelace'"),
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The person's name; case doesn't matter.")]
_PT = (".pt", ".pth")


def add_to(app: typer.Typer) -> None:
    from core.commands.gallery import backup, encryption, reembed
    from core.commands.gallery import people as gallery_people

    for part in (gallery_people, backup, encryption, reembed):
        part.add_to(group)
    app.add_typer(group, name="gallery")


@group.command("list", epilog=example("gallery list", "gallery list --search ada --json"))
def list_people(
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only names that contain this.")] = "",
    gallery_path: GalleryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List everybody who is enrolled, with the number of photographs."""
    with open_gallery(gallery_path) as gallery:
        people = gallery.identities(search)
    if as_json:
        say_json([_facts(person) for person in people])
        return
    say_table(
        ("name", "photographs", "templates", "crops", "enrolled", "note"),
        [
            (p.name, p.photographs, p.templates, "yes" if p.has_crops else "no", f"{p.enrolled_at:%Y-%m-%d}", p.note)
            for p in people
        ],
    )
    say(f"{count(len(people), 'person', 'people')}.")


@group.command("show", epilog=example("gallery show 'Ada Lovelace'"))
def show(name: NameArgument, gallery_path: GalleryOption = None, as_json: JsonOption = False) -> None:
    """Show one person: every stored template with its source, size and weights."""
    with open_gallery(gallery_path) as gallery:
        person = gallery.identity(name)
        templates = gallery.templates(person.id)
    if as_json:
        stored = [
            {
                "id": t.id,
                "source": t.source,
                "kind": t.kind,
                "size_px": t.size_px,
                "probe_px": round(t.probe_px, 1),
                "recognisability": None if t.recognisability is None else round(t.recognisability, 3),
                "added_at": t.added_at.isoformat(),
                "crop": t.crop is not None,
                "encoder": t.space.encoder_name,
                "weights_sha256": t.space.weights_sha256,
                "upscaler": t.space.upscaler,
                "flip_tta": t.space.flip_tta,
            }
            for t in templates
        ]
        say_json({**_facts(person), "stored": stored})
        return
    say(f"{person.name}, enrolled {person.enrolled_at:%Y-%m-%d}{f': {person.note}' if person.note else ''}")
    say_table(
        ("id", "source", "kind", "probe", "recognisability", "crop", "encoder", "flip", "added"),
        [
            (
                t.id,
                t.source,
                t.kind,
                f"{t.probe_px:.0f} px",
                "-" if t.recognisability is None else f"{t.recognisability:.2f}",
                "yes" if t.crop is not None else "no",
                t.space.encoder_name,
                "yes" if t.space.flip_tta else "no",
                f"{t.added_at:%Y-%m-%d}",
            )
            for t in templates
        ],
    )


@group.command("rename", epilog=example("gallery rename 'Ada Lovelace' 'Ada King'"))
def rename(
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="The person's new name.")],
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Rename a person; the earlier name is erased from the file."""
    with open_gallery(gallery_path) as gallery:
        person = gallery.rename(name, new_name, actor=actor)
    say_result(_facts(person), f"Renamed to {person.name}.", as_json)


@group.command("remove", epilog=example("gallery remove 'Ada Lovelace'", "gallery remove 'Ada Lovelace' --yes"))
def remove(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="People to remove: all of them, or none if one isn't known.")
    ],
    yes: YesOption = False,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
) -> None:
    """Remove people permanently with all their templates and crops; no trace stays in the file."""
    with open_gallery(gallery_path) as gallery:
        people = list({person.id: person for person in map(gallery.identity, names)}.values())
        listed = ", ".join(person.name for person in people)
        templates = sum(person.templates for person in people)
        confirm_or_exit(f"Remove {listed} ({count(templates, 'template')}) for good?", "Nothing was removed.", yes)
        gallery.remove(*(person.id for person in people), actor=actor)
    say(f"Removed {listed}.")


@group.command("export", epilog=example("gallery export people.efgallery", "gallery export my_gallery.pt"))
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write. A .pt file holds names and embeddings.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only this person; may be repeated.")
    ] = None,
    no_crops: Annotated[bool, typer.Option("--no-crops", help="Leave out the crops of faces.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask at the terminal.")] = False,
    weights: WeightsOption = None,
    use_tta: TtaOption = False,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
) -> None:
    """Write the gallery to one portable file with a checksum. It holds biometric data and isn't encrypted."""
    from core.gallery.transfer import export_gallery, write_embeddings_pt

    target = user_path(file)
    with open_gallery(gallery_path) as gallery:
        if not yes and sys.stdin.isatty():
            confirm_or_exit(f"{_holds(gallery, only, no_crops, target.suffix)} Go on?", "Nothing was written.")
        if target.suffix.lower() in _PT:
            if only:
                raise UsageMistake("A .pt file holds everybody.", "Drop --only, or export to another ending.")
            count = write_embeddings_pt(gallery, _space(weights, use_tta), target)
            say(f"Wrote {file}: {count} names and embeddings of the weights in use, unencrypted.")
            return
        report = export_gallery(gallery, target, names=only or None, include_crops=not no_crops, actor=actor)
    say(f"Wrote {file}. {report.text}")


@group.command("import", epilog=example("gallery import people.efgallery", "gallery import my_gallery.pt"))
def import_file(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file that `gallery export` wrote, or a .pt file.")],
    on_conflict: Annotated[
        Literal["skip", "add", "rename", "error"],
        typer.Option("--on-conflict", help="What to do when a name is taken."),
    ] = "skip",
    weights: WeightsOption = None,
    use_tta: TtaOption = False,
    gallery_path: GalleryOption = None,
    actor: ActorOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Import people from a file: it is checked first, then imported completely or not at all.

    A .pt file of names and embeddings doesn't say which weights made them: they are assumed to come from those in use.
    """
    from core.gallery.transfer import import_embeddings_pt, import_gallery

    source = user_path(file)
    if not source.is_file():
        raise UsageMistake(f"There is no file {source} to import.", "Check the path.")
    space = _space(weights, use_tta) if source.suffix.lower() in _PT else None
    with open_gallery(gallery_path, create=True) as gallery:
        if space is not None:
            report = import_embeddings_pt(gallery, source, space=space, on_conflict=on_conflict, actor=actor)
        else:
            report = import_gallery(gallery, source, on_conflict=on_conflict, actor=actor)
    if as_json:
        say_json(vars(report))
        return
    if space is not None:
        note(f"The embeddings are assumed to come from {space.encoder_name}.")
    say(report.text)


@group.command("audit", epilog=example("gallery audit --limit 20"))
def audit(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many entries, newest first.")] = 50,
    gallery_path: GalleryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what and when. The trail holds people's numbers, not their names."""
    with open_gallery(gallery_path) as gallery:
        entries = gallery.audit(limit)
    say_audit(entries, ("when (UTC)", "actor", "event", "person"), "identity_id", as_json)


@group.command("tidy", epilog=example("gallery tidy"))
def tidy(gallery_path: GalleryOption = None) -> None:
    """Rewrite the file without traces of removed people. Removing does this itself unless another program keeps the
    file busy. On a server, a large gallery's search index is built again, which removing leaves out."""
    with open_gallery(gallery_path) as gallery:
        gallery.tidy(whole=True)
    say("Done: the gallery holds no trace of removed people.")


def _holds(gallery: Gallery, only: list[str] | None, no_crops: bool, suffix: str) -> str:
    """A sentence that says what the file will hold."""
    people = len({gallery.identity(name).id for name in only}) if only else len(gallery.identities())
    crops = "" if no_crops or suffix.lower() in _PT else " and pictures of their faces"
    return f"The file will hold names and biometric numbers of {count(people, 'person', 'people')}{crops}, unencrypted."


def _facts(person: Identity) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "note": person.note,
        "enrolled_at": person.enrolled_at.isoformat(),
        "photographs": person.photographs,
        "templates": person.templates,
        "has_crops": person.has_crops,
    }


def _space(weights: str | None, use_tta: bool) -> Space:
    """The space of weights and the upscaler in use, read from the file alone where it is an official one."""
    from core.models.active import space_beside
    from core.models.encoders import describe, resolve_weights
    from core.models.upscalers import upscaler_for

    settings = load_settings()
    file = describe(resolve_weights(settings, weights))
    upscaler = upscaler_for(settings, file)
    if file.official is not None:
        name = file.official.name
    else:
        from core.encoder.weights import load_state

        name = load_state(file.path).variant.name
    return space_beside(name, file.sha256, upscaler, flip_tta=use_tta)
