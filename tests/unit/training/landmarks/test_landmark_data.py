"""The data of a landmark training: who trains and who validates, sources made once, and pictures that give none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import SettingsInvalid, StorageFailed
from core.evaluation.pairs import PairsInvalid
from core.faces.align import align, probe_px
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped
from core.settings import load_settings
from core.training.errors import UnfitData
from core.training.landmarks.photographs import divide, list_photographs
from core.training.landmarks.prepared import prepare
from tests.unit.training.landmarks.drawn_people import portrait, tiny_config

PAIRS = "3\t1\nPerson_0\t1\t2\nPerson_0\t1\tPerson_1\t1\nPerson_2\t1\t2\nPerson_2\t1\tPerson_3\t1\n"
PAIRS += "Person_4\t1\t2\nPerson_4\t1\tElsewhere\t1\n"
"""Folds of the people 0 and 1, 2 and 3, 4 (and one who isn't there); person 5 is in none."""


@pytest.fixture
def pairs(tmp_path) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text(PAIRS)
    return path


def names(photographs) -> set[str]:
    return {photograph.path.parent.name for photograph in photographs}


def test_folds_train_validate_or_are_left_out(people, pairs):
    found = divide(tiny_config(people, pairs=pairs, folds=[1], val_folds=[2]))
    assert names(found.train) == {"Person_0", "Person_1", "Person_5"}
    assert names(found.val) == {"Person_2", "Person_3"} and found.left_out == 2


def test_without_validation_folds_a_twentieth_of_the_people_validates(people, pairs):
    found = divide(tiny_config(people, pairs=pairs, folds=[1, 2]))
    assert len(names(found.val)) == 1 and not names(found.val) & names(found.train) and found.left_out == 2
    assert names(found.val) | names(found.train) == {f"Person_{n}" for n in (0, 1, 2, 3, 5)}
    seeds = [names(divide(tiny_config(people, seed=seed)).val) for seed in range(8)]
    assert seeds[0] == names(divide(tiny_config(people, seed=0)).val) and len(set(map(frozenset, seeds))) > 1


def test_pictures_side_by_side_are_people_of_their_own_and_folds_know_their_names(people, pairs, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in people.rglob("*.png"):
        shutil.copy(path, flat)
    found = divide(tiny_config(flat, pairs=pairs, folds=[1], val_folds=[2]))
    assert {each.path.name[:8] for each in found.val} == {"Person_2", "Person_3"}
    assert found.left_out == 2
    assert len({each.person for each in list_photographs([flat])}) == 12


def test_a_folder_named_twice_counts_once_and_validation_is_bounded(people, tmp_path):
    assert len(list_photographs([people])) == 12
    with pytest.raises(UnfitData, match="isn't in another named folder"):
        list_photographs([people, people])
    pairs = tmp_path / "p.txt"
    pairs.write_text(PAIRS)
    found = divide(tiny_config(people, pairs=pairs, folds=[3], val_folds=[1, 2], val_faces=2))
    assert len(found.val) == 4 and names(found.val) == {f"Person_{n}" for n in range(4)}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"folds": [1]}, "folds were named, but no pairs file"),
        ({"pairs": "p.txt"}, "none of its folds"),
        ({"pairs": "p.txt", "folds": [1], "val_folds": [1, 2]}, "fold 1 can't train and validate"),
        ({"steps": 0}, "steps is 0"),
        ({"device": 3}, "device is 3, but must be a text"),
        ({"photographs": []}, "photographs"),
        ({"nonsense": 1}, "no setting 'nonsense'"),
    ],
)
def test_settings_that_dont_go_together_are_refused(given, says, people):
    with pytest.raises(SettingsInvalid, match=says):
        tiny_config(people, **given)


