"""The manifest: what is written is what is read, and damage is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.errors import DatasetInvalid
from core.dataset.manifest import (
    COLUMNS,
    DatasetInfo,
    count,
    is_dataset,
    make_frame,
    manifest_bytes,
    read_dataset,
    write_dataset,
)

INFO = DatasetInfo(name="two people", mode="closed-set", seed=7, made_by="a test")


def rows():
    return [
        {
            "path": f"{split}/{kind}_images/{who}_{n}.png",
            "identity": who,
            "split": split,
            "kind": kind,
            "size_px": 112 if kind == "hr" else 32,
            "pair": f"{who}_{n}",
            "camera": "051",
        }
        for who in ("007", "NA")
        for n, split in ((1, "train"), (2, "train"), (3, "val"))
        for kind in ("hr", "vlr")
    ]


def test_what_is_written_is_read(tmp_path: Path):
    written = write_dataset(tmp_path, make_frame(rows()), INFO)
    read = read_dataset(tmp_path)
    assert read.frame.equals(written.frame) and read.key == written.key and read.info == written.info
    assert list(read.frame.columns) == [*COLUMNS, "camera"]
    assert set(read.frame["identity"]) == {"007", "NA"} and set(read.frame["camera"]) == {"051"}
    assert read.info.counts == {
        "identities": 2,
        "hr": 6,
        "vlr": 6,
        "pairs": 6,
        "splits": {
            "train": {"identities": 2, "hr": 4, "vlr": 4, "pairs": 4},
            "val": {"identities": 2, "hr": 2, "vlr": 2, "pairs": 2},
        },
    }


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT, TEXT), max_size=6))
@settings(deadline=None)
def test_any_text_comes_back_as_it_was(tmp_path_factory, cells):
    root = tmp_path_factory.mktemp("set")
    frame = make_frame(
        [
            {"path": f"{i}.png", "identity": a, "kind": "hr", "size_px": i, "source": b, "mood": c}
            for i, (a, b, c) in enumerate(cells)
        ]
    )
    write_dataset(root, frame, INFO)
    assert read_dataset(root).frame.equals(frame)


def test_no_cell_is_a_formula():
    frame = make_frame([{"path": "a.png", "identity": "=cmd()", "kind": "hr", "source": " @x"}])
    text = manifest_bytes(frame).decode()
    assert "'=cmd()" in text and "' @x" in text


def test_a_name_that_is_no_unicode_is_said():
    with pytest.raises(DatasetInvalid, match="Unicode"):
        make_frame([{"path": "all/hr_images/caf\udce9.png", "identity": "caf\udce9", "kind": "hr"}])


@pytest.mark.parametrize(
    "row",
    [
        {"path": ""},
        {"path": "/etc/passwd"},
        {"path": "../x.png"},
        {"path": "C:\\x.png"},
        {"kind": "sr"},
        {"split": "dev"},
        {"identity": ""},
    ],
    ids=str,
)
def test_a_row_that_nothing_can_use_is_refused(tmp_path: Path, row):
    with pytest.raises(DatasetInvalid):
        write_dataset(tmp_path, make_frame([{**rows()[0], **row}]), INFO)
    assert not is_dataset(tmp_path)


def test_one_path_twice_is_refused(tmp_path: Path):
    with pytest.raises(DatasetInvalid):
        write_dataset(tmp_path, make_frame([rows()[0], rows()[0]]), INFO)


@pytest.mark.parametrize("cut", [1, 40, 500])
def test_a_manifest_cut_off_is_said(tmp_path: Path, cut):
    write_dataset(tmp_path, make_frame(rows()), INFO)
    path = tmp_path / "manifest.csv"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DatasetInvalid):
        read_dataset(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"path,identity\n", b'"', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_said(tmp_path: Path, content):
    write_dataset(tmp_path, make_frame(rows()), INFO)
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(DatasetInvalid):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{",
        "[]",
        "3",
        '{"version": 1}',
        '{"version": 2, "name": "x"}',
        '{"version": 1, "name": 4}',
        "[" * 100_000,
        '{"version": 1, "name": "x", "mode": "magic"}',
        '{"version": "1", "name": "x"}',
    ],
    ids=lambda said: said[:30],
)
def test_a_dataset_json_that_is_none_is_said(tmp_path: Path, said):
    write_dataset(tmp_path, make_frame(rows()), INFO)
    (tmp_path / "dataset.json").write_text(said)
    with pytest.raises(DatasetInvalid):
        read_dataset(tmp_path)


def test_no_data_set_is_said(tmp_path: Path):
    with pytest.raises(DatasetInvalid, match=r"no dataset\.json"):
        read_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text('{"version": 1, "name": "x"}')
    with pytest.raises(DatasetInvalid, match=r"no manifest\.csv"):
        read_dataset(tmp_path)


def test_counts_follow_the_table_not_what_was_written(tmp_path: Path):
    write_dataset(tmp_path, make_frame(rows()), INFO)
    said = json.loads((tmp_path / "dataset.json").read_text())
    said["counts"] = {"hr": 99}
    (tmp_path / "dataset.json").write_text(json.dumps(said))
    read = read_dataset(tmp_path)
    assert read.info.counts == count(read.frame)
