"""Every planted fault is found with its effect in words; a clean set has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sets import add_pair, notes_set, picture

from core.dataset.build import build
from core.dataset.check import check, dataset_of
from core.dataset.check_splits import FEW_PEOPLE, check_comparable
from core.dataset.degrade import degrade
from core.dataset.file_stats import measure
from core.dataset.findings import Verdict
from core.dataset.manifest import Dataset, make_frame, read_dataset, write_dataset
from core.dataset.scan import scan
from core.evaluation.intervals import wilson
from core.images import encode_image, read_image, resize

PEOPLE = {f"{n:03}": 6 for n in range(8)}


@pytest.fixture()
def closed(tmp_path: Path) -> Dataset:
    build(scan(notes_set(tmp_path / "in", PEOPLE)), tmp_path / "closed", link="copy")
    return read_dataset(tmp_path / "closed")


@pytest.fixture()
def disjoint(tmp_path: Path) -> Dataset:
    source = scan(notes_set(tmp_path / "in", PEOPLE))
    build(source, tmp_path / "disjoint", mode="identity-disjoint", link="copy")
    return read_dataset(tmp_path / "disjoint")


def codes(verdict: Verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


def written(dataset: Dataset, frame: pd.DataFrame) -> Dataset:
    """The table measured anew, as somebody who doesn't know of the fault would have written it."""
    blank = frame.assign(sha256="", phash="")
    filled, _ = measure(dataset.root, blank)
    return write_dataset(dataset.root, filled, dataset.info)


def paths(dataset: Dataset, split: str, kind: str = "hr") -> list[str]:
    return dataset.frame.query("split == @split and kind == @kind")["path"].tolist()


def put(dataset: Dataset, path: str, rgb: np.ndarray, **how: object) -> None:
    dataset.file(path).write_bytes(encode_image(rgb, **how))


def test_clean_sets_are_clean(closed: Dataset, disjoint: Dataset) -> None:
    verdict = check(closed)
    assert codes(verdict) == [] and verdict.ok and "No problems" in verdict.text
    # 6, 1 and 1 people: nothing is wrong with it but that nobody can be told apart in val and test.
    assert set(codes(check(disjoint))) == {"nobody_to_compare"}


def table(**people: list[int]) -> pd.DataFrame:
    """HR rows: for each split how many images each of its people has."""
    return make_frame(
        [
            {"path": f"{split}/{who}/{image}.png", "identity": f"{split}{who}", "split": split.strip("_"), "kind": "hr"}
            for split, counts in people.items()
            for who, images in enumerate(counts)
            for image in range(images)
        ]
    )


def test_a_split_of_one_person_has_nobody_to_compare_and_the_numbers_are_said() -> None:
    found = check_comparable(table(train=[20] * 10, val=[20], test=[20]), "identity-disjoint")
    assert [(finding.code, finding.severity) for finding in found] == [("nobody_to_compare", "warning")] * 2
    assert found[0].text.startswith("val has 1 person and 20 images: no two people to compare")
    [single] = check_comparable(table(train=[5] * 9, val=[1] * 4), "as-found")
    assert "val has 4 people and 4 images: no two images of one person" in single.text
    assert check_comparable(table(train=[20] * 10, val=[1] * 10), "closed-set") == []


def test_few_people_held_back_are_told_with_what_they_could_show() -> None:
    [few] = check_comparable(table(train=[4] * 9, val=[3, 3]), "identity-disjoint")
    assert (few.code, few.severity) == ("few_to_compare", "notice")
    assert "val has 2 people and 6 images: 6 pairs of one person, 9 of two" in few.text
    assert f"up to {wilson(0, 2)[1] * 100:.0f} %" in few.text
    assert check_comparable(table(train=[4] * 9, val=[2] * FEW_PEOPLE), "identity-disjoint") == []


def test_a_set_that_isnt_split_isnt_fit_for_training_yet() -> None:
    [found] = check_comparable(table(_=[20] * 12), "unsplit")
    assert (found.code, found.severity) == ("not_split", "warning")
    assert "12 people and 240 images, none in train" in found.text and "would leave 1 of 12 people" in found.text
    [many] = check_comparable(table(_=[5] * 40), "unsplit")
    assert "would leave" not in many.text


