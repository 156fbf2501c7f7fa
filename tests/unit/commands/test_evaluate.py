"""The evaluate commands with real runs: a recogniser that a package carries, a small data set, a process of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cli import run
from core.dataset.manifest import DatasetInfo, make_frame, write_dataset
from core.evaluation.result import read_evaluation
from core.gallery.operating_points import operating_points
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from tests.made_peer import made_peer
from tests.made_weights import official_tensors, save_encoder
from tests.unit.evaluation.sets import small_dataset


@pytest.fixture(scope="module")
def peer() -> str:
    return str(made_peer())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("sets") / "small", people=6, each=2, single=4).root


@pytest.fixture(autouse=True)
def not_nice(own_data_dir: Path) -> None:
    """Runs let other programs go first; tests that wait for them needn't."""
    assert run(["runs", "settings", "--niceness", "0"]) == 0


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 0, f"{out}\n{err}"
    return out


def test_a_data_set_is_evaluated_as_a_run_and_compared(
    dataset: Path, peer: str, capsys, own_data_dir, tmp_path
) -> None:
    common = ["--dataset-root", dataset, "--weights", peer, "--sizes", "HR,16", "--bootstrap", 20, "--sr-images", 2]
    out = told(capsys, "evaluate", "dataset", *common, "--gallery-size", 3, "--out", tmp_path / "out")
    assert "EER against HR, aligned, with peer, direct feed" in out and "Confused pairs" not in out.split("Open set")[0]
    [folder] = (own_data_dir / "runs" / "evaluate").iterdir()
    assert {"report.json", "report.html", "tables", "events.jsonl", "config.json"} <= {p.name for p in folder.iterdir()}
    assert (tmp_path / "out" / "tables" / "per_identity.csv").is_file()
    evaluation = read_evaluation(tmp_path / "out")
    assert evaluation.protocol["people"] == 10 and evaluation.protocol["run"].endswith(folder.name)
    assert evaluation.protocol["systems"][0]["kind"] == "onnx"
    # Again, by another threshold: nothing is embedded any more.
    again = json.loads(told(capsys, "evaluate", "dataset", *common, "--threshold", 0.5, "--json"))
    events = (Path(again["folder"]) / "events.jsonl").read_text()
    assert "embed" not in events and "measure" in events
    assert (
        again["figures"]["verification"] == json.loads((folder / "report.json").read_text())["figures"]["verification"]
    )
    compared = told(capsys, "evaluate", "compare", folder.name, again["run"], "--out", tmp_path / "compared")
    assert "Before and after" in compared and "0.00" in compared
    assert (tmp_path / "compared" / "report.html").is_file()


@pytest.mark.shared
def test_an_evaluation_becomes_its_weights_figure_unless_they_know_its_people(
    dataset: Path, capsys, own_data_dir, tmp_path, shared_dir
) -> None:
    """On the way that a user takes: evaluate, then ask what the weights are worth."""
    tensors = official_tensors(shared_dir)
    common = [
        "--dataset-root",
        dataset,
        "--sizes",
        "HR,16",
        "--bootstrap",
        20,
        "--sr-images",
        0,
        "--upscaler",
        "bicubic",
    ]

    def measured(name: str, data_sha256: str) -> tuple[dict[str, Any], Any]:
        file = save_encoder(tmp_path / f"{name}.safetensors", tensors, parent_sha256="a" * 64, data_sha256=data_sha256)
        report = json.loads(told(capsys, "evaluate", "dataset", *common, "--weights", file, "--json"))
        return report, json.loads(told(capsys, "weights", "info", file, "--json"))["card"]["measured"]

    report, figures = measured("others", "f" * 64)
    row = next(row for row in report["figures"]["verification"] if row["pairing"] == "VLR-HR")
    assert figures["source"] == "evaluation" and figures["upscaler"] == "bicubic"
    assert figures["eer_vlr_hr"]["16"] == {"value": row["eer"], "low": row["eer_low"], "high": row["eer_high"]}
    row = {"path": "train/hr_images/0.png", "identity": "Person 0", "split": "train", "kind": "hr", "size_px": 112}
    trained = DatasetInfo("trained", "identity-disjoint")
    key = write_dataset(own_data_dir / "datasets" / "trained", make_frame([row]), trained).key
    report, figures = measured("same", key)
    assert list(report["protocol"]["people_known"].values()) == [1] and figures is None
    assert read_evaluation(Path(report["folder"])).table("took_part")["identity"].tolist() == ["Person 0"]
    assert "took part in training or choosing" in told(
        capsys, "evaluate", "dataset", *common, "--weights", tmp_path / "same.safetensors"
    )


