"""Reads from tar shards: a member by its path, and every way in which a shard can be wrong, named with its member."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from core.system.shards import ShardInvalid, file_stat, is_there, member_of, members, read_bytes


def _tar(path: Path, files: dict[str, bytes], **given: object) -> Path:
    with tarfile.open(path, "w", **given) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture()
def shard(tmp_path: Path) -> Path:
    return _tar(tmp_path / "faces-000.tar", {"007/a.jpg": b"first" * 300, "./008/b.jpg": b"second", "c": b""})


def test_members_and_files_are_read_by_one_function(shard: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"a file")
    assert read_bytes(tmp_path / "plain") == b"a file" and read_bytes(tmp_path / "plain", 3) == b"a f"
    assert read_bytes(shard / "007" / "a.jpg") == b"first" * 300
    assert read_bytes(f"{shard}/008/b.jpg") == b"second" and read_bytes(shard / "008/b.jpg", 3) == b"sec"
    assert read_bytes(shard / "c") == b""
    assert list(members(shard)) == ["007/a.jpg", "008/b.jpg", "c"]
    assert is_there(shard / "c") and not is_there(shard / "d") and is_there(tmp_path / "plain")
    assert file_stat(shard / "c").st_mtime_ns == shard.stat().st_mtime_ns


@pytest.mark.parametrize("path", ["007/gone.jpg", "../plain", "007", "007/a.jpg/more"])
def test_what_the_index_lacks_is_not_found(shard: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "plain").write_bytes(b"a file")
    with pytest.raises(FileNotFoundError):
        read_bytes(f"{shard}/{path}")
    with pytest.raises(FileNotFoundError):
        file_stat(f"{shard}/{path}")


def test_a_folder_of_that_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "people.tar").mkdir()
    (tmp_path / "people.tar" / "a.jpg").write_bytes(b"a file")
    assert member_of(tmp_path / "people.tar" / "a.jpg") is None
    assert read_bytes(tmp_path / "people.tar" / "a.jpg") == b"a file"


def test_long_and_foreign_names(tmp_path: Path) -> None:
    names = [f"{'long' * 40}/a.jpg", "Łukasz Żółć/ß.jpg", "王小明/照片.jpg"]
    for number, form in enumerate((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)):
        shard = _tar(tmp_path / f"{number}.tar", {name: name.encode() for name in names}, format=form)
        assert [read_bytes(shard / name) for name in names] == [name.encode() for name in names]


def test_a_shard_written_again_is_indexed_again(shard: Path) -> None:
    assert read_bytes(shard / "007/a.jpg").startswith(b"first")
    _tar(shard, {"x": b"longer than before" * 1000, "007/a.jpg": b"other"})
    assert read_bytes(shard / "007/a.jpg") == b"other"


@pytest.mark.parametrize("cut", [100, 512 + 700, 512 + 1536 + 512 + 3, 512 + 1536 + 512 + 100])
def test_a_shard_cut_off_names_the_member(shard: Path, cut: int) -> None:
    os.truncate(shard, cut)
    with pytest.raises(ShardInvalid, match=r"faces-000\.tar") as caught:
        members(shard)
    if cut > 512:
        assert "cut off" in caught.value.what and ("007/a.jpg" if cut < 1500 else "008/b.jpg") in caught.value.what


def test_a_shard_cut_off_between_members_is_noticed(shard: Path) -> None:
    os.truncate(shard, 512 + 1536)
    with pytest.raises(ShardInvalid, match=r"faces-000\.tar is cut off .*007/a\.jpg"):
        members(shard)


def test_a_damaged_header_is_no_end(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[512 + 1536 + 150] ^= 0xFF  # in the second header's sum
    shard.write_bytes(content)
    with pytest.raises(ShardInvalid, match=r"damaged after the member 007/a\.jpg"):
        members(shard)


def test_shards_joined_by_cat_are_refused(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes() * 2)
    with pytest.raises(ShardInvalid, match="goes on after its end mark"):
        members(shard)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside.jpg", "a/../../b.jpg"])
def test_members_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    shard = _tar(tmp_path / "hostile.tar", {"fine.jpg": b"1", name: b"2"})
    with pytest.raises(ShardInvalid, match=r"hostile\.tar") as caught:
        members(shard)
    assert name in caught.value.what
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.tar"]


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    shard = tmp_path / "twice.tar"
    with tarfile.open(shard, "w") as archive:
        for name in ("a.jpg", "./a.jpg"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ShardInvalid, match=r"twice\.tar holds the member a\.jpg twice"):
        members(shard)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    shard = tmp_path / "links.tar"
    with tarfile.open(shard, "w") as archive:
        info = tarfile.TarInfo("a.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ShardInvalid, match=r"links\.tar: the member 'a\.jpg' is"):
        members(shard)


def test_what_is_no_archive_is_said(shard: Path, tmp_path: Path) -> None:
    for content, words in (
        (b"name,identity\n" * 100, "isn't a tar archive"),
        (b"", "is empty"),
        (gzip.compress(shard.read_bytes()), "is compressed"),
    ):
        other = tmp_path / "other.tar"
        other.write_bytes(content)
        with pytest.raises(ShardInvalid, match=rf"other\.tar {words}"):
            members(other)


def test_an_endless_member_ends_in_an_error(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.jpg")
    header = bytearray(info.tobuf())
    header[124:136] = b"\xff" * 12  # a size of -1, in base 256
    total = 256 + sum(header[:148]) + sum(header[156:512])
    header[148:156] = b"%06o\0 " % total
    shard = tmp_path / "negative.tar"
    shard.write_bytes(bytes(header) + bytes(10_240))
    with pytest.raises(ShardInvalid):
        members(shard)