def test_all_five_faults_are_found_together_and_nothing_else(disjoint: Dataset) -> None:
    frame, train, val = disjoint.frame, paths(disjoint, "train"), paths(disjoint, "val")
    # one identity in two splits: a new image of a train person in val
    add_pair(disjoint.root, "val", "planted", 5000)
    person = frame.loc[frame["path"] == train[0], "identity"].iloc[0]
    planted = [
        {"path": f"val/{kind}_images/planted.png", "identity": person, "split": "val", "kind": kind, "pair": "planted"}
        for kind in ("hr", "vlr")
    ]
    # an exact and a re-encoded duplicate across splits
    for source, target, how in ((train[1], val[1], {"format": "png"}), (train[2], val[2], {"quality": 60})):
        put(disjoint, target, read_image(disjoint.file(source)), **how)
        put(disjoint, target.replace("hr_", "vlr_"), resize(read_image(disjoint.file(target)), 32), format="png")
    # a swapped pair
    a, b = (disjoint.file(path.replace("hr_", "vlr_")) for path in (train[5], train[20]))
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    # HR given as VLR
    given = train[10].replace("hr_", "vlr_")
    disjoint.file(given).write_bytes(disjoint.file(train[10]).read_bytes())
    faulty = written(disjoint, make_frame([*frame.to_dict("records"), *planted]))

    verdict = check(faulty)
    rows = {finding.code: finding.rows for finding in verdict.findings}
    assert set(rows) - {"nobody_to_compare", "few_to_compare"} == {
        "identity_overlap",
        "duplicate_exact",
        "duplicate_near",
        "wrong_pair",
        "hr_as_vlr",
        "odd_size",
    }
    assert set(rows["identity_overlap"]["identity"]) == {person}
    assert (rows["duplicate_exact"][["path", "other_path"]].iloc[0]).tolist() in (
        [train[1], val[1]],
        [val[1], train[1]],
    )
    assert {*rows["duplicate_near"][["path", "other_path"]].iloc[0]} == {train[2], val[2]}
    assert [len(rows[c]) for c in ("duplicate_exact", "duplicate_near", "wrong_pair", "hr_as_vlr")] == [1, 1, 2, 1]
    swapped = dict(zip(rows["wrong_pair"]["path"], rows["wrong_pair"]["fits_better"], strict=True))
    assert swapped == {train[5].replace("hr_", "vlr_"): train[20], train[20].replace("hr_", "vlr_"): train[5]}
    assert rows["hr_as_vlr"]["path"].tolist() == rows["odd_size"]["path"].tolist() == [given]
    assert "0.9999" in next(finding.text for finding in verdict.findings if finding.code == "hr_as_vlr")
    assert not verdict.ok


def test_camera_degraded_sets_are_clean_and_a_swap_in_them_is_found(closed: Dataset) -> None:
    import json

    frame = closed.frame.copy()
    for index, row in frame[frame["kind"] == "vlr"].iterrows():
        hr = read_image(closed.file(row["path"].replace("vlr_", "hr_")))
        small, params = degrade(hr, 16, "camera", seed=int(index))
        put(closed, row["path"], small, format="png")
        frame.loc[index, "degradation"] = json.dumps(params)
    faultless = written(closed, frame)
    assert codes(check(faultless)) == []
    a, b = (closed.file(path) for path in paths(closed, "train", "vlr")[3:5])
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    assert codes(check(written(closed, frame))) == ["wrong_pair"]


def test_the_notes_trap_is_named(tmp_path: Path) -> None:
    root = notes_set(tmp_path / "in", {"001": 6, "002": 6})
    notes_set(root, {"006": 6}, "val", 50)
    found = dataset_of(scan(root))
    verdict = check(found)
    assert codes(verdict) == ["identity_missing", "nobody_to_compare"] and verdict.ok and not verdict.clean
    assert verdict.text.endswith(
        "Validation accuracy will stay at 0 %: nobody in val is in train. Judge by the EER, or build closed-set from "
        "this set."
    )
    promised = replace(found, info=replace(found.info, mode="closed-set"))
    assert not check(promised).ok


def test_broken_and_odd_files(closed: Dataset) -> None:
    broken, odd, gone = paths(closed, "train")[:3]
    closed.file(broken).write_bytes(closed.file(broken).read_bytes()[:500])
    put(closed, odd, picture(1)[:90], format="png")
    closed.file(gone).unlink()
    rows = {finding.code: finding.rows for finding in check(closed).findings}
    assert set(rows["unreadable"]["path"]) == {broken, gone} and set(rows["odd_size"]["path"]) == {odd}


def test_a_changed_file_is_said(closed: Dataset) -> None:
    path = paths(closed, "train")[0]
    put(closed, path, read_image(closed.file(path)), format="webp", quality=95)
    verdict = check(closed)
    assert codes(verdict) == ["changed"] and verdict.ok


def test_incomplete_and_torn_pairs(closed: Dataset) -> None:
    frame = closed.frame
    hr = frame.index[(frame["kind"] == "hr") & (frame["split"] == "train")]
    no_hr = replace(closed, frame=frame.drop(index=hr[0]))
    assert "vlr_without_hr" in codes(check(no_hr))
    vlr = frame.index[(frame["kind"] == "vlr") & (frame["split"] == "train")]
    assert "hr_without_vlr" in codes(check(replace(closed, frame=frame.drop(index=vlr[0]))))
    torn = frame.copy()
    torn.loc[vlr[0], "split"] = "val"
    assert "pair_torn" in codes(check(replace(closed, frame=torn)))


def test_amounts_and_names(tmp_path: Path) -> None:
    build(scan(notes_set(tmp_path / "in", {"001": 3, "002": 6, "003": 75, "004": 6})), tmp_path / "out", min_images=3)
    verdict = check(read_dataset(tmp_path / "out"))
    assert codes(verdict) == ["few_images", "imbalance"] and verdict.ok and not verdict.clean
    found = read_dataset(tmp_path / "out")
    renamed = found.frame.assign(identity=found.frame["identity"].replace({"001": "Ada", "002": "ada"}))
    assert codes(check(replace(found, frame=renamed)))[0] == "name_case"
    alone = replace(found, frame=found.frame[found.frame["identity"] == "003"])
    assert "few_people" in codes(check(alone))


def test_one_picture_under_two_names_is_said(tmp_path: Path) -> None:
    root = notes_set(tmp_path / "in", {"001": 6, "002": 6})
    add_pair(root, "train", "002_01_01_051_77", 0)
    verdict = check(dataset_of(scan(root)))
    assert codes(verdict) == ["two_names"] and verdict.ok
