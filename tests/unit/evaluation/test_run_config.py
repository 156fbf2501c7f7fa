"""What a run is asked for: refused before it starts, and the command line that asks the same."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from core.cli import run as run_command
from core.dataset.manifest import write_dataset
from core.encoder.weights import file_sha256
from core.errors import CoreError, SettingsInvalid
from core.evaluation.evaluation_spec import SIMILARITY_SECTIONS, SystemSpec
from core.evaluation.run_config import (
    benchmark_config,
    calibration_config,
    calibration_folds_config,
    dataset_config,
    pairs_config,
)
from core.evaluation.systems import every_system
from core.jobs.run_dir import list_runs, runs_root
from core.models.active_file import write_active
from core.settings import load_settings
from tests.made_peer import made_peer
from tests.made_weights import save_dsr
from tests.unit.evaluation.sets import small_dataset

PLAN = {
    "sizes": [None, 16],
    "modes": ["aligned"],
    "degradations": ["camera"],
    "threshold": 0.4,
    "bootstrap": 5,
    "seed": 3,
}


@pytest.fixture
def systems(own_data_dir: Path) -> list[SystemSpec]:
    dsr = save_dsr(own_data_dir / "dsr.safetensors")
    return every_system(load_settings(), [str(made_peer())], ["bicubic", str(dsr)], use_tta=True)


def test_the_command_asks_for_the_same(systems, own_data_dir, monkeypatch, tmp_path) -> None:
    root = tmp_path / "my people"
    root.mkdir()
    config = dataset_config(root, systems, PLAN, split="test", min_images=4)
    launched: list[dict[str, object]] = []

    def launch(settings: object, kind: str, asked: dict[str, object], *, slug: str) -> object:
        launched.append(json.loads(json.dumps(asked)))
        raise SettingsInvalid("far enough")

    monkeypatch.setattr("core.jobs.launch.launch", launch)
    assert run_command(shlex.split(str(config["command"]))[1:]) != 0
    [asked] = launched
    assert {name: asked[name] for name in ("task", "dataset", "split", "min_images", "systems")} == {
        name: config[name] for name in ("task", "dataset", "split", "min_images", "systems")
    }
    assert {name: asked["plan"][name] for name in PLAN} == PLAN


def test_a_split_with_nobody_to_compare_is_refused_before_it_starts(systems, tmp_path) -> None:
    dataset = small_dataset(tmp_path / "small", people=2, each=2, single=1)
    first = dataset.frame["identity"] == dataset.frame["identity"][0]
    alone = dataset.frame.assign(split=first.map({True: "val", False: "train"}))
    write_dataset(dataset.root, alone, dataset.info)
    with pytest.raises(SettingsInvalid, match=r"The split val of .* has 1 person and 2 pictures: .* no two people"):
        dataset_config(dataset.root, systems, PLAN, split="val")
    assert dataset_config(dataset.root, systems, PLAN, split=None)["split"] is None


def test_both_degradations_are_measured_unless_told_otherwise(systems, tmp_path) -> None:
    without = {name: value for name, value in PLAN.items() if name != "degradations"}
    config = dataset_config(tmp_path, systems, without)
    assert config["plan"]["degradations"] == ["bicubic", "camera"] and "--degradation both" in config["command"]
    assert dataset_config(tmp_path, systems, PLAN)["plan"]["degradations"] == ["camera"]


def test_similarity_by_group_needs_one_picture_of_each_person_and_takes_a_csv(systems, tmp_path) -> None:
    dataset = small_dataset(tmp_path / "small", people=1, each=1, single=1)
    listed = tmp_path / "index.csv"
    rows = [
        f"{dataset.root / path},{who},Set"
        for path, who in zip(dataset.frame["path"], dataset.frame["identity"], strict=True)
    ]
    listed.write_text("\n".join(["path,identity,source", *rows]))
    plan = {**PLAN, "sections": SIMILARITY_SECTIONS, "by": ["source"]}
    config = dataset_config(listed, systems, plan)
    assert f"evaluate groups --dataset-root {listed}" in config["command"] and "--by source" in config["command"]
    assert "--threshold" not in config["command"]
    with pytest.raises(SettingsInvalid, match="no two pictures of one person"):
        dataset_config(dataset.root, systems, PLAN)


def test_groups_by_a_column_that_isnt_there_are_refused_at_launch(systems, tmp_path, capsys) -> None:
    dataset = small_dataset(tmp_path / "small", people=2, each=2, single=0)
    table = dataset.frame.assign(sex="f")
    write_dataset(dataset.root, table, dataset.info)
    config = dataset_config(dataset.root, systems, {**PLAN, "by": ["sex"]})
    assert "--by sex" in str(config["command"])
    with pytest.raises(SettingsInvalid, match=r"no column 'age' to tell groups by.*\n?.*Its further columns: sex"):
        dataset_config(dataset.root, systems, {**PLAN, "by": ["sex", "age"]})
    asked = ["evaluate", "dataset", "--dataset-root", str(dataset.root), "--weights", str(made_peer()), "--by", "age"]
    assert run_command(asked) != 0 and "no column 'age'" in capsys.readouterr().err
    assert list_runs(runs_root(load_settings())) == []


def test_what_cant_be_is_refused_before_a_run_is_made(systems, tmp_path) -> None:
    with pytest.raises(SettingsInvalid, match="Nothing would be measured"):
        dataset_config(tmp_path, systems, {**PLAN, "sizes": []})
    with pytest.raises(CoreError):
        pairs_config(tmp_path, tmp_path / "pairs.txt", systems, PLAN)
    with pytest.raises(SettingsInvalid, match="There is no folder"):
        benchmark_config("scface", tmp_path / "none", systems, {})
    with pytest.raises(CoreError, match="holds no"):
        benchmark_config("scface", tmp_path, systems, {})
    with pytest.raises(SettingsInvalid, match="between 0 and 1"):
        calibration_config(tmp_path, systems[0], PLAN, {"measure": "far", "target": 2.0})
    assert list_runs(runs_root(load_settings())) == []


def test_a_calibration_stores_nothing_by_itself(systems, tmp_path) -> None:
    goal = {"measure": "fpir", "target": 0.01, "gallery_size": 300}
    config = calibration_config(tmp_path, systems[0], {"sizes": [None]}, goal)
    assert config["gallery"] is None and config["goal"]["gallery_size"] == 300
    assert "--fpir 0.01 --gallery-size 300" in config["command"] and "--store" not in config["command"]


def test_a_calibration_by_folds_names_them_in_its_config_and_command(systems, tmp_path) -> None:
    images, pairs = tmp_path / "images", tmp_path / "pairs.txt"
    pairs.write_text("2\t1\nAda\t1\t2\nAda\t1\tBen\t1\nCid\t1\t2\nCid\t1\tDot\t1\n")
    for name in ("Ada_0001", "Ada_0002", "Ben_0001", "Cid_0001", "Cid_0002", "Dot_0001"):
        (images / name[:3]).mkdir(parents=True, exist_ok=True)
        (images / name[:3] / f"{name}.jpg").touch()
    goal = {"measure": "far", "target": 0.1}
    plan = {"sizes": [None], "modes": ["end to end"]}
    config = calibration_folds_config(images, pairs, ([1], [2]), systems[0], plan, goal)
    assert (config["calibrate_folds"], config["report_folds"], config["gallery"]) == ([1], [2], None)
    assert f"calibrate --images {images} --pairs {pairs} --calibrate-folds 1 --report-folds 2" in config["command"]
    assert "--far 0.1" in config["command"] and "--mode end-to-end" in config["command"]
    for folds, words in ((([1], [1, 2]), "Fold 1 would choose"), (([], [2]), "Folds are needed")):
        with pytest.raises(SettingsInvalid, match=words):
            calibration_folds_config(images, pairs, folds, systems[0], plan, goal)
    (images / "Dot" / "Dot_0001.jpg").unlink()
    with pytest.raises(CoreError):
        calibration_folds_config(images, pairs, ([1], [2]), systems[0], plan, goal)


def test_the_upscaler_in_use_is_taken_unless_another_is_named(own_data_dir) -> None:
    settings = load_settings()
    assert every_system(settings, [str(made_peer())], [None])[0].upscaler == "bicubic"
    dsr = save_dsr(own_data_dir / "models" / "dsr.safetensors")
    assert every_system(settings, [str(made_peer())], [None])[0].upscaler == "bicubic", "a DSR is never the default"
    write_active(settings, upscaler={"path": str(dsr), "sha256": file_sha256(dsr)})
    [system] = every_system(settings, [str(made_peer())], [None])
    assert system.upscaler == str(dsr) and system.weights == str(made_peer())
    assert len(every_system(settings, [str(made_peer())], [None, str(dsr), "bicubic"])) == 2, "the same comes once"
