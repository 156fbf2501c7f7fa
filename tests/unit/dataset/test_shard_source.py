"""WebDataset shards as a source: which files, whose picture, and every fault with its shard and member."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sets import picture
from shards import write_shard

from core.dataset.errors import SourceInvalid
from core.dataset.scan import scan
from core.dataset.shard_source import source_name
from core.images import encode_image
from core.system.shards import ShardInvalid


def _png(seed: int) -> bytes:
    return encode_image(picture(seed), "png")


def _who(folder: Path, **given: object) -> dict[str, str]:
    frame = scan(folder, **given).frame
    return dict(zip(frame["path"], frame["identity"], strict=True))


@pytest.mark.parametrize(
    ("ending", "content", "where"),
    [
        ("json", json.dumps({"identity": "Ann", "caption": "a face"}), "the file .json, identity"),
        ("json", json.dumps({"identity": 12}), "the file .json, identity"),
        ("cls", "12", "the file .cls"),
        ("txt", "Ann\n", "the file .txt"),
    ],
)
def test_identities_come_from_the_file_beside(tmp_path: Path, ending: str, content: str, where: str) -> None:
    write_shard(tmp_path / "0.tar", {"001.png": _png(0), f"001.{ending}": content})
    found = scan(tmp_path)
    assert found.frame["identity"].tolist() == ["12" if "12" in content else "Ann"]
    assert found.layout == "crops" and f"1 tar shard with 1 person, named by {where}" in found.why


def test_json_comes_before_cls_and_a_key_can_be_named(tmp_path: Path) -> None:
    beside = {"001.json": json.dumps({"identity": "Ann", "person": {"x": 1}, "id": 7}), "001.cls": "3"}
    write_shard(tmp_path / "0.tar", {"001.png": _png(0), **beside})
    assert _who(tmp_path) == {"0.tar/001.png": "Ann"}
    assert _who(tmp_path, columns={"identity": "id"}) == {"0.tar/001.png": "7"}
    with pytest.raises(SourceInvalid, match=r"0\.tar: 001\.json has no text or number 'person'"):
        scan(tmp_path, columns={"identity": "person"})


def test_metadata_without_identity_leaves_it_to_the_folder(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", {"Ann/1.v2.png": _png(0), "Ann/1.v3.png": _png(1), "Ann/1.json": '{"width": 112}'})
    assert _who(tmp_path) == {"0.tar/Ann/1.v2.png": "Ann", "0.tar/Ann/1.v3.png": "Ann"}


def test_names_say_it_where_nothing_else_does(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", {"Ann__1.png": _png(0), "._Ann__1.png": b"", "__MACOSX/x.png": b""})
    assert _who(tmp_path) == {"0.tar/Ann__1.png": "Ann"}
    write_shard(tmp_path / "0.tar", {"x-Ann.png": _png(0)})
    assert _who(tmp_path, pattern=r"\w-(?P<identity>\w+)") == {"0.tar/x-Ann.png": "Ann"}
    with pytest.raises(SourceInvalid, match=r"0\.tar: nothing beside x-Ann\.png says whose it is"):
        scan(tmp_path)


def test_folders_around_shards_are_splits(tmp_path: Path) -> None:
    write_shard(tmp_path / "train" / "0.tar", {"a.png": _png(0), "a.txt": "Ann"})
    write_shard(tmp_path / "val" / "0.tar", {"a.png": _png(1), "a.txt": "Ben"})
    frame = scan(tmp_path).frame
    assert frame[["path", "split", "identity"]].values.tolist() == [
        ["train/0.tar/a.png", "train", "Ann"],
        ["val/0.tar/a.png", "val", "Ben"],
    ]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"2.png": b""}, "2 has no .txt"),
        ({"2.png": b"", "2.txt": ""}, "2.txt holds no name"),
        ({"2.png": b"", "2.txt": "a caption\nof two lines"}, "2.txt holds no name"),
        ({"2.png": b"", "2.txt": b"\xff\xfe"}, "2.txt isn't a short text in UTF-8"),
        ({"2.png": b"", "2.jpg": b"", "2.txt": "Ben"}, "the key 2 has 2 pictures, 2.png and 2.jpg"),
    ],
)
def test_a_fault_names_the_shard_and_the_member(tmp_path: Path, members: dict[str, bytes | str], words: str) -> None:
    write_shard(tmp_path / "0.tar", {"1.png": _png(0), "1.txt": "Ann"})
    write_shard(tmp_path / "1.tar", members)
    with pytest.raises(SourceInvalid, match=r"1\.tar: ") as caught:
        scan(tmp_path)
    assert words in caught.value.what


def test_the_large_picture_of_a_pair_is_taken(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", {"1.vlr_16.png": _png(1), "1.hr.png": _png(0), "1.cls": "4"})
    assert _who(tmp_path) == {"0.tar/1.hr.png": "4"}


def test_patterns_name_shards(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        write_shard(tmp_path / f"faces-{number:03}.tar", {"a.png": _png(number), "a.cls": str(number)})
    both = {"faces-009.tar/a.png": "9", "faces-010.tar/a.png": "10"}
    assert _who(tmp_path / "faces-{009..010}.tar") == both
    assert _who(tmp_path / "faces-{009,010}.tar") == both
    assert _who(tmp_path / "faces-01?.tar") == {"faces-010.tar/a.png": "10", "faces-011.tar/a.png": "11"}
    assert _who(tmp_path / "faces-008.tar") == {"faces-008.tar/a.png": "8"}
    with pytest.raises(SourceInvalid, match=r"There is no shard .*faces-012\.tar"):
        scan(tmp_path / "faces-{009..012}.tar")
    with pytest.raises(SourceInvalid, match="No file fits"):
        scan(tmp_path / "portraits-*.tar")
    for text in ("{..,x}/a.tar", "{.,x}./a.tar"):
        with pytest.raises(SourceInvalid, match="leads out of its folder"):
            scan(tmp_path / text)
    with pytest.raises(SourceInvalid, match="isn't a range"):
        scan(tmp_path / "{0..999999999}.tar")


def test_a_set_is_called_by_what_its_shards_share(tmp_path: Path) -> None:
    assert source_name(tmp_path / "faces-{000..007}.tar") == "faces"
    assert source_name(tmp_path / "faces.tar") == "faces" and source_name(tmp_path) == tmp_path.name
    assert source_name(Path("/data/wall/*.tar")) == "wall"


def test_folders_of_pictures_come_before_a_shard_beside_them(tmp_path: Path) -> None:
    (tmp_path / "Ann").mkdir()
    (tmp_path / "Ann" / "1.png").write_bytes(_png(0))
    write_shard(tmp_path / "backup.tar", {"Ben/1.png": _png(1)})
    assert _who(tmp_path) == {"Ann/1.png": "Ann"}


def test_unusable_shards_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_text("no archive\n" * 200)
    with pytest.raises(ShardInvalid, match=r"0\.tar isn't a tar archive"):
        scan(tmp_path)
    with pytest.raises(ShardInvalid, match=r"0\.tar isn't a tar archive"):
        scan(tmp_path / "0.tar")
    (tmp_path / "0.tar").rename(tmp_path / "0.tar.gz")
    with pytest.raises(SourceInvalid, match="is compressed"):
        scan(tmp_path / "0.tar.gz")
    write_shard(tmp_path / "0.tar", {"readme.md": "nothing"})
    with pytest.raises(SourceInvalid, match="hold no pictures"):
        scan(tmp_path)
