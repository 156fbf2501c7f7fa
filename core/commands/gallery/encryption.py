"""`gallery make-key`, `encrypt`, `change-key`, `decrypt`, `protection`: encryption on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.commands.shared.common import confirm_or_exit, example, open_gallery, user_path
from core.commands.shared.option_types import ActorOption, GalleryOption, JsonOption, YesOption
from core.commands.shared.printing import note, say, say_json
from core.system.text import count

KeyFile = Annotated[str, typer.Argument(metavar="KEYFILE", help="A key that `gallery make-key` made.")]


def add_to(group: typer.Typer) -> None:
    group.command("make-key", epilog=example("gallery make-key ~/.edgeface.key"))(make_key)
    group.command("encrypt", epilog=example("gallery encrypt ~/.edgeface.key"))(encrypt)
    group.command("change-key", epilog=example("gallery change-key ~/.edgeface-2.key"))(change_key)
    group.command("decrypt", epilog=example("gallery decrypt"))(decrypt)
    group.command("protection", epilog=example("gallery protection"))(protection)


def make_key(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The new key file; only you can read it.")],
) -> None:
    """Make a key. Keep a copy of it elsewhere: without it nobody can read what was encrypted with it."""
    from core.gallery.keys import KEY_FILE_VARIABLE, new_key, write_key_file

    path, key = user_path(file).absolute(), new_key()
    write_key_file(path, key)
    say(f"Wrote the key {key.fingerprint} to {path}.")
    note(f"Set {KEY_FILE_VARIABLE}={path} wherever the gallery is used, then: edgeface-studio gallery encrypt {path}")


def encrypt(key_file: KeyFile, gallery_path: GalleryOption = None, actor: ActorOption = "local") -> None:
    """Encrypt names, notes, vectors and pictures. Search is as fast as before once the gallery is open. Earlier
    backups and exports stay unencrypted, and are listed."""
    from core.gallery.backup import list_backups
    from core.gallery.encryption import encrypt as encrypt_with
    from core.gallery.keys import read_key_file

    path = user_path(key_file)
    key = read_key_file(path)
    with open_gallery(gallery_path) as gallery:
        encrypt_with(gallery, key, actor=actor)
        plain = [each.path.name for each in list_backups(gallery.path) if not each.protection.encrypted]
    say(f"Encrypted with the key {key.fingerprint}.")
    _note_key_file(path)
    if plain:
        note(f"Not encrypted, and still there: {', '.join(plain)}. Make a backup, then delete them.")


def change_key(key_file: KeyFile, gallery_path: GalleryOption = None, actor: ActorOption = "local") -> None:
    """Encrypt everything again with another key. The present key comes from the environment; backups keep theirs."""
    from core.gallery.encryption import change_key as change
    from core.gallery.keys import read_key_file

    path = user_path(key_file)
    key = read_key_file(path)
    with open_gallery(gallery_path) as gallery:
        change(gallery, key, actor=actor)
    say(f"Encrypted with the key {key.fingerprint} now.")
    _note_key_file(path)
    note("Backups made before need the earlier key: keep it as long as you keep them.")


def decrypt(yes: YesOption = False, gallery_path: GalleryOption = None, actor: ActorOption = "local") -> None:
    """Store everything unencrypted again. The key comes from the environment."""
    from core.gallery.encryption import decrypt as decrypt_all

    with open_gallery(gallery_path) as gallery:
        confirm_or_exit(f"Store {count(gallery.size, 'person', 'people')} unencrypted?", "Nothing was changed.", yes)
        decrypt_all(gallery, actor=actor)
    say("The gallery isn't encrypted any more.")


def protection(gallery_path: GalleryOption = None, as_json: JsonOption = False) -> None:
    """Show whether the gallery is encrypted, and the fingerprint of its key."""
    from core.gallery.encryption import protection_of, unused_key

    with open_gallery(gallery_path) as gallery:
        state, people, unused = protection_of(gallery), gallery.size, unused_key(gallery)
    given = "" if unused is None else unused.fingerprint
    if as_json:
        facts = {"encrypted": state.encrypted, "key": state.fingerprint, "since": state.since, "unused_key": given}
        say_json({**facts, "people": people})
    elif state.encrypted:
        say(f"Encrypted with the key {state.fingerprint} since {state.since:%Y-%m-%d %H:%M} UTC.")
    elif given:
        say(f"Not encrypted, although the key {given} is set: the gallery is older than the key.")
        say("Encrypt it with edgeface-studio gallery encrypt FILE.")
    else:
        say("Not encrypted. Make a key with edgeface-studio gallery make-key FILE.")


def _note_key_file(path: Path) -> None:
    from core.gallery.keys import KEY_FILE_VARIABLE

    note(
        f"From now on every program needs the key: {KEY_FILE_VARIABLE}={path.absolute()}. Keep a copy of it elsewhere."
    )
