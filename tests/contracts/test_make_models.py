"""`make models`: every line that trains, measures or exports is one that the command line understands."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from core.cli import run
from core.settings import PROJECT_ROOT

GIVEN = {"DATASET": "faces", "PHOTOGRAPHS": "lfw", "PAIRS": "pairs.txt", "CROPS": "crops", "FOLDS": "5-7"}


@pytest.fixture(scope="module")
def lines() -> list[list[str]]:
    """The command lines as make would run them, without their program."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    command = ["make", "-n", "-o", ".venv/.runtime-installed", "models", *(f"{k}={v}" for k, v in GIVEN.items())]
    said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    each = [shlex.split(line) for line in said.replace("\\\n", " ").splitlines() if "edgeface-studio" in line]
    return [words[1:] for words in each if words[0].endswith("edgeface-studio")]


def test_they_train_three_networks_and_measure_what_ships(lines: list[list[str]]) -> None:
    starts = [" ".join(words[:2]) for words in lines]
    assert [start for start in starts if start.startswith("train")] == [
        "train landmarks",
        "train finetune",
        "train dsr",
    ]
    assert starts.count("evaluate pairs") == 3
    shipped = {path.name for path in (PROJECT_ROOT / "data" / "models").glob("edgeface-*.*") if path.suffix != ".md"}
    assert {words[3].rpartition("/")[2] for words in lines if words[:2] == ["weights", "export"]} == shipped


def test_every_one_of_them_parses(lines: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    for words in lines:
        assert run([*words, "--help"]) == 0, words
    capsys.readouterr()