@pytest.mark.shared
def test_a_benchmark_names_who_took_part_in_the_weights(capsys, own_data_dir, tmp_path, shared_dir) -> None:
    lfw, names = shared_dir / "data" / "lfw" / "images", ("Adrien_Brody", "Ahmed_Chalabi")
    for name in names:
        for number in (1, 2):
            file = f"{name}_{number:04d}.jpg"
            (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(lfw / name / file, tmp_path / "images" / name / file)
    pairs = [
        "2\t1",
        *(
            "\t".join(one)
            for one in (
                (names[0], "1", "2"),
                (names[0], "1", names[1], "1"),
                (names[1], "1", "2"),
                (names[0], "2", names[1], "2"),
            )
        ),
    ]
    (tmp_path / "pairs.txt").write_text("\n".join(pairs))
    rows = [{"path": "x.png", "identity": names[1], "split": "train", "kind": "hr", "size_px": 112}]
    known = write_dataset(own_data_dir / "datasets" / "known", make_frame(rows), DatasetInfo("known", "unsplit"))
    tuned = save_encoder(tmp_path / "tuned.safetensors", official_tensors(shared_dir), data_sha256=known.key)
    out = told(
        capsys, "evaluate", "benchmark", "lfw", tmp_path, "--weights", tuned, "--upscaler", "bicubic", "--bootstrap", 10
    )
    assert "1 of 2 people took part in training or choosing tuned, direct feed: its figures are optimistic." in out


def test_calibrated_thresholds_are_stored_and_used(dataset: Path, peer: str, capsys, own_data_dir) -> None:
    out = told(
        capsys,
        "evaluate",
        "calibrate",
        "--dataset-root",
        dataset,
        "--weights",
        peer,
        "--sizes",
        "HR",
        "--fpir",
        0.9,
        "--gallery-size",
        2,
        "--draws",
        5,
        "--bootstrap",
        20,
        "--store",
        "--seed",
        3,
        "--json",
    )
    report = json.loads(out)
    [row] = report["figures"]["thresholds"]
    kept = json.loads((Path(report["folder"]) / "operating_points.json").read_text())
    if row["threshold"] is None:
        assert kept == []
        return
    assert kept[0]["threshold"] == row["threshold"] and kept[0]["run"] == report["run"]
    system = report["protocol"]["systems"][0]
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        [point] = operating_points(gallery, Space("", system["weights_sha256"], "bicubic", False))
    assert (point.threshold, point.gallery_size, point.run) == (row["threshold"], 2, report["run"])


def test_a_calibration_without_a_threshold_stores_none(dataset: Path, peer: str, capsys, own_data_dir) -> None:
    asked = ("--dataset-root", dataset, "--weights", peer, "--sizes", "HR", "--gallery-size", 2, "--draws", 2)
    out = told(capsys, "evaluate", "calibrate", *asked, "--fpir", 0.001, "--bootstrap", 5, "--store")
    assert "No threshold was stored." in out and "now uses them" not in out
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        assert (
            operating_points(gallery, Space("", hashlib.sha256(Path(peer).read_bytes()).hexdigest(), "bicubic", False))
            == []
        )


def test_a_calibration_is_for_what_the_gallery_is_enrolled_by(dataset: Path, peer: str, capsys, own_data_dir) -> None:
    asked = (
        "evaluate",
        "calibrate",
        "--dataset-root",
        dataset,
        "--weights",
        peer,
        "--upscaler",
        "bicubic",
        "--sizes",
        "HR",
        "--fpir",
        0.5,
        "--draws",
        2,
        "--bootstrap",
        5,
        "--json",
    )
    goal = json.loads(told(capsys, *asked, "--gallery-size", 2))["protocol"]["goal"]
    assert (goal["templates"], goal["enrol"], goal["confidence"], goal["frames"]) == ("HR", 1, 0.9, 1)
    weights = hashlib.sha256(Path(peer).read_bytes()).hexdigest()
    space = Space("peer", weights, "bicubic", False)
    vectors = np.eye(512, dtype=np.float32)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        for name, first in (("Ada", 0), ("Bo", 10)):
            full = [NewTemplate(row, "hr", 112.0) for row in vectors[first : first + 2]]
            gallery.enrol(name, [*full, NewTemplate(vectors[first + 2], "sr", 16.0, 16)], space=space)
    goal = json.loads(told(capsys, *asked))["protocol"]["goal"]
    assert (goal["templates"], goal["enrol"], goal["gallery_size"]) == ("HR,16", 2, 2)
    report = json.loads(told(capsys, *asked, "--templates", "hr,32", "--enrol", 1, "--confidence", 0))
    assert (report["protocol"]["goal"]["templates"], report["protocol"]["goal"]["enrol"]) == ("HR,32", 1)
    assert report["protocol"]["goal"]["confidence"] == 0
    assert report["text"].endswith("HR not enough data."), "no rate is claimed without a threshold"


def test_notes_folders_can_be_evaluated_as_they_are(peer: str, capsys, tmp_path: Path) -> None:
    """.../test with hr_images and vlr_images in it, as the notes have it; their own VLR is used on demand."""
    from core.images import encode_image, resize
    from tests.unit.evaluation.sets import crops

    for who, (identity, pictures) in enumerate(crops(3, 2).items()):
        for number, rgb in enumerate(pictures):
            name = f"{who + 1:03d}_0{number + 1}_01_051_00_crop_128.png"
            for kind, picture in (("hr_images", rgb), ("vlr_images", resize(rgb, 32))):
                path = tmp_path / "frontal_only" / "test" / kind / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_image(picture, "png"))
        assert identity
    out = told(
        capsys,
        "evaluate",
        "dataset",
        "--dataset-root",
        tmp_path / "frontal_only" / "test",
        "--edgeface-weights",
        peer,
        "--sizes",
        "32",
        "--degradation",
        "stored",
        "--bootstrap",
        0,
        "--sr-images",
        0,
        "--json",
    )
    report = json.loads(out)
    assert (report["protocol"]["people"], report["protocol"]["pictures"]) == (3, 6)
    assert {row["degradation"] for row in report["figures"]["verification"]} == {"stored"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dataset",), "Name the data set"),
        (("dataset", "--dataset-root", "nowhere"), "no data set at"),
        (("pairs", ".", "missing.txt"), "missing.txt"),
        (("calibrate", "--dataset-root", "x"), "--fpir 0.01"),
        (("calibrate", "--fpir", "0.1", "--far", "0.1"), "one of them"),
        (("calibrate", "--far", "0.1", "--images", "x"), "--pairs FILE"),
        (("calibrate", "--fpir", "0.1", "--dataset-root", "."), "--gallery-size"),
        (("benchmark", "tinyface", "nowhere"), "no folder"),
        (("benchmark", "tinyface", "."), "Gallery_Match"),
        (("compare", "a", "b"), "no run"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, words, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err and err.startswith("error: ") and err.count("\n") == 1


def test_sizes_are_any_small_ones_and_hr(capsys) -> None:
    from core.commands.evaluate.options import folds_given, sizes_of
    from core.commands.shared.common import UsageMistake

    assert sizes_of("HR, 16,12,16") == [None, 16, 12] and sizes_of("curve")[0] is None and len(sizes_of("curve")) == 8
    assert folds_given("1-3,7") == [1, 2, 3, 7] and folds_given(None) is None
    for text in ("7", "112", "big", ""):
        with pytest.raises(UsageMistake):
            sizes_of(text)
    for text in ("3-1", "x", ""):
        with pytest.raises(UsageMistake):
            folds_given(text)
