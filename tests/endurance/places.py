"""Where a process is killed: what it does until then, over and over, and what has to be true afterwards.

`work(folder, say)` never ends by itself; `say(word)` acknowledges. `check(folder, said)` gets what was acknowledged.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np

from core.gallery import Gallery, NewTemplate, Space
from core.gallery.backup import back_up, inspect_backup, restore
from core.gallery.encryption import change_key
from core.gallery.identity_merge import merge_identities, undo
from core.gallery.keys import Key
from core.gallery.schema import MIGRATIONS, migrate
from core.gallery.transfer import export_bytes, import_gallery
from core.privacy.erasure import erase
from core.settings import load_settings

SPACE = Space("x", "a" * 64, "bicubic", False)
KEYS = (Key(b"a" * 32), Key(b"b" * 32))
CROP = b"RIFF" + bytes(3000)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """`most` is how many acknowledgements are waited for, at random, before the kill; `within_s` how long after."""

    name: str
    prepare: Callable[[Path], None]
    work: Callable[[Path, Say], None]
    check: Callable[[Path, Sequence[str]], None]
    most: int = 4
    within_s: float = 0.05


def templates(seed: int, number: int = 2) -> list[NewTemplate]:
    rows = np.random.default_rng(seed).normal(size=(number, 512))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return [
        NewTemplate(row, "hr", 112.0, crop=CROP + f"{seed}-{n}".encode(), source=f"{seed}-{n}.jpg")
        for n, row in enumerate(rows)
    ]


def opened(folder: Path, key: int = 0) -> Gallery:
    return Gallery.open(folder / "gallery.db", keys=lambda: KEYS[key], wait_s=60)


def whole(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{path} is damaged"
        assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
    finally:
        connection.close()


def fill(folder: Path, people: int) -> None:
    with opened(folder) as gallery:
        for number in range(people):
            gallery.enrol(f"person {number}", templates(number), space=SPACE)


def nothing(folder: Path) -> None:
    pass


# Enrolment ----------------------------------------------------------------------------------------------------------


def enrol(folder: Path, say: Say) -> None:
    with opened(folder) as gallery:
        for number in count(gallery.size):
            gallery.enrol(f"person {number}", templates(number), space=SPACE)
            say(f"person {number}")


def enrolled(folder: Path, said: Sequence[str]) -> None:
    whole(folder / "gallery.db")
    with opened(folder) as gallery:
        people = gallery.identities()
        assert set(said) <= {person.name for person in people}, "an acknowledged enrolment is lost"
        assert {person.templates for person in people} <= {2}
        assert len(gallery.names_in(SPACE)) == len(people)


# Merge and its undoing ----------------------------------------------------------------------------------------------


def merge(folder: Path, say: Say) -> None:
    with opened(folder) as gallery:
        for number in count(max(person.id for person in gallery.identities()) + 100):
            people = [person.id for person in gallery.identities()]
            if len(people) < 4:  # kills amid merges leave fewer and fewer
                # A number that no template has: one that was merged away keeps its templates, not its name.
                seed = 1 + max(int(source.partition("-")[0]) for source in sources_in(gallery))
                gallery.enrol(f"person {seed}", templates(seed), space=SPACE)
                continue
            change = merge_identities(gallery, people[number % len(people)], people[(number + 1) % len(people)])
            say("merged")
            undo(gallery, change)
            say("undone")


def sources_in(gallery: Gallery) -> list[str]:
    """Where every template came from: no two from one place."""
    return [each.source for person in gallery.identities() for each in gallery.templates(person.id)]


def merged(folder: Path, said: Sequence[str]) -> None:
    whole(folder / "gallery.db")
    with opened(folder) as gallery:
        sources = sources_in(gallery)
        assert len(sources) == len(set(sources)), "a template is there twice"
        assert {f"{seed}-{n}.jpg" for seed in range(8) for n in range(2)} <= set(sources), "a template is lost"


# Import -------------------------------------------------------------------------------------------------------------


def prepare_import(folder: Path) -> None:
    with Gallery.open() as gallery:
        for number in range(20):
            gallery.enrol(f"person {number}", templates(number), space=SPACE)
        (folder / "people.efgallery").write_bytes(export_bytes(gallery)[0])


def bring_in(folder: Path, say: Say) -> None:
    content = (folder / "people.efgallery").read_bytes()
    with opened(folder) as gallery:
        while True:
            import_gallery(gallery, content, on_conflict="rename")
            say("imported")


def imported(folder: Path, said: Sequence[str]) -> None:
    whole(folder / "gallery.db")
    with opened(folder) as gallery:
        people = gallery.identities()
        assert len(people) % 20 == 0, "half an import is there"
        assert len(people) >= 20 * len(said), "an acknowledged import is lost"
        assert {person.templates for person in people} <= {2}


# Migration ----------------------------------------------------------------------------------------------------------


def prepare_migration(folder: Path) -> None:
    connection = sqlite3.connect(folder / "old", isolation_level=None)
    migrate(connection, datetime.now(UTC), MIGRATIONS[:1])
    for number in range(1, 6):
        connection.execute(
            "INSERT INTO identity VALUES (?, ?, ?, '', '2030-01-01T00:00:00+00:00', 0)",
            (number, f"person {number}", f"person {number}"),
        )
    connection.close()


def migrate_copies(folder: Path, say: Say) -> None:
    first = sum(1 for _ in folder.glob("copy-*"))
    for number in count(first):
        place = folder / f"copy-{number}"
        place.mkdir()
        shutil.copy(folder / "old", place / "gallery.part")
        (place / "gallery.part").rename(place / "gallery.db")
        opened(place).close()
        say(place.name)


def migrated(folder: Path, said: Sequence[str]) -> None:
    for path in sorted(folder.glob("copy-*/gallery.db")):
        kept = [inspect_backup(each) for each in path.parent.glob("backups/*.db")]
        assert all((each.format, each.people, each.problem) == (1, 5, "") for each in kept)
        if path.parent.name in said:
            assert len(kept) == 1, "it was migrated without a backup"
        with Gallery.open(path) as gallery:
            assert gallery.size == 5
        whole(path)
    for place in folder.glob("copy-*"):
        shutil.rmtree(place)


# Backup and restore -------------------------------------------------------------------------------------------------


def prepare_restore(folder: Path) -> None:
    fill(folder, 4)
    with opened(folder) as gallery:
        back_up(gallery, folder / "four.db")
        for number in range(4, 12):
            gallery.enrol(f"person {number}", templates(number), space=SPACE)
        back_up(gallery, folder / "twelve.db")


def go_back(folder: Path, say: Say) -> None:
    with opened(folder) as gallery:
        while True:
            for name in ("four", "twelve"):
                say(f"{restore(gallery, folder / f'{name}.db').people}")


def restored(folder: Path, said: Sequence[str]) -> None:
    whole(folder / "gallery.db")
    with opened(folder) as gallery:
        people = gallery.identities()
        assert len(people) in (4, 12), f"half a restore is there: {len(people)} people"
        assert {len(gallery.templates(person.id)) for person in people} == {2}
    for path in sorted((folder / "backups").glob("*.db")):
        assert inspect_backup(path).problem == "", f"half a backup is there: {inspect_backup(path).problem}"
        path.unlink()


# Key change ---------------------------------------------------------------------------------------------------------


def prepare_keys(folder: Path) -> None:
    fill(folder, 12)


def change_keys(folder: Path, say: Say) -> None:
    now = key_of(folder)
    with opened(folder, now) as gallery:
        while True:
            now = 1 - now
            change_key(gallery, KEYS[now])
            say(f"{now}")


def key_of(folder: Path) -> int:
    found = inspect_backup(folder / "gallery.db").protection.fingerprint
    return [key.fingerprint for key in KEYS].index(found)


def changed(folder: Path, said: Sequence[str]) -> None:
    connection = sqlite3.connect(folder / "gallery.db")  # what the journal holds goes into the file
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole(folder / "gallery.db")
    with opened(folder, key_of(folder)) as gallery:
        assert {len(gallery.templates(person.id)) for person in gallery.identities()} == {2}
        assert gallery.size == 12 == len(gallery.names_in(SPACE))


# Erasure ------------------------------------------------------------------------------------------------------------


def enrol_and_erase(folder: Path, say: Say) -> None:
    settings = load_settings({"EDGEFACE_DATA_DIR": str(folder)})
    with Gallery.open(settings.gallery_path, keys=lambda: None, wait_s=60) as gallery:
        for number in count(len(gallery.audit(10**6))):
            gallery.enrol(f"Passer-by-{number}-", templates(number), space=SPACE)
            assert erase(settings, gallery, f"Passer-by-{number}-").complete
            say(f"Passer-by-{number}-")


def erased(folder: Path, said: Sequence[str]) -> None:
    raw = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(name.encode() in raw for name in said), "an erased name is found"
    whole(folder / "gallery.db")
    with Gallery.open(folder / "gallery.db", keys=lambda: None) as gallery:
        assert gallery.size <= 1 and not {person.name for person in gallery.identities()} & set(said)


GALLERY_PLACES = (
    Place("enrolment", nothing, enrol, enrolled, most=12, within_s=0.02),
    Place("merge", lambda folder: fill(folder, 8), merge, merged),
    Place("import", prepare_import, bring_in, imported, most=3),
    Place("migration", prepare_migration, migrate_copies, migrated),
    Place("backup and restore", prepare_restore, go_back, restored, most=3, within_s=0.2),
    Place("key change", prepare_keys, change_keys, changed),
    Place("erasure", nothing, enrol_and_erase, erased, most=3),
)
