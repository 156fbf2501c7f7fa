"""Data sets by name: listed, named, removed, and their verdicts kept for as long as they hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sets import notes_set, tree

from core.dataset.build import build
from core.dataset.cache import open_cache
from core.dataset.check import check
from core.dataset.check_cache import MOST_ROWS, store_verdict, stored_verdict
from core.dataset.errors import BuildRefused, DatasetInvalid
from core.dataset.findings import Finding, Verdict
from core.dataset.journal import work_folder
from core.dataset.library import (
    any_dataset,
    checked_name,
    datasets_root,
    discard_unfinished,
    free_name,
    list_datasets,
    remove_dataset,
)
from core.dataset.manifest import Dataset, read_dataset, write_dataset
from core.dataset.scan import scan
from core.errors import SettingsInvalid
from core.settings import Settings, load_settings


@pytest.fixture()
def here() -> Settings:
    return load_settings()


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    return notes_set(tmp_path / "in", {"001": 6, "002": 6, "003": 6})


def made(here: Settings, source: Path, name: str, mode: str = "closed-set") -> Dataset:
    build(scan(source), datasets_root(here) / name, mode=mode, shares={"train": 0.6, "val": 0.4})
    root = datasets_root(here) / name
    return read_dataset(root / "closed-set" if mode == "both" else root)


def test_every_data_set_is_listed_also_two_in_one_folder_and_damaged_ones(here: Settings, source: Path) -> None:
    root = datasets_root(here)
    assert list_datasets(root) == [] and not any_dataset(root)
    made(here, source, "b")
    made(here, source, "a", "both")
    (root / "c").mkdir()
    (root / "c" / "dataset.json").write_text("[]")
    (root / ".hidden").mkdir()
    (root / ".hidden" / "dataset.json").write_text("{}")
    found = list_datasets(root)
    assert [each.name for each in found] == ["a/closed-set", "a/identity-disjoint", "b", "c"]
    assert found[3].info is None and isinstance(found[3].problem, DatasetInvalid) and any_dataset(root)


@pytest.mark.parametrize("name", ["", " ", ".x", "x.", "a/b", "..", "a\\b", "a\0b", "x" * 81, "a:b", "a\nb"])
def test_names_that_no_folder_should_have(name: str) -> None:
    with pytest.raises(SettingsInvalid):
        checked_name(name)


def test_a_free_name_is_one_that_nothing_has(here: Settings) -> None:
    root = datasets_root(here)
    (root / "faces").mkdir(parents=True)
    work_folder(root / "faces-2").mkdir()
    assert checked_name("  Mes visages ") == "Mes visages"
    assert [free_name(root, wanted) for wanted in ("faces", "a/b", "..")] == ["faces-3", "a-b", "faces-3"]


def test_removing_takes_the_cache_and_verdict_and_nothing_of_others(here: Settings, source: Path) -> None:
    before = tree(source)
    one, two = made(here, source, "one"), made(here, source, "two", "both")
    for dataset in (one, two):
        store_verdict(here, dataset, check(dataset))
    open_cache(one, here.data_dir / "cache")
    remove_dataset(here, "one")
    assert not one.root.exists() and not (here.data_dir / "cache" / one.key).exists()
    assert stored_verdict(here, one) is None and stored_verdict(here, two) is not None
    remove_dataset(here, "two/closed-set")
    assert [each.name for each in list_datasets(datasets_root(here))] == ["two/identity-disjoint"]
    remove_dataset(here, "two/identity-disjoint")
    assert list(datasets_root(here).iterdir()) == [] and tree(source) == before


@pytest.mark.parametrize("name", ["..", "../outside", ".", "", "/etc", "a/b/c", "gone", "linked"])
def test_nothing_outside_is_ever_removed(name: str, here: Settings, source: Path, tmp_path: Path) -> None:
    dataset = made(here, source, "kept")
    outside = datasets_root(here).parent / "outside"
    dataset.root.rename(outside)
    (datasets_root(here) / "linked").symlink_to(outside)
    before = tree(outside)
    with pytest.raises((BuildRefused, DatasetInvalid)):
        remove_dataset(here, name)
    assert tree(outside) == before and (datasets_root(here) / "linked").is_symlink()


def test_unfinished_work_is_discarded_only_inside(here: Settings, tmp_path: Path) -> None:
    inside, outside = datasets_root(here) / "faces", tmp_path / "faces"
    for out in (inside, outside):
        (work_folder(out) / "root").mkdir(parents=True)
    assert discard_unfinished(here, inside) and not work_folder(inside).exists()
    assert not discard_unfinished(here, outside) and work_folder(outside).exists()
    assert not discard_unfinished(here, inside)


def test_a_verdict_comes_back_as_it_was_said(here: Settings, source: Path) -> None:
    dataset = made(here, source, "set", "identity-disjoint")
    frame = dataset.frame.copy()
    frame.loc[frame["pair"] == frame.loc[frame["split"] == "val", "pair"].iloc[0], "split"] = "train"
    dataset = write_dataset(dataset.root, frame, dataset.info)
    verdict = check(dataset)
    store_verdict(here, dataset, verdict)
    kept = stored_verdict(here, dataset)
    assert kept is not None and not kept.verdict.ok and kept.verdict.images == verdict.images
    for ours, theirs, total in zip(kept.verdict.findings, verdict.findings, kept.totals, strict=True):
        assert (ours.code, ours.severity, ours.text) == (theirs.code, theirs.severity, theirs.text)
        assert total == len(theirs.rows) and ours.rows["path"].tolist() == theirs.rows["path"].tolist()


def test_a_verdict_belongs_to_its_manifest_and_place(here: Settings, source: Path) -> None:
    dataset = made(here, source, "set")
    store_verdict(here, dataset, check(dataset))
    assert stored_verdict(here, replace(dataset, key="0" * 64)) is None
    assert stored_verdict(here, replace(dataset, root=dataset.root.with_name("other"))) is None
    store_verdict(here, replace(dataset, key="1" * 64), Verdict((), 3))
    assert stored_verdict(here, dataset) is None  # the earlier manifest's is forgotten
    [path] = (here.data_dir / "cache" / "verdicts").iterdir()
    path.write_text("{")
    assert stored_verdict(here, replace(dataset, key="1" * 64)) is None


def test_of_many_rows_both_sides_of_a_leak_are_kept(here: Settings, source: Path) -> None:
    dataset = made(here, source, "set")
    split = ["train"] * (MOST_ROWS + 50) + ["val"]
    rows = pd.DataFrame({"path": [str(i) for i in range(len(split))], "identity": "a", "split": split})
    store_verdict(here, dataset, Verdict((Finding("identity_overlap", "error", "x", rows),), 9))
    kept = stored_verdict(here, dataset)
    assert kept is not None and kept.totals == (MOST_ROWS + 51,)
    sides = kept.verdict.findings[0].rows["split"]
    assert len(sides) == MOST_ROWS and set(sides) == {"train", "val"}
