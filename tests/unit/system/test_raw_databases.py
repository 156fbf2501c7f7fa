"""Databases as files: their headers, bytes, permissions and deletion."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gallery import Gallery
from core.system import sqlite_files


def test_a_new_database_is_its_owners_alone(tmp_path: Path):
    path = tmp_path / "new.db"
    earlier = os.umask(0)
    try:
        with closing(sqlite_files.connect(path, wait_s=1)) as connection:
            connection.execute("CREATE TABLE t(x)")
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_header_is_read_without_leaving_anything(tmp_path: Path):
    path = tmp_path / "a b?#%.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA application_id = 7")
        connection.execute("PRAGMA user_version = 3")
    assert sqlite_files.read_header(path) == sqlite_files.Header(7, 3)
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "empty.db").touch()
    assert sqlite_files.read_header(tmp_path / "empty.db") is None
    assert sqlite_files.read_header(tmp_path / "missing.db") is None
    (tmp_path / "text.db").write_text("hello" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite_files.read_header(tmp_path / "text.db")
    assert [sqlite_files.is_database(tmp_path / name) for name in ("a b?#%.db", "text.db", "missing.db")] == [
        True,
        False,
        False,
    ]


@given(st.integers(1, 40), st.integers(0, 39), st.binary(min_size=1, max_size=300))
def test_pieces_overlap_and_leave_nothing_out(size: int, overlap: int, content: bytes):
    overlap = min(overlap, size - 1)
    path = Path(os.environ["EDGEFACE_DATA_DIR"]) / "raw.db"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    pieces = list(sqlite_files.raw_chunks(path, size, overlap))
    assert pieces[0] + b"".join(piece[overlap:] for piece in pieces[1:]) == content
    assert all(len(piece) <= size for piece in pieces)
    found = content[len(content) // 2 :][: overlap + 1]
    assert any(found in piece for piece in pieces)


def test_a_deleted_databases_descriptor_is_let_go(tmp_path: Path):
    for number in range(5):
        path = tmp_path / f"{number}.db"
        path.write_bytes(b"x")
        list(sqlite_files.raw_chunks(path))
        path.unlink()
    (tmp_path / "last.db").write_bytes(b"x")
    list(sqlite_files.raw_chunks(tmp_path / "last.db"))
    held = [os.fstat(descriptor).st_nlink for descriptor in sqlite_files._descriptors.values()]
    assert 0 not in held


def test_a_busy_cache_is_kept_and_a_damaged_one_goes_with_its_log(tmp_path: Path):
    from core.evaluation.vector_cache import embedding_cache

    store, key = embedding_cache(tmp_path), {"weights": "x"}
    store.write(key, {}, {})
    path = store.path(key)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    earlier, sqlite_files.CACHE_WAIT_S = sqlite_files.CACHE_WAIT_S, 0.1
    try:
        assert store.read(key, ["ab" * 32]) == {}
        assert path.exists(), "somebody is writing to it"
    finally:
        sqlite_files.CACHE_WAIT_S = earlier
        other.close()
    path.write_bytes(b"not a database" * 100)
    Path(f"{path}-wal").write_bytes(b"of the file before")
    assert store.read(key, ["ab" * 32]) == {}
    assert not path.exists() and not Path(f"{path}-wal").exists()


def test_a_file_that_takes_a_deleted_databases_place_on_the_disk_is_itself(tmp_path: Path):
    """Inodes are given again, often at once: what was a database may be a picture now."""
    path = tmp_path / "people.db"
    Gallery.open(path).close()
    identity = sqlite_files.identity_of(path)
    sqlite_files.remove_database(path)
    for number in range(50):
        other = tmp_path / f"{number}.txt"
        other.write_text("a text")
        assert not sqlite_files.is_open_here(other)
        if sqlite_files.identity_of(other) == identity:
            return
    pytest.skip("this file system gives no inode again soon")
