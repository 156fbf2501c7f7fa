"""`dataset` from the command line: codes, JSON, and one line for a mistake."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from core.cli import run
from core.images import encode_image, resize


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    """The notes' layout: two people in train, another in val."""
    for number, (split, who) in enumerate(
        (split, who) for split, who in (("train", "001"), ("train", "002"), ("val", "006")) for _ in range(6)
    ):
        coarse = np.random.default_rng(number).integers(20, 235, (8, 8, 3)).astype(np.uint8)
        for kind, size in (("hr", 112), ("vlr", 32)):
            path = tmp_path / "faces" / split / f"{kind}_images" / f"{who}_01_01_051_{number:02}_crop_{size}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_image(resize(coarse, size), "png"))
    return tmp_path / "faces"


def said(capsys: pytest.CaptureFixture[str]) -> object:
    return json.loads(capsys.readouterr().out)


def test_scan_build_list_show_and_check(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dataset", "scan", str(source), "--json"]) == 0
    assert said(capsys)["layout"] == "notes"
    assert run(["dataset", "check", str(source)]) == 0
    assert "Validation accuracy will stay at 0 %: nobody in val is in train" in capsys.readouterr().out
    assert run(["dataset", "check", str(source), "--strict"]) == 1
    capsys.readouterr()
    assert run(["dataset", "build", str(source), "--seed", "3"]) == 0
    assert "Split ratio: 83.3% train / 16.7% val" in capsys.readouterr().out
    assert run(["dataset", "check", "faces-closed-set", "--strict"]) == 0
    capsys.readouterr()
    assert run(["dataset", "list", "--json"]) == 0
    assert [(row["name"], row["pairs"]) for row in said(capsys)] == [("faces-closed-set", 18)]
    assert run(["dataset", "show", "faces-closed-set", "--json"]) == 0
    assert said(capsys)["seed"] == 3


def test_a_leak_is_exit_code_1(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hr = sorted((source / "train" / "hr_images").iterdir())[0]
    for kind in ("hr", "vlr"):
        twin = hr.parents[1] / f"{kind}_images" / hr.name.replace("112", "112" if kind == "hr" else "32")
        target = source / "val" / f"{kind}_images" / twin.name.replace("001_", "006_", 1)
        target.write_bytes(twin.read_bytes())
    assert run(["dataset", "check", str(source), "--json"]) == 1
    assert "duplicate_exact" in [finding["code"] for finding in said(capsys)["findings"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "gone"),
        ("build", "gone"),
        ("check", "gone"),
        ("show", "gone"),
        ("ingest", "gone"),
        ("ingest", "gone-{0..3}.tar"),
        ("ingest", "FACES", "--shards", "many"),
        ("ingest", "FACES", "--shards", "0MB"),
        ("scan", ""),
        ("build", "FACES", "--only", "camera"),
        ("build", "FACES", "--only", "mood=good"),
        ("build", "FACES", "--seed", "-1"),
        ("build", "FACES", "--out", "FACES"),
        ("scan", "FACES", "--column", "size=x"),
        ("scan", "FACES", "--pattern", "("),
        ("build", "FACES", "--val-share", "2"),
        ("show", "FACES"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_code_2(arguments, source: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(source.parent)
    assert run(["dataset", *(str(source) if argument == "FACES" else argument for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1


def test_shards_are_read_by_a_pattern_and_written_by_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        with tarfile.open(tmp_path / f"people-{number}.tar", "w") as archive:
            for who in ("Ann", "Ben"):
                content = encode_image(np.full((112, 112, 3), 60 + 90 * number, np.uint8), "png")
                info = tarfile.TarInfo(f"{who}/{number}.png")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    pattern = str(tmp_path / "people-{0..1}.tar")
    assert run(["dataset", "scan", pattern, "--json"]) == 0
    found = said(capsys)
    assert found["layout"] == "crops" and found["counts"]["hr"] == 4 and "2 tar shards" in found["why"]
    started: list[dict[str, object]] = []
    monkeypatch.setattr(
        "core.commands.dataset.making.run_to_end", lambda kind, values, *_, **__: started.append(values)
    )
    assert run(["dataset", "ingest", pattern, "--shards", "1GB"]) == 0
    [values] = started
    assert (values["source"], values["shard_mb"]) == (pattern, 1000)
    assert str(values["out"]).endswith("datasets/people")
