"""Data sets in shards: the same table and pixels as in files, from any interruption the same bytes, and read alike."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from sets import tree
from shards import pack_folder

from core.dataset.build import build
from core.dataset.cache import open_cache
from core.dataset.check import check
from core.dataset.errors import DatasetInvalid
from core.dataset.ingest import ingest
from core.dataset.journal import JOURNAL_NAME, work_folder
from core.dataset.manifest import read_dataset
from core.dataset.rejects import read_rejects, thumbnail
from core.dataset.scan import scan
from core.dataset.shard_writer import ShardWriter, whole_spans
from core.errors import CoreError
from core.evaluation.pictures import hash_of, pictures_of_dataset
from core.images import encode_image, read_image
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped

OPTIONS = {"method": "camera", "seed": 5, "shard_mb": 1}


def test_shards_of_photographs_make_the_same_data_set(people: Path, in_files: Path, tmp_path: Path) -> None:
    shards = pack_folder(people, tmp_path / "wds")
    made = ingest(shards, tmp_path / "set", method="camera", seed=5)
    assert (made.accepted, made.rejected) == (12, 3)
    there, here = read_dataset(tmp_path / "set").frame, read_dataset(in_files).frame
    assert there.drop(columns="source").equals(here.drop(columns="source"))
    assert there["source"].iloc[0] == "000.tar/Person 0/0000.jpg"
    rejects = read_rejects(tmp_path / "set")
    dark = rejects[rejects["code"] == "too_dark"].iloc[0]
    assert dark["source"] == "002.tar/Person 2/dark.png" and max(thumbnail(dark["file"]).shape) <= 160


def test_the_table_is_the_same_but_for_paths(in_files: Path, in_shards: Path) -> None:
    there, here = read_dataset(in_shards), read_dataset(in_files)
    assert there.frame.drop(columns="path").equals(here.frame.drop(columns="path"))
    for a, b in zip(there.frame["path"], here.frame["path"], strict=True):
        assert (read_image(there.file(a)) == read_image(here.file(b))).all()
    assert sorted(tree(in_shards)) == ["dataset.json", "manifest.csv", "rejected.csv", "shards/00000.tar"]


def test_a_shard_is_a_webdataset(in_shards: Path) -> None:
    frame = read_dataset(in_shards).frame
    with tarfile.open(in_shards / "shards" / "00000.tar") as archive:
        names = archive.getnames()
        said = json.loads(archive.extractfile("000000000.json").read())
        assert {(m.uid, m.gid, m.mtime, m.uname) for m in archive.getmembers()} == {(0, 0, 0, "")}
    assert names[:5] == [f"000000000.{end}" for end in ("hr.png", "vlr_16.png", "vlr_24.png", "vlr.png", "json")]
    keys = [name.partition(".")[0] for name in names]
    assert keys == sorted(keys) and len(set(keys)) == 12
    assert said["identity"] == "Person 0" and said["pair"] == frame["pair"].iloc[0]
    assert said["source"] == "Person 0/0000.jpg" and "vlr_16.png" in said["degradation"]
    assert scan(in_shards / "shards").frame["identity"].nunique() == 3


def test_more_workers_and_a_second_run_change_no_byte(people: Path, in_shards: Path, tmp_path: Path) -> None:
    ingest(people, tmp_path / "set", **OPTIONS, workers=4)
    assert tree(tmp_path / "set") == tree(in_shards)
    assert ingest(people, tmp_path / "set", **OPTIONS).reused == 15


def _stopped(people: Path, out: Path, calls: int) -> None:
    asked = iter(range(1000))
    with pytest.raises(JobStopped):
        ingest(people, out, **OPTIONS, workers=1, hooks=Hooks(should_stop=lambda: next(asked) >= calls))


def test_stopped_it_goes_on_where_it_was(people: Path, in_shards: Path, tmp_path: Path) -> None:
    _stopped(people, tmp_path / "set", 11)
    done = ingest(people, tmp_path / "set", **OPTIONS)
    assert 0 < done.reused < 15 and tree(tmp_path / "set") == tree(in_shards)


@pytest.mark.parametrize("damage", ["half written", "cut", "changed", "gone", "a line lost"])
def test_what_a_power_cut_took_is_made_again(people: Path, in_shards: Path, tmp_path: Path, damage: str) -> None:
    _stopped(people, tmp_path / "set", 13)
    work = work_folder(tmp_path / "set")
    [shard] = (work / "root" / "shards").iterdir()
    content = shard.read_bytes()
    if damage == "half written":
        shard.write_bytes(content + content[:700])
    elif damage == "cut":
        shard.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        shard.write_bytes(content[:40_000] + b"\0" * 100 + content[40_100:])
    elif damage == "gone":
        shard.unlink()
    else:
        lines = (work / JOURNAL_NAME).read_bytes().split(b"\n")
        (work / JOURNAL_NAME).write_bytes(b"\n".join([lines[0], b'{"i": 1, "ro', *lines[2:]]))
    ingest(people, tmp_path / "set", **OPTIONS)
    assert tree(tmp_path / "set") == tree(in_shards)


def test_shards_end_at_their_size_and_go_on_after_any_sample(tmp_path: Path) -> None:
    def rows(number: int) -> list[dict[str, object]]:
        name = f"all/hr_images/{number}.png"
        return [{"path": name, "kind": "hr", "size_px": 112, "identity": "Ann", "degradation": ""}]

    def written(root: Path, stop_at: int = 9) -> list[tuple[int, int, int, str]]:
        writer, spans = ShardWriter(root, 25_000), []
        for number in range(9):
            if number == stop_at:
                writer.close()
                writer = ShardWriter(root, 25_000, spans[-1])
            made = rows(number)
            spans.append(writer.add(number, made, {made[0]["path"]: bytes(4000 + number)}, 32))
        writer.finish()
        return spans

    spans = written(tmp_path / "whole")
    sizes = [path.stat().st_size for path in sorted((tmp_path / "whole" / "shards").iterdir())]
    assert len(sizes) > 2 and max(sizes) <= 25_000 and whole_spans(tmp_path / "whole", spans) == 9
    for stop_at in range(1, 9):
        assert written(tmp_path / str(stop_at), stop_at) == spans
        assert tree(tmp_path / str(stop_at)) == tree(tmp_path / "whole")
    first = tmp_path / "whole" / "shards" / "00000.tar"
    first.write_bytes(first.read_bytes()[:-512])  # the end mark of a full shard
    assert whole_spans(tmp_path / "whole", spans) == sum(span[0] == 0 for span in spans) - 1


def test_a_build_places_shards_as_they_are(in_files: Path, in_shards: Path, tmp_path: Path) -> None:
    options = {"mode": "closed-set", "min_images": 2}
    build(scan(in_shards), tmp_path / "shards", **options)
    build(scan(in_files), tmp_path / "files", **options)
    there, here = read_dataset(tmp_path / "shards"), read_dataset(tmp_path / "files")
    assert there.frame[["pair", "split", "kind", "sha256"]].equals(here.frame[["pair", "split", "kind", "sha256"]])
    shard = tmp_path / "shards" / "shards" / "00000.tar"
    assert shard.samefile(in_shards / "shards" / "00000.tar")
    assert [f.code for f in check(there).findings] == [f.code for f in check(here).findings]
    build(scan(in_shards), tmp_path / "copies", **options, link="copy")
    assert tree(tmp_path / "copies")["manifest.csv"] == tree(tmp_path / "shards")["manifest.csv"]


def test_an_update_adds_shards_and_leaves_the_earlier_ones(people: Path, in_shards: Path, tmp_path: Path) -> None:
    options = {"mode": "closed-set", "min_images": 2}
    build(scan(in_shards), tmp_path / "set", **options)
    more = tmp_path / "more"
    for person in range(2):
        (more / f"Other {person}").mkdir(parents=True)
        for photo in (people / f"Person {person}").glob("0*.jpg"):
            turned = read_image(photo)[:, ::-1].copy()
            (more / f"Other {person}" / photo.name).write_bytes(encode_image(turned, quality=90))
    ingest(more, tmp_path / "added", **OPTIONS)
    before = read_dataset(tmp_path / "set").frame
    build(scan(tmp_path / "added"), tmp_path / "set", **options, update=True)
    after = read_dataset(tmp_path / "set")
    assert after.frame.iloc[: len(before)].equals(before) and len(after.frame) > len(before)
    shards = {path.partition(".tar")[0] for path in after.frame["path"]}
    assert shards == {"shards/00000", "shards/00001"}
    assert check(after).images == len(after.frame)
    assert not [finding for finding in check(after).findings if finding.code in ("unreadable", "odd_size", "changed")]


def test_training_and_evaluation_read_shards_as_files(in_files: Path, in_shards: Path, tmp_path: Path) -> None:
    there, here = read_dataset(in_shards), read_dataset(in_files)
    ours, theirs = open_cache(there, tmp_path), open_cache(here, tmp_path)
    assert ours.keys() == theirs.keys() and all((ours[size] == theirs[size]).all() for size in ours)
    pictures = pictures_of_dataset(there)
    assert [hash_of(picture.path) for picture in pictures] == [picture.sha256 for picture in pictures]
    assert all(read_image(picture.vlr[16].path).shape == (16, 16, 3) for picture in pictures)


def test_a_damaged_shard_is_named_and_the_table_stays(in_shards: Path, tmp_path: Path) -> None:
    build(scan(in_shards), tmp_path / "set", mode="closed-set", min_images=2, link="copy")
    dataset = read_dataset(tmp_path / "set")
    shard = tmp_path / "set" / "shards" / "00000.tar"
    shard.write_bytes(shard.read_bytes()[:60_000])
    [finding] = [each for each in check(dataset).findings if each.code == "unreadable"]
    assert len(finding.rows) == len(dataset.frame)
    assert "00000.tar is cut off" in finding.rows["problem"].iloc[0]
    with pytest.raises(CoreError, match=r"00000\.tar is cut off"):
        open_cache(dataset, tmp_path / "cache")
    shard.unlink()
    with pytest.raises(DatasetInvalid, match="is missing"):
        open_cache(dataset, tmp_path / "cache")
    assert len(read_dataset(tmp_path / "set").frame) == len(dataset.frame)
