"""Figures by group, from `evaluate groups` on a CSV to the Accuracy page."""

from __future__ import annotations

import json
from pathlib import Path

from core.cli import run as run_command
from core.evaluation.result import read_evaluation
from tests.app.conftest import OpenPage, shown
from tests.made_peer import made_peer
from tests.unit.evaluation.sets import small_dataset


def test_similarity_by_source_is_measured_printed_and_shown_open(
    open_page: OpenPage, own_data_dir: Path, tmp_path: Path, capsys
) -> None:
    dataset = small_dataset(tmp_path / "small", people=4, each=2, single=0)
    rows = zip(dataset.frame["path"], dataset.frame["identity"], strict=True)
    listed = [f"{dataset.file(path)},{who},{'Odd' if int(who[-1]) % 2 else 'Even'}" for path, who in rows]
    (tmp_path / "index.csv").write_text("\n".join(["path,identity,source", *listed]))
    command = ["evaluate", "groups", "--dataset-root", str(tmp_path / "index.csv"), "--by", "source"]
    command += ["--weights", str(made_peer()), "--sizes", "16", "--degradation", "bicubic", "--bootstrap", "20"]
    assert run_command([*command, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "by group (95 % intervals)" in printed, "a cosine is no rate"
    table = read_evaluation(tmp_path / "out").table("similarity")
    assert list(table["group"]) == ["everyone", "Even", "Odd"] and list(table["images"]) == [8, 4, 4]
    assert all(f"{value:.3f}" in printed for value in table["similarity"])
    [run] = (own_data_dir / "runs" / "evaluate").iterdir()
    assert json.loads((run / "report.json").read_text())["protocol"]["data"] == "index.csv"
    app = open_page("accuracy", query={"run": f"evaluate/{run.name}"})
    assert not app.exception and len(app.get("plotly_chart")) == 1
    [tables] = [each for each in app.expander if each.label.startswith("Small faces against")]
    assert tables.proto.expanded and "Rates in percent" not in shown(app)
    assert list(app.dataframe[0].value["group"]) == ["everyone", "Even", "Odd"]
