"""`edgeface-studio diagnose`: exit codes, JSON, and what can't be asked."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from core.cli import run
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def enrol(data_dir, *, twice: bool) -> None:
    """Ada and Bo, three photographs each; with `twice` Ada has a second name, one that a spreadsheet would run."""
    random = np.random.default_rng(5)
    ada, bo = unit(random.normal(size=(2, 512)))
    with Gallery.open(data_dir / "gallery.db") as gallery:
        for name, centre in (("Ada", ada), ("Bo", bo), *([("=Ada", ada)] if twice else [])):
            vectors = unit(centre + 0.02 * random.normal(size=(3, 512)))
            templates = [
                NewTemplate(vector, "hr", 140.0, image_sha256=f"{name} {n}") for n, vector in enumerate(vectors)
            ]
            gallery.enrol(name, templates, space=SPACE)


def test_a_sound_gallery_ends_with_0_and_a_double_name_with_1(own_data_dir, capsys):
    enrol(own_data_dir, twice=False)
    assert run(["diagnose", "gallery"]) == 0
    assert "No problems were found among 2 people with 6 photographs." in capsys.readouterr().out


def test_a_double_name_is_told_as_json_too(own_data_dir, capsys):
    enrol(own_data_dir, twice=True)
    assert run(["diagnose", "gallery", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    [trouble] = told["troubles"]
    assert (trouble["code"], trouble["name"], trouble["other"], trouble["serious"]) == (
        "two_names",
        "Ada",
        "=Ada",
        True,
    )


def test_a_map_of_the_gallery_is_written_safe_for_spreadsheets(own_data_dir, tmp_path, capsys):
    enrol(own_data_dir, twice=True)
    out = tmp_path / "map.csv"
    assert run(["diagnose", "map", "--of-gallery", "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["points"], told["method"], told["nearest_same_on_map"]) == (9, "pca", None) and told["explained"] > 0.5
    table = pd.read_csv(out)
    assert len(table) == 9 and sorted(table["identity"].unique()) == ["'=Ada", "Ada", "Bo"]
    assert run(["diagnose", "map", "--of-gallery", "--out", str(out)]) == 2  # never over a file that is there


def test_a_file_that_holds_no_weights_ends_with_1(own_data_dir, tmp_path, capsys):
    path = tmp_path / "text.pt"
    path.write_text("no weights")
    assert run(["diagnose", "weights", str(path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["ok"] and "can't be read" in told["problem"]


@pytest.mark.parametrize(
    "line",
    [
        ["gallery"],
        ["weights"],
        ["weights", "nonsense"],
        ["map"],
        ["map", "--of-gallery"],
        ["map", "--dataset-root", "x"],
        ["map", "--of-gallery", "--out", "map.txt"],
        ["similarity"],
        ["similarity", "--dataset-root", "nowhere"],
    ],
)
def test_what_cannot_be_asked_is_one_line_and_code_2(line, own_data_dir, capsys):
    assert run(["diagnose", *line]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and len(err.splitlines()) == 1
