"""Database files are opened through SQLite only: what a process holds locked stays locked, whatever else it does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.access import access_db, trail
from core.errors import StorageFailed
from core.gallery import Gallery, NewTemplate, Space
from core.gallery.backup import back_up, inspect_backup, list_backups, restore
from core.gallery.encryption import encrypt, protection_of
from core.gallery.keys import Key
from core.gallery.transfer import export_bytes, export_gallery, import_gallery
from core.privacy.erasure import erase
from core.privacy.residue_scan import find_traces
from core.settings import load_settings
from core.system import sqlite_files
from tests.as_owner import AS_OWNER

ROOT = Path(__file__).resolve().parents[3]
SPACE = Space("x", "a" * 64, "bicubic", False)
linux = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system doesn't list its locks")


def template(seed: int) -> NewTemplate:
    return NewTemplate(np.roll(np.eye(512, dtype=np.float32)[0], seed), "hr", 112.0, crop=b"RIFF" + bytes(2000))


def locks_on(path: Path) -> int:
    """How many locks this process has on a file. A lock's line: "1: POSIX  ADVISORY  READ 123 fe:00:45 128 128"."""
    inode, mine = path.stat().st_ino, str(os.getpid())
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return sum(words[-4] == mine and words[-3].endswith(f":{inode}") for words in lines)


