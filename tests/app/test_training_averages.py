"""The end of a training: the page shows the average that the run's file holds, and the shares beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.training import charts
from dashboard.training.averages import averages_table, read_averaged
from dashboard.training.data import read_entry
from tests.app.conftest import shown
from tests.app.training_page import opened
from tests.app.training_runs import record


def test_a_run_without_averages_has_none(tmp_path: Path):
    entry = read_entry(record(tmp_path, status="done"))
    assert entry.averaged is None
    assert entry.best_figures(("val.eer",)) == {"val.eer": entry.history.epochs().query("best")["val.eer"].iloc[-1]}
    assert read_entry(record(tmp_path, slug="running", averaged=0.5)).averaged is None


def test_the_figures_are_those_of_the_kept_average(tmp_path: Path):
    run = record(tmp_path, status="done", averaged=0.5)
    entry = read_entry(run)
    said = (run.report or {})["figures"]
    assert entry.best_figures(("val.eer", "val.similarity")) == {
        "val.eer": said["eer"],
        "val.similarity": said["similarity"],
    }
    epochs = entry.history.epochs()
    figure = charts.eer_chart(epochs, entry.history.before, averaged=entry.averaged)
    assert figure is not None
    mark = next(trace for trace in figure.data if trace.name == "average kept, 50 %")
    assert set(mark.x) == {epochs.query("best")["step"].iloc[-1]}
    assert list(mark.y) == [said["eer"] * 100, said["eer_vlr_vlr"] * 100]


def test_every_share_has_a_row_and_the_kept_one_is_bold(tmp_path: Path):
    entry = read_entry(record(tmp_path, status="done", averaged=0.5))
    assert entry.averaged is not None
    table = averages_table(entry.averaged, entry.history.before)
    assert table["fine-tuned"].tolist() == ["0 %: the start", "25 %", "**50 %: kept**", "75 %", "100 %"]
    assert table["EER"].tolist()[1] == "n/a" and table["EER"].tolist()[2].startswith("**")


def test_where_no_average_was_better_the_trained_weights_are_kept(tmp_path: Path):
    entry = read_entry(record(tmp_path, status="done", averaged=1))
    assert entry.averaged is not None and entry.averaged.share == 1
    assert averages_table(entry.averaged, {})["fine-tuned"].tolist()[-1] == "**100 %: kept**"
    figure = charts.eer_chart(entry.history.epochs(), averaged=entry.averaged)
    assert figure is not None and not any("average" in trace.name for trace in figure.data)


@pytest.mark.parametrize("report", [{}, {"averages": None}, {"averages": {"x": {}, "2": {}}}, {"averages": [1]}])
def test_a_report_of_another_version_has_no_averages(report: dict):
    assert read_averaged(report, {"val.eer": 0.1}) is None


def test_the_page_says_which_average_is_kept(open_page, own_data_dir):
    run = record(own_data_dir, status="done", averaged=0.5)
    text = shown(opened(open_page, run))
    assert "Then averaged with the starting weights (50 % fine-tuned); these are the average's figures." in text
    assert f"{(run.report or {})['figures']['eer'] * 100:.2f} %" in text
    assert "Averages with the starting weights" in text and "Diamonds: the best epoch averaged" in text
