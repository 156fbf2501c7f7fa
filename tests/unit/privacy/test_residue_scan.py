"""Where a search looks: into archives and databases, also within one another; and what it says it couldn't look at."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.gallery import Gallery, NewTemplate, Space
from core.gallery.keys import Key
from core.privacy import file_contents, residue_scan
from core.privacy.residue_scan import ScanResult, find_traces

NAME = "Zoë Quennell"
SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)
VECTOR = np.random.default_rng(5).normal(size=512).astype("<f4").tobytes()
PAGE = f"<td>{NAME}</td>".encode() * 50


def search(folder: Path, **given: object) -> ScanResult:
    return find_traces([folder], [NAME], [VECTOR], home=folder, **given)  # type: ignore[arg-type]


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("in.html")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def saved(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def database(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t(name TEXT, key TEXT, note TEXT)")
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", (NAME, NAME.casefold(), "a note"))
        connection.commit()
    return path.read_bytes()


def deep(levels: int) -> bytes:
    return gzip.compress(deep(levels - 1), mtime=0) if levels else PAGE


PACKED = {
    "zip": lambda: zipped("page.html", PAGE),
    "xlsx": lambda: zipped("xl/sharedStrings.xml", PAGE),
    "npz of texts": lambda: saved(names=np.array([NAME, NAME[::-1]])),
    "npz of objects": lambda: saved(names=np.array([NAME, None], dtype=object)),
    "gz": lambda: gzip.compress(PAGE),
    "bz2": lambda: bz2.compress(PAGE),
    "xz": lambda: lzma.compress(PAGE),
    "tar": lambda: tarred(PAGE),
    "tar.gz": lambda: gzip.compress(tarred(PAGE)),
    "zip in a zip": lambda: zipped("inner.zip", zipped("page.html", PAGE)),
}


@pytest.mark.parametrize("kind", PACKED)
def test_compressed_content_is_opened(tmp_path, kind):
    (tmp_path / "file").write_bytes(PACKED[kind]())
    found = search(tmp_path)
    assert [(each.path.name, each.what) for each in found.traces] == [("file", "name")]
    assert found.files == 1 and found.unsearched == ()


def test_vectors_are_found_in_archives_too(tmp_path):
    (tmp_path / "kept.npz").write_bytes(saved(a=np.frombuffer(VECTOR, "<f4")[None]))
    (tmp_path / "other.npz").write_bytes(saved(a=np.zeros(512, "<f4")))
    assert [(each.path.name, each.what) for each in search(tmp_path).traces] == [("kept.npz", "biometric data")]


def test_the_values_of_a_database_stand_for_themselves_also_in_an_archive(tmp_path):
    content = database(tmp_path / "a.db")
    (tmp_path / "b.zip").write_bytes(zipped("a.db", content))
    assert {each.path.name for each in search(tmp_path).traces} == {"a.db", "b.zip"}


def test_a_piece_that_spans_two_parts_of_a_large_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(file_contents, "PIECE_BYTES", 50_000)
    before = b"." * 49_990
    (tmp_path / "a.bin").write_bytes(before + VECTOR + b"." * 100_000)
    (tmp_path / "b.txt").write_bytes(before + f" {NAME} ".encode() + b"." * 100_000)
    (tmp_path / "c.gz").write_bytes(gzip.compress(before + f" {NAME} ".encode() + b"." * 100_000))
    (tmp_path / "d.txt").write_bytes(b"." * 49_950 + f" {NAME}son ".encode() * 9000)
    assert {each.path.name for each in search(tmp_path).traces} == {"a.bin", "b.txt", "c.gz"}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("film.mp4", b"\0\0\0\x20ftypisom", "films"),
        ("face.png", b"\x89PNG\r\n\x1a\n", "pictures"),
        ("faces.zip", zipped("1.jpg", b"\xff\xd8"), "pictures"),
        ("cut.gz", gzip.compress(PAGE, mtime=0)[:-20], "an archive that can't be opened"),
        ("cut.zip", zipped("a.txt", PAGE)[:-30], "an archive that can't be opened"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c and so on", "a 7-Zip archive"),
        ("a.feather", b"ARROW1\0\0 and so on", "an Arrow file"),
        ("a.zz", zlib.compress(PAGE), "zlib"),
        ("a.lzma", lzma.compress(PAGE, format=lzma.FORMAT_ALONE), "LZMA"),
        ("a.lz4", b"\x04\x22\x4d\x18 and so on", "LZ4"),
        ("a.age", b"age-encryption.org/v1\n", "an encrypted file"),
        ("upload", b"\0\0\0\x18ftypmp42 and so on", "films"),
        ("a.bin", b"\x1a\x45\xdf\xa3 and so on", "films"),
        ("b.bin", b"RIFF\0\0\0\0AVI LIST", "films"),
        ("face", b"\x89PNG\r\n\x1a\n and so on", "pictures"),
        ("c.bin", b"RIFF\0\0\0\0WEBPVP8 ", "pictures"),
        ("d.bin", b"\0\0\0\x18ftypheic and so on", "pictures"),
        ("faces.gz", gzip.compress(b"\xff\xd8\xff\xe0 and so on", mtime=0), "pictures"),
        ("a.pdf", b"%PDF-1.7", "a PDF document"),
        ("deep.gz", deep(6), "archives within archives"),
    ],
)
def test_what_cant_be_searched_is_named(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)
    found = search(tmp_path)
    assert [(each.place.name, each.what, each.count) for each in found.unsearched] == [(name, what, 1)]


def test_too_much_to_unpack_and_too_large_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(file_contents, "MAX_UNPACKED_BYTES", 1000)
    monkeypatch.setattr(file_contents, "PIECE_BYTES", 1000)
    monkeypatch.setattr(residue_scan, "MAX_FILE_BYTES", 100_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"0" * 50_000))
    (tmp_path / "large.bin").write_bytes(b"0" * 100_001)
    found = {(each.place.name, each.what) for each in search(tmp_path).unsearched}
    assert found == {("bomb.gz", "too large when unpacked"), ("large.bin", "too large")}


def test_places_are_runs_and_data_sets_and_each_says_how_to_remove_it(tmp_path):
    def put(*names: str) -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"1")

    put("runs/video/one/annotated.mp4", "runs/video/one/faces/1.png", "runs/video/one/faces/2.png")
    put("datasets/people/closed-set/train/a/1.png", "datasets/people/closed-set/dataset.json")
    put("datasets/drawn/train/a/1.png", "uploads/0a.mp4", "cache/abc/112.u8", "cache/frozen/hr-1.npy")
    (tmp_path / "datasets/drawn/dataset.json").write_text(json.dumps({"synthetic": True}))
    found = {(each.place.relative_to(tmp_path).as_posix(), each.what): each for each in search(tmp_path).unsearched}
    assert {key: each.count for key, each in found.items()} == {
        ("runs/video/one", "films"): 1,
        ("runs/video/one", "pictures"): 2,
        ("uploads/0a.mp4", "films"): 1,
        ("datasets/people/closed-set", "pictures"): 1,
        ("cache/abc", "pictures kept for training"): 1,
        ("cache/frozen", "pictures kept for training"): 1,
    }
    assert "runs remove video/one" in found["runs/video/one", "films"].text
    assert "Data sets" in found["datasets/people/closed-set", "pictures"].remedy
    assert "made again" in found["cache/abc", "pictures kept for training"].remedy


def test_an_encrypted_gallery_besides_the_one_in_use_is_named(tmp_path):
    for name in ("own.db", "other.db"):
        with Gallery.open(tmp_path / name, keys=lambda: Key(b"k" * 32)) as gallery:
            gallery.enrol(NAME, [NewTemplate(np.eye(512, dtype=np.float32)[0], "hr", 112.0)], space=SPACE)
    found = search(tmp_path, known=[tmp_path / "own.db"])
    assert [(each.place.name, each.what) for each in found.unsearched] == [("other.db", "an encrypted gallery")]
    assert found.traces == ()


def test_a_picture_that_is_a_template_s_own_is_found(tmp_path):
    (tmp_path / "1.png").write_bytes(VECTOR)
    assert [(each.path.name, each.what) for each in search(tmp_path).traces] == [("1.png", "biometric data")]
