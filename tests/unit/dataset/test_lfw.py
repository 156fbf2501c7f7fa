"""On real photographs: what is ingested and built from them is clean, and JPEG twins are found among faces alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.dataset.build import build
from core.dataset.check import check
from core.dataset.file_stats import measure
from core.dataset.ingest import ingest
from core.dataset.manifest import read_dataset, write_dataset
from core.dataset.scan import scan
from core.images import encode_image, read_image


@pytest.mark.shared
def test_builds_from_lfw_are_clean_and_a_re_encoded_twin_is_found(shared_dir: Path, tmp_path: Path) -> None:
    people = [p for p in sorted((shared_dir / "data" / "lfw" / "images").iterdir()) if 5 <= len(list(p.iterdir())) <= 6]
    for person in people[:12]:
        shutil.copytree(person, tmp_path / "photos" / person.name)
    ingest(tmp_path / "photos", tmp_path / "faces")
    source = scan(tmp_path / "faces")
    build(source, tmp_path / "closed", min_images=4)
    build(source, tmp_path / "disjoint", mode="identity-disjoint", link="copy")
    # Of 12 people one each is in val and test: clean, but nobody can be compared there.
    for name, said in (("faces", {"not_split"}), ("closed", set()), ("disjoint", {"nobody_to_compare"})):
        assert {finding.code for finding in check(read_dataset(tmp_path / name)).findings} == said, name
    dataset = read_dataset(tmp_path / "disjoint")
    hr = dataset.frame[dataset.frame["kind"] == "hr"]
    first, other = (hr.loc[hr["split"] == split, "path"].iloc[0] for split in ("train", "val"))
    dataset.file(other).write_bytes(encode_image(read_image(dataset.file(first)), "webp", 50))
    filled, _ = measure(dataset.root, dataset.frame.assign(sha256="", phash=""))
    found = {
        finding.code: finding.rows for finding in check(write_dataset(dataset.root, filled, dataset.info)).findings
    }
    assert set(found["duplicate_near"][["path", "other_path"]].iloc[0]) == {first, other}