def elsewhere(code: str, *arguments: object) -> str:
    """What a Python process of its own prints; it ends well."""
    command = [sys.executable, "-c", AS_OWNER + code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    return run.stdout


ENROL = """
import sys
import numpy as np
from core.gallery import Gallery, NewTemplate, Space
row = np.roll(np.eye(512, dtype=np.float32)[0], int(sys.argv[3]))
with Gallery.open(sys.argv[1]) as gallery:
    gallery.enrol(sys.argv[2], [NewTemplate(row, "hr", 112.0)], space=Space("x", "a" * 64, "bicubic", False))
"""


def second(gallery: Gallery, folder: Path) -> None:
    Gallery.open(gallery.path).close()


def load(gallery: Gallery, folder: Path) -> None:
    with Gallery.open(gallery.path) as other:
        other.search(template(1).vector, SPACE)


def search_for_traces(gallery: Gallery, folder: Path) -> None:
    search = find_traces([folder], ["Ada"], [], home=folder)
    assert search.files and any(trace.path == gallery.path for trace in search.traces), (
        "the gallery holds Ada and is searched"
    )


def change(gallery: Gallery, folder: Path) -> None:
    gallery.rename("Ada", "Ada L")
    gallery.set_note("Ada L", "noted")
    gallery.remove("Bob")


CALLS: dict[str, Callable[[Gallery, Path], object]] = {
    "second connection": second,
    "search on a second connection": load,
    "search for traces": search_for_traces,
    "change": change,
    "tidy": lambda gallery, folder: gallery.tidy(),
    "header": lambda gallery, folder: sqlite_files.read_header(Path(gallery.path)),
    "database or not": lambda gallery, folder: sqlite_files.is_database(Path(gallery.path)),
    "raw bytes": lambda gallery, folder: b"".join(sqlite_files.raw_chunks(Path(gallery.path))),
    "look at": lambda gallery, folder: inspect_backup(Path(gallery.path)),
    "back up": lambda gallery, folder: back_up(gallery),
    "list backups": lambda gallery, folder: (back_up(gallery), list_backups(gallery.path)),
    "restore": lambda gallery, folder: restore(gallery, back_up(gallery).path),
    "export": lambda gallery, folder: export_gallery(gallery, folder / "people.efgallery"),
    "import": lambda gallery, folder: import_gallery(gallery, export_bytes(gallery)[0], on_conflict="rename"),
    "encrypt": lambda gallery, folder: encrypt(gallery, Key(b"k" * 32)),
    "protection": lambda gallery, folder: protection_of(gallery),
    "erase": lambda gallery, folder: erase(load_settings(), gallery, "Ada", from_backups=True),
}


@linux
@pytest.mark.parametrize("name", CALLS)
def test_no_call_drops_the_locks_of_an_open_gallery(name: str, own_data_dir: Path):
    path = own_data_dir / "gallery.db"
    with Gallery.open(path, keys=lambda: Key(b"k" * 32) if name == "encrypt" else None) as gallery:
        if name == "encrypt":
            pytest.importorskip("cryptography")
        if protection_of(gallery).encrypted:
            from core.gallery.encryption import decrypt

            decrypt(gallery)
        gallery.enrol("Ada", [template(1)], space=SPACE)
        gallery.enrol("Bob", [template(2)], space=SPACE)
        gallery.audit(1)
        shared = Path(f"{path}-shm")
        before = locks_on(path), locks_on(shared)
        assert before[0] > 0, "an open gallery holds a lock, or this test shows nothing"
        CALLS[name](gallery, own_data_dir)
        gallery.audit(1)
        assert (locks_on(path), locks_on(shared)) == before


@linux
def test_an_ordinary_read_does_drop_them(own_data_dir: Path):
    """What the tests above guard against: without it they would pass on any code."""
    path = own_data_dir / "gallery.db"
    with Gallery.open(path) as gallery:
        gallery.audit(1)
        assert locks_on(path) > 0
        path.read_bytes()
        assert locks_on(path) == 0


def test_what_a_command_enrols_is_seen_and_kept_by_an_open_dashboard(own_data_dir: Path):
    path = own_data_dir / "gallery.db"
    with Gallery.open(path) as page:
        page.enrol("Ada", [template(1)], space=SPACE)
        with Gallery.open(path) as pipeline:  # the dashboard's second connection
            pipeline.search(template(1).vector, SPACE)
        elsewhere("import sys; from core.gallery import Gallery; Gallery.open(sys.argv[1]).close()", path)
        page.rename("Ada", "Ada L")
        elsewhere(ENROL, path, "Bob", 2)
        assert [person.name for person in page.identities()] == ["Ada L", "Bob"]
        page.set_note("Ada L", "written after Bob")
        elsewhere(ENROL, path, "Cleo", 3)
        copy = back_up(page).path
        events = [(entry.event, entry.identity_id) for entry in reversed(page.audit(100))]
    names = elsewhere(
        "import sys; from core.gallery import Gallery\n"
        "with Gallery.open(sys.argv[1]) as g: print([p.name for p in g.identities()])",
        path,
    )
    assert names.strip() == "['Ada L', 'Bob', 'Cleo']"
    assert events == [
        ("enrolled", 1),
        ("renamed", 1),
        ("enrolled", 2),
        ("note changed", 1),
        ("enrolled", 3),
        ("backed up", None),
    ]
    for file in (path, copy):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@linux
def test_a_line_of_the_trail_keeps_the_lock_of_another_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(access_db, "WAIT_S", 0.1)
    settings = load_settings()
    trail.write_trail(settings, "first")
    with access_db.write_transaction(settings):
        before = locks_on(access_db.access_db_path(settings))
        assert before > 0
        with pytest.raises(StorageFailed):
            trail.write_trail(settings, "meanwhile")
        with access_db.read_connection(settings) as connection:
            assert connection is not None
            connection.execute("SELECT count(*) FROM trail").fetchone()
        assert locks_on(access_db.access_db_path(settings)) >= before


RECORD = """
import sys
from core.access.trail import write_trail
from core.settings import load_settings
for number in range(int(sys.argv[2])):
    write_trail(load_settings(), f"{sys.argv[1]} {number}")
"""


def test_two_processes_and_their_threads_lose_no_line_of_the_trail():
    settings, each = load_settings(), 15

    def write(name: str) -> None:
        for number in range(each):
            trail.write_trail(settings, f"{name} {number}")

    threads = [threading.Thread(target=write, args=(f"thread-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    elsewhere(RECORD, "other", each)
    for thread in threads:
        thread.join()
    written = {entry.event for entry in trail.read_trail(settings, 1000)}
    names = ["other", *(f"thread-{number}" for number in range(3))]
    assert written == {f"{name} {number}" for name in names for number in range(each)}
    with closing(sqlite3.connect(access_db.access_db_path(settings))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@linux
@pytest.mark.parametrize("reader", ["weights", "picture", "import", "embeddings"])
def test_a_gallery_named_where_another_file_belongs_is_refused_unopened(reader: str, own_data_dir: Path):
    from core.errors import CoreError
    from core.gallery.embeddings_pt import read_embeddings_pt
    from core.images import read_image
    from core.models.files import file_facts as look_at_weights

    path = own_data_dir / "people"  # no ending tells that it is a database
    readers: dict[str, Callable[[Path], object]] = {
        "weights": look_at_weights,
        "picture": read_image,
        "import": lambda p: import_gallery(Gallery.open(), p),
        "embeddings": read_embeddings_pt,
    }
    with Gallery.open(path) as gallery:
        gallery.audit(1)
        before = locks_on(path)
        with pytest.raises(CoreError, match="database"):
            readers[reader](path)
        assert locks_on(path) == before > 0
