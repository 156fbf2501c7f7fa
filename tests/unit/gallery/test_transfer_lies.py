"""Export files that lie: refused before anything is written, in plain words."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.gallery import ImportRejected
from core.gallery.transfer import export_bytes, import_gallery, read_gallery_archive
from tests.unit.gallery.contents import everything, rebuilt


def in_json(member: str, **changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        value = json.loads(members[member])
        (value if isinstance(value, dict) else value[0]).update(changes)
        members[member] = json.dumps(value).encode()

    return change


def in_template(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        value = json.loads(members["identities.json"])
        value[0]["templates"][0].update(changes)
        members["identities.json"] = json.dumps(value).encode()

    return change


def in_vectors(edit: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        buffer = io.BytesIO()
        np.save(buffer, edit(np.load(io.BytesIO(members["vectors-0.npy"]))), allow_pickle=True)
        members["vectors-0.npy"] = buffer.getvalue()

    return change


def absurd_shape(members: dict[str, bytes]) -> None:
    members["vectors-0.npy"] = members["vectors-0.npy"].replace(b"(9, 512)", b"(10**9,)")


def huge_shape(members: dict[str, bytes]) -> None:
    header = members["vectors-0.npy"]
    members["vectors-0.npy"] = header.replace(b"(9, 512), }          ", b"(999999999, 512), }  ")


def add_member(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[name] = b"root::0:0"

    return change


def listed_member(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[name] = content
        manifest = json.loads(members["manifest.json"])
        manifest["members"][name] = {}
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


def twice_the_same(members: dict[str, bytes]) -> None:
    value = json.loads(members["identities.json"])
    value[1]["name"] = value[0]["name"].upper()
    members["identities.json"] = json.dumps(value).encode()


def drop(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.pop(name) and None


def nested(members: dict[str, bytes]) -> None:
    members["identities.json"] = b"[" * 200_000


LIES: dict[str, Callable[[dict[str, bytes]], None]] = {
    "another format": in_json("manifest.json", format="zip"),
    "version of no kind": in_json("manifest.json", version="1"),
    "no members": in_json("manifest.json", members=[]),
    "no encoders": in_json("manifest.json", encoders=[]),
    "encoder of no length": in_json("manifest.json", encoders=[{"name": "x", "weights_sha256": "y", "dim": 0}] * 2),
    "encoder of another length": in_json("manifest.json", encoders=[{"name": "x", "weights_sha256": "y", "dim": 4}]),
    "a time of no kind": in_json("manifest.json", created_at="yesterday"),
    "a name that can't be shown": in_json("identities.json", name="a\nb"),
    "half a character": in_json("identities.json", note="\ud800"),
    "an endless note": in_json("identities.json", note="x" * 20_001),
    "templates of no kind": in_json("identities.json", templates={"a": 1}),
    "a kind that isn't": in_template(kind="exec"),
    "a kind that is a list": in_template(kind=["hr"]),
    "a row that isn't": in_template(row=9),
    "a row before the first": in_template(row=-1),
    "an encoder that isn't": in_template(encoder=7),
    "a size without sense": in_template(probe_px=10**400),
    "a size below zero": in_template(probe_px=-5.0),
    "NaN as a size": in_template(probe_px=float("nan")),
    "a path as a crop": in_template(crop="../../etc/passwd"),
    "a crop of somebody else's": in_template(crop="crops/0000001.img"),
    "more than recognisable": in_template(recognisability=1.5),
    "recognisability in words": in_template(recognisability="high"),
    "no space named": in_template(upscaler=None),
    "the same name twice": twice_the_same,
    "JSON too deep": nested,
    "vectors that aren't unit": in_vectors(lambda rows: rows * 2),
    "vectors with NaN": in_vectors(lambda rows: rows * np.float32("nan")),
    "vectors of another type": in_vectors(lambda rows: rows.astype(np.float64)),
    "vectors that are pickles": in_vectors(lambda rows: np.array([print] * 9, dtype=object)),
    "vectors by column": in_vectors(np.asfortranarray),
    "a shape of no kind": absurd_shape,
    "a shape beyond all memory": huge_shape,
    "a member outside": add_member("../../escape.txt"),
    "a member nobody listed": add_member("extra.txt"),
    "a listed member of nobody": listed_member("crops/9999999.img", b"RIFF"),
    "a crop that is a script": lambda members: members.update({"crops/0000000.img": b"#!/bin/sh"}),
    "a bomb": listed_member("crops/9999999.img", b"\0" * 50_000_000),
    "no vectors": drop("vectors-0.npy"),
    "no identities": drop("identities.json"),
    "no manifest in it": lambda members: members.update({"manifest.json": b"[]"}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_and_changes_nothing(filled, tmp_path, lie):
    content = rebuilt(export_bytes(filled)[0], LIES[lie])
    before = everything(filled)
    with pytest.raises(ImportRejected) as caught:
        import_gallery(filled, content, on_conflict="rename")
    assert caught.value.what and caught.value.next_step
    assert everything(filled) == before
    assert not (tmp_path.parent.parent / "escape.txt").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (in_json("manifest.json", format="zip"), "The file is no gallery export"),
        (lambda members: members.update({"manifest.json": b'{"version": 1}'}), "The file is no gallery export"),
        (
            lambda members: members.update({"manifest.json": b"[]"}),
            "manifest.json: This must be a table of named values.",
        ),
        (lambda members: members.update({"manifest.json": b"{}"}), "manifest.json: version is missing."),
        (in_json("identities.json", note=["secret"]), "identities.json: 0.note must be a text."),
        (in_template(row=-1), "identities.json: 0.templates.0.row must be greater than or equal to 0."),
    ],
)
def test_a_refusal_names_the_field_in_plain_words_without_its_value(filled, change, said):
    with pytest.raises(ImportRejected) as caught:
        read_gallery_archive(rebuilt(export_bytes(filled)[0], change))
    assert caught.value.what.startswith(said)


def test_what_the_lies_are_made_from_is_accepted(filled):
    content = rebuilt(export_bytes(filled)[0], lambda members: None)
    assert len(import_gallery(filled, content, on_conflict="rename").added) == 3


def test_one_flipped_byte_is_noticed(filled):
    content = export_bytes(filled)[0]
    with pytest.raises(ImportRejected, match="checksum"):
        read_gallery_archive(rebuilt(content, lambda m: m.update({"crops/0000000.img": b"RIFFx"}), resign=False))
    place = content.index(b"VP8 a crop")
    with pytest.raises(ImportRejected):
        read_gallery_archive(content[:place] + b"X" + content[place + 1 :])


def test_a_newer_format_says_so(filled):
    newer = rebuilt(export_bytes(filled)[0], in_json("manifest.json", version=2))
    with pytest.raises(ImportRejected, match="newer"):
        read_gallery_archive(newer)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x89PNG\r\n\x1a\n", b"SQLite format 3\0" * 20, b"PK\x05\x06" + b"\0" * 18]
)
def test_what_is_no_export_at_all(filled, content, tmp_path):
    file = tmp_path / "x.efgallery"
    file.write_bytes(content)
    for source in (content, file):
        with pytest.raises(ImportRejected):
            import_gallery(filled, source)


def test_half_a_file_is_refused(filled):
    content = export_bytes(filled)[0]
    with pytest.raises(ImportRejected):
        read_gallery_archive(content[: len(content) // 2])


@pytest.mark.parametrize("name", ["missing.efgallery", ".", "a\0b"])
def test_paths_that_cannot_be_read(filled, tmp_path, name):
    with pytest.raises(ImportRejected):
        import_gallery(filled, Path(tmp_path) / name)
