"""What opens as a gallery and what doesn't: a file that isn't ours is never touched; migrations run once and whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.errors import CoreError, StorageFailed
from core.gallery import Gallery, GalleryBusy, GalleryError, GalleryNewer, GalleryUnreadable
from core.gallery.schema import APPLICATION_ID, MIGRATIONS, Migration, migrate, user_version
from tests.as_owner import AS_OWNER

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def sqlite_file(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"hello", GalleryUnreadable),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 5000, GalleryUnreadable),
        (b"SQLite format 3\x00", GalleryUnreadable),
        (b"SQLite format 3\x00" + b"\xff" * 5000, GalleryUnreadable),
    ],
)
def test_what_is_no_gallery_is_refused_and_left_alone(path, content, error):
    path.write_bytes(content)
    with pytest.raises(error) as caught:
        Gallery.open(path)
    assert caught.value.next_step
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def test_a_database_of_another_programme_is_left_alone(path):
    sqlite_file(path, "PRAGMA journal_mode = WAL", "CREATE TABLE identity(id)", "INSERT INTO identity VALUES (1)")
    before = path.read_bytes()
    with pytest.raises(GalleryUnreadable, match="another program"):
        Gallery.open(path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_a_newer_gallery_is_left_alone(path, space, person, templates):
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
    sqlite_file(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(GalleryNewer, match="newer"):
        Gallery.open(path)
    assert path.read_bytes() == before


def test_a_folder_is_no_gallery(tmp_path):
    with pytest.raises(GalleryUnreadable, match="folder"):
        Gallery.open(tmp_path)


def test_a_path_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageFailed):
        Gallery.open(tmp_path / "file" / "gallery.db")


def test_opening_can_leave_out_making(path):
    with pytest.raises(GalleryUnreadable, match="no gallery"):
        Gallery.open(path, create=False)
    assert not path.exists()
    Gallery.open(path).close()
    Gallery.open(path, create=False).close()


def test_an_empty_file_becomes_a_gallery_and_folders_are_made(tmp_path):
    (tmp_path / "empty.db").touch()
    for path in (tmp_path / "empty.db", tmp_path / "a" / "b" / "new.db"):
        Gallery.open(path).close()
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_damage_is_said_in_words(path, space, person, templates):
    with Gallery.open(path) as gallery:
        for number in range(20):
            gallery.enrol(f"p{number}", templates(person(number)), space=space)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(GalleryUnreadable, match="damaged"), Gallery.open(path) as gallery:
        gallery.search(person(1), space)
    path.write_bytes(content[:5000])
    with pytest.raises(CoreError), Gallery.open(path) as gallery:
        gallery.identities()


def test_migrations_have_names_and_run_once(path):
    connection = sqlite3.connect(path, isolation_level=None)
    steps = [*MIGRATIONS, Migration("add a colour", ("ALTER TABLE identity ADD COLUMN colour TEXT",))]
    assert migrate(connection, NOW, MIGRATIONS) == [step.name for step in MIGRATIONS]
    assert migrate(connection, NOW, steps) == ["add a colour"]
    assert migrate(connection, NOW, steps) == []
    assert user_version(connection) == len(steps)
    recorded = connection.execute("SELECT version, name, applied_at FROM migration ORDER BY version").fetchall()
    assert recorded[-1] == (len(steps), "add a colour", NOW.isoformat())
    connection.close()


def test_a_migration_that_fails_leaves_everything_as_it_was(path, space, person, templates):
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
    connection = sqlite3.connect(path, isolation_level=None)
    broken = [*MIGRATIONS, Migration("broken", ("DROP TABLE audit", "CREATE TABLE audit(", "SELECT 1"))]
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, NOW, broken)
    connection.close()
    with Gallery.open(path) as gallery:
        assert gallery.identity("Ada").templates == 3 and len(gallery.audit()) == 1


def test_templates_of_an_earlier_gallery_have_no_recognisability_and_the_same_means(path, space, person, templates):
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        before = gallery.index(space).matrix
    sqlite_file(
        path,
        "ALTER TABLE template DROP COLUMN recognisability",
        "DELETE FROM migration WHERE name = 'recognisability of templates'",
        f"PRAGMA user_version = {len(MIGRATIONS) - 1}",
    )
    with Gallery.open(path) as gallery:
        assert [each.recognisability for each in gallery.templates("Ada")] == [None] * 3
        assert np.array_equal(gallery.index(space).matrix, before)
    assert (path.parent / "backups" / f"gallery-format-{len(MIGRATIONS) - 1}.db").is_file()


def test_every_name_of_a_migration_is_its_own():
    names = [step.name for step in MIGRATIONS]
    assert len(set(names)) == len(names) and all(names)


def test_a_lock_held_by_another_programme_is_waited_for_then_said(path, space, person, templates):
    with Gallery.open(path, wait_s=0.2) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryBusy):
            gallery.enrol("Bob", templates(person(2)), space=space)
        assert gallery.search(person(1), space)[0][0].name == "Ada", "reading goes on"
        other.execute("ROLLBACK")
        other.close()
        assert gallery.enrol("Bob", templates(person(2)), space=space).templates == 3


def test_a_reader_in_the_way_of_erasing_is_said(path, space, person, templates):
    with Gallery.open(path, wait_s=0.2) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM identity").fetchone()
        with pytest.raises(GalleryBusy, match="gone from the gallery, but traces"):
            gallery.remove("Ada")
        assert gallery.size == 0
        other.close()
        gallery.tidy()
        files = [path, path.with_name("gallery.db-wal")]
        assert not any(b"Ada" in file.read_bytes() for file in files)


def test_a_closed_gallery_says_so(gallery):
    gallery.close()
    gallery.close()
    with pytest.raises(GalleryError, match="closed"):
        gallery.identities()


def test_a_gallery_put_back_from_a_copy_is_noticed(path, space, person, templates):
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        gallery.search(person(1), space)
        copy = path.with_name("copy.db")
        with Gallery.open(copy) as other:
            other.enrol("Bob", templates(person(2)), space=space)
        gallery.tidy()
        copy.replace(path)
        assert gallery.names_in(space) == ["Bob"]
        path.unlink()
        gallery.enrol("Cyd", templates(person(3)), space=space)
        assert gallery.names_in(space) == ["Cyd"]
    with Gallery.open(path, create=False) as again:
        assert [identity.name for identity in again.identities()] == ["Cyd"]


FULL_DISK = """
import resource, sys
import numpy as np
from core.errors import CoreError
from core.gallery import Gallery, NewTemplate, Space
space = Space("x", "a" * 64, "bicubic", False)
rows = np.random.default_rng(0).normal(size=(400, 512))
rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
with Gallery.open(sys.argv[1]) as gallery:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    done = 0
    try:
        for number, row in enumerate(rows):
            gallery.enrol(f"p{number}", [NewTemplate(row, "hr", 112.0)], space=space)
            done += 1
    except CoreError as error:
        print(type(error).__name__, done, gallery.size, len(gallery.search(row, space)[0]))
