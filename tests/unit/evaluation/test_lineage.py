"""Who took part in weights is followed through everything that they came from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from core.dataset.manifest import DatasetInfo, make_frame, write_dataset
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.job import with_people_known
from core.evaluation.lineage import Ancestors, ancestors_of, mark_of, trained_people
from core.evaluation.result import Evaluation, training_overlap
from core.evaluation.systems import open_system
from core.jobs.run_dir import create_run, runs_root
from core.models.encoders import hash_file
from core.settings import Settings, load_settings
from tests.made_weights import save_dsr

SHIPPED = Path(__file__).resolve().parents[3] / "data" / "models"
EVERYBODY = ("Ada", "Bo", "Cy", "Dee", "Eve")


@pytest.fixture
def settings(own_data_dir: Path) -> Settings:
    return load_settings()


def dataset(settings: Settings, name: str, **splits: str) -> str:
    """The key of a data set with a person for each split."""
    rows = [
        {"path": f"{split}/hr_images/{who}.png", "identity": who, "split": split, "kind": "hr", "size_px": 112}
        for split, who in splits.items()
    ]
    info = DatasetInfo(name, "identity-disjoint")
    return write_dataset(settings.data_dir / "datasets" / name, make_frame(rows), info).key


def weights(path: Path, **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x": np.zeros(1, np.float32)}, str(path), metadata)
    return path


def sha256(path: Path) -> str:
    return hash_file(path).sha256


def test_people_of_a_parent_and_of_a_grandparent_took_part(settings: Settings, tmp_path: Path) -> None:
    first = dataset(settings, "first", train="Ada", test="Eve")
    second = dataset(settings, "second", train="Bo", val="Cy")
    third = dataset(settings, "third", train="Dee")
    grandparent = weights(settings.weights_dir / "grandparent.safetensors", data_sha256=first)
    run = create_run(runs_root(settings), "finetune", "parent", {})
    left = run.checkpoints / "best" / "encoder.safetensors"
    parent = weights(left, data_sha256=second, parent_sha256=sha256(grandparent))
    child = weights(tmp_path / "child.safetensors", data_sha256=third, parent_sha256=sha256(parent))
    assert trained_people(EVERYBODY, [child], settings) == {"Ada", "Bo", "Cy", "Dee"}
    assert trained_people(EVERYBODY, [parent], settings) == {"Ada", "Bo", "Cy"}


def test_people_of_the_upscaler_took_part_and_of_the_file_that_was_exported(settings: Settings, tmp_path: Path) -> None:
    key = dataset(settings, "faces", train="Ada", val="Bo")
    run_file = save_dsr(settings.weights_dir / "run.safetensors", data_sha256=key)
    shipped = save_dsr(tmp_path / "shipped.safetensors", seed=1, exported_from=sha256(run_file))
    assert trained_people(EVERYBODY, [shipped], settings) == {"Ada", "Bo"}
    through = weights(tmp_path / "through.safetensors", trained_with_upscaler=sha256(run_file))
    assert trained_people(EVERYBODY, [through], settings) == {"Ada", "Bo"}


def test_a_parent_that_is_gone_leaves_no_gap(settings: Settings, tmp_path: Path) -> None:
    """What a header says of everything that came before is followed too."""
    key = dataset(settings, "first", train="Ada")
    parent = weights(tmp_path / "parent.safetensors", data_sha256=key)
    text = ancestors_of([parent], settings).to_json()
    told = Ancestors(frozenset({sha256(parent)}), frozenset({key}))
    assert json.loads(text) == {"weights": sorted(told.weights), "data": [key]}
    child = weights(tmp_path / "child.safetensors", ancestors=text, data_sha256="f" * 64)
    parent.unlink()
    assert trained_people(EVERYBODY, [child], settings) == {"Ada"}


@pytest.mark.parametrize("ancestors", ["", "[1]", "{", json.dumps({"weights": 3, "data": [None]})])
def test_where_nothing_is_known_nothing_is_said(settings: Settings, tmp_path: Path, ancestors: str) -> None:
    alone = weights(tmp_path / "a.safetensors", ancestors=ancestors, parent_sha256="e" * 64, data_sha256="f" * 64)
    assert trained_people(EVERYBODY, [alone], settings) is None
    assert trained_people(EVERYBODY, [tmp_path / "gone.pt"], settings) is None


def test_the_people_in_shipped_weights_are_known_by_marks(tmp_path: Path) -> None:
    """Also in weights that were fine-tuned from them, and for a data set that spells names otherwise."""
    settings = load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_MODELS_DIR": str(SHIPPED)})
    named = ("Colin_Powell", "colin powell", "Nobody At All")
    for file in ("edgeface-xxs-starter", "edgeface-dsr"):
        assert trained_people(named, [SHIPPED / f"{file}.safetensors"], settings) == {"Colin_Powell", "colin powell"}
    tuned = weights(tmp_path / "t.safetensors", parent_sha256=sha256(SHIPPED / "edgeface-xxs-starter.safetensors"))
    assert trained_people(named, [tuned], settings) == {"Colin_Powell", "colin powell"}


@pytest.mark.shared
def test_shipped_marks_are_those_of_the_folds_that_were_trained_on(shared_dir: Path) -> None:
    from core.evaluation.pairs import people_by_fold, read_pairs

    told = json.loads((SHIPPED / "people.json").read_bytes())
    folds = people_by_fold(read_pairs(shared_dir / "data/lfw/pairs.txt", None))
    marks = set(told["people"])
    for fold, people in folds.items():
        assert {mark_of(name) in marks for name in people} == {fold <= 4}, fold
    assert {sha256(path) for path in SHIPPED.glob("*.safetensors")} <= set(told["weights"])


def test_an_evaluation_names_them_by_system(settings: Settings, tmp_path: Path) -> None:
    key = dataset(settings, "mine", train="Ada", val="Bo", test="Cy")
    file = weights(tmp_path / "tuned.safetensors", data_sha256=key)
    other = weights(tmp_path / "other.safetensors")
    systems = [open_system(SystemSpec(str(path), "bicubic")) for path in (file, other)]
    plain = Evaluation("dataset", "", "", {"people": 2}, {"verification": pd.DataFrame()})
    told = with_people_known(plain, systems, {"Ada", "Eve"}, settings)
    assert told.protocol["people_known"] == {"tuned, direct feed": 1}
    assert told.table("took_part").to_dict("records") == [{"system": "tuned, direct feed", "identity": "Ada"}]
    [sentence] = training_overlap(told.protocol)
    assert sentence.startswith("1 of 2 people took part in training or choosing tuned, direct feed:")
    assert with_people_known(plain, systems, {"Eve"}, settings) is plain and training_overlap(plain.protocol) == []