def test_what_cant_be_divided_is_said(people, pairs, tmp_path):
    with pytest.raises(UnfitData, match="There is no folder"):
        divide(tiny_config(tmp_path / "missing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnfitData, match="holds no picture"):
        divide(tiny_config(tmp_path / "empty"))
    with pytest.raises(SettingsInvalid, match="has no fold 9"):
        divide(tiny_config(people, pairs=pairs, folds=[1], val_folds=[9]))
    with pytest.raises(PairsInvalid, match="no pairs file"):
        divide(tiny_config(people, pairs=tmp_path / "no.txt", folds=[1]))
    with pytest.raises(UnfitData, match="only one person"):
        divide(_alone(people, tmp_path))
    strangers = tmp_path / "strangers.txt"
    strangers.write_text("2\t1\nA\t1\t2\nA\t1\tB\t1\nC\t1\t2\nC\t1\tD\t1\n")
    for val_folds in ([2], []):
        with pytest.raises(UnfitData, match="in the photographs"):
            divide(tiny_config(people, pairs=strangers, folds=[1], val_folds=val_folds))


def _alone(people: Path, tmp_path: Path):
    shutil.copytree(people / "Person_0", tmp_path / "alone" / "Person_0")
    return tiny_config(tmp_path / "alone")


def test_sources_hold_the_windows_and_landmarks_of_usable_pictures(people, tmp_path):
    """YuNet's points on the drawn people are near the drawing's own; an aligned crop is taken whole."""
    folder = tmp_path / "mixed"
    shutil.copytree(people, folder)
    shown = portrait(7, 0)
    (folder / "crops").mkdir()
    Image.fromarray(align(shown.rgb, shown.landmarks)).save(folder / "crops" / "crop.png")
    Image.new("RGB", (200, 200), (90, 90, 90)).save(folder / "crops" / "grey.png")
    (folder / "crops" / "damaged.jpg").write_bytes(b"\xff\xd8\xff damaged")
    photographs = list_photographs([folder])
    told: list[tuple[str, int, int]] = []
    hooks = Hooks(lambda kind, /, **data: told.append((data["step"], data["done"], data["total"])))
    prepared = prepare(photographs, load_settings(), hooks=hooks)
    counts = prepared.counts
    assert (counts.used, counts.without_face, counts.unreadable) == (13, 1, 1)
    assert told == [("faces", 0, 15), ("faces", 15, 15)]
    wide, whole = prepared.sets(range(15))
    assert wide.window(0).shape == (192, 192, 3) and len(wide) == 12
    assert whole.window(0).shape == (112, 112, 3) and len(whole) == 1
    assert probe_px(wide.landmarks[3]) == pytest.approx(96, abs=0.5)
    template = np.array([[38.3, 51.7], [73.5, 51.5], [56, 71.7], [41.5, 92.4], [70.7, 92.2]])
    assert np.linalg.norm(whole.landmarks[0] - template, axis=1).mean() < 5
    first = [place for place, each in enumerate(photographs) if each.path.parent.name == "Person_0"]
    own = prepared.sets(range(first[0], first[-1] + 1))
    assert [len(each) for each in own] == [2]


def test_sources_are_made_once_and_again_when_a_file_changed(people, tmp_path, monkeypatch):
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    photographs, settings = list_photographs([folder]), load_settings()
    first = prepare(photographs, settings)
    assert first.folder.parent == settings.data_dir / "cache" / "landmarks"
    told = []
    again = prepare(photographs, settings, hooks=Hooks(lambda kind, /, **data: told.append(kind)))
    assert again == first and told == []
    os.utime(photographs[0].path, ns=(1, 1))
    monkeypatch.setattr("core.training.landmarks.prepared.MOST_BYTES", 1)
    other = prepare(photographs, settings)
    assert other.folder != first.folder and not first.folder.exists() and other.folder.exists(), "the older one went"
    with (other.folder / "192.u8").open("ab") as file:
        file.write(b"x")
    with pytest.raises(StorageFailed, match="is damaged"):
        other.sets(range(2))


def test_a_stop_leaves_nothing_behind(people):
    settings = load_settings()
    with pytest.raises(JobStopped):
        prepare(list_photographs([people]), settings, hooks=Hooks(should_stop=lambda: True))
    assert list((settings.data_dir / "cache" / "landmarks").iterdir()) == []
