"""Only named places open files near databases, and one module connects to them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


OPENS = re.compile(r"(?<![\w.])open\(|\.open\(|read_bytes\(|os\.open\(|copyfile|shutil\.copy|mmap\.mmap|file_digest")


"""How a file is opened by ordinary means."""


NOT_DATABASES = {
    ("core/gallery/embeddings_pt.py", "return path.read_bytes()"),
    ("core/gallery/archive_format.py", "with archive.open(entry) as member:"),
    ("core/gallery/keys.py", "handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)"),
    ("core/gallery/keys.py", 'with path.open("rb") as file:'),
    ("core/gallery/transfer.py", 'with replacement(target) as temporary, temporary.open("w+b") as file:'),
    ("core/access/access_db.py", 'key = path.read_bytes() if path.exists() else b""'),
    ("core/access/users.py", "content = path.read_bytes()"),
    ("core/access/users.py", "handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)"),
}


"""What is opened near databases and is none: exports, keys, folders, the users' file and its lock."""


def test_near_databases_only_named_places_open_files():
    places = [
        *(ROOT / "core/gallery").glob("*.py"),
        *(ROOT / "core/access").glob("*.py"),
        ROOT / "core/recognition/gallery_io.py",
    ]
    found = {
        (path.relative_to(ROOT).as_posix(), line.strip())
        for path in places
        for line in path.read_text(encoding="utf-8").splitlines()
        if OPENS.search(line.replace("Gallery.open(", "")) and "def open(" not in line
    }
    assert found <= NOT_DATABASES, "open database files through core.system.sqlite_files"


def test_only_one_module_connects_to_database_files():
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("dashboard/**/*.py")]:
        calls = re.findall(r"sqlite3\.connect\(\s*([^,)]+)", path.read_text(encoding="utf-8"))
        name = path.relative_to(ROOT).as_posix()
        assert name == "core/system/sqlite_files.py" or all(first == "IN_MEMORY" for first in calls), name