"""


def test_a_disk_that_is_full_loses_nothing(path):
    """The system's own limit on file sizes stands for a full disk: SQLite sees a write that fails half way."""
    run = subprocess.run(
        [sys.executable, "-c", AS_OWNER + FULL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    name, done, size, found = run.stdout.split()
    assert name == "StorageFailed" and int(done) == int(size) > 5 and found == "5", run.stderr
    with Gallery.open(path) as gallery:
        assert gallery.size == int(done)
        with gallery.database.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


READ_ONLY = """
import os, sys
import numpy as np
from core.errors import CoreError
from core.gallery import Gallery, NewTemplate, Space
space = Space("x", "a" * 64, "bicubic", False)
rows = np.eye(512, dtype=np.float32)
if os.geteuid() == 0:
    os.setuid(65534)  # permissions mean nothing to root
with Gallery.open(sys.argv[1] + "/g.db") as gallery:
    gallery.enrol("Ada", [NewTemplate(rows[0], "hr", 112.0)], space=space)
os.chmod(sys.argv[1] + "/g.db", 0o400)
with Gallery.open(sys.argv[1] + "/g.db") as gallery:
    print(gallery.search(rows[:1], space)[0][0].name)
    try:
        gallery.enrol("Bob", [NewTemplate(rows[1], "hr", 112.0)], space=space)
    except CoreError as error:
        print(type(error).__name__, gallery.size)
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of this system are others")
def test_a_read_only_file_can_be_searched_but_not_changed():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = [sys.executable, "-c", AS_OWNER + READ_ONLY, folder]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.stdout.split() == ["Ada", "StorageFailed", "1"], run.stderr


def test_a_copy_of_the_file_alone_is_whole(path, space, person, templates):
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        copy = path.with_name("copy.db")
        shutil.copy(path, copy)
        gallery.enrol("Bob", templates(person(2)), space=space)
        with Gallery.open(copy) as other:
            assert other.names_in(space) == ["Ada"]
        copy.replace(path)
        assert gallery.names_in(space) == ["Ada"], "put back under a running programme, it is as it was"
        assert gallery.enrol("Cyd", templates(person(3)), space=space).id == 2


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE template SET vector = zeroblob(2048)",
        "UPDATE template SET vector = x'00'",
        "UPDATE template SET vector = cast(replace(hex(zeroblob(256)), '00', 'ÿÿÿÿ') AS BLOB)",
        "UPDATE identity SET name = cast(x'ff' AS TEXT)",
        "UPDATE identity SET enrolled_at = 'yesterday'",
    ],
)
def test_content_that_cannot_be_right_is_damage(path, space, person, templates, damage):
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
    sqlite_file(path, damage)
    with Gallery.open(path) as gallery, pytest.raises(GalleryUnreadable, match="damaged"):
        gallery.search(person(1), space)
        gallery.identities()
