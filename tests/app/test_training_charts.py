"""Charts and words of a training run: what they draw and say follows from the figures, nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from core.training.history import History, read_history
from core.training.run_events import Plan
from dashboard.training import charts
from dashboard.training.compare import over_all_pairs
from dashboard.training.curve_panel import bicubic_rows
from dashboard.training.data import best_figures, best_row
from dashboard.training.labels import accuracy_explanation, data_name, figure_text, weights_name
from dashboard.training.log import LogTail, matching
from tests.app.training_runs import record


def history(tmp_path: Path, kind: str = "finetune", **more) -> History:
    return read_history(record(tmp_path, kind, **more).events_path)


def line(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def test_losses_are_drawn_as_recorded(tmp_path):
    recorded = history(tmp_path, epochs=7)
    epochs, trace = recorded.epochs(), recorded.trace()
    figure = charts.loss_chart(epochs, trace)
    assert list(line(figure, "train").y) == epochs["train.loss"].tolist()
    assert list(line(figure, "train").x) == [1, 2, 3, 4, 5, 6, 7]
    assert list(line(figure, "within epochs").x) == trace["position"].tolist()


def test_a_stage_begins_where_the_epochs_say_so_also_when_one_ended_early(tmp_path):
    epochs = history(tmp_path, epochs=7).epochs()
    assert [shape.x0 for shape in charts.loss_chart(epochs, _no_trace()).layout.shapes] == [5]
    early = epochs[epochs["step"].isin([1, 2, 3])].copy()
    early.loc[early.index[-1], "stage"] = "stage2"
    assert [shape.x0 for shape in charts.loss_chart(early, _no_trace()).layout.shapes] == [2]


def test_the_chance_level_stands_beside_accuracy(tmp_path):
    epochs = history(tmp_path, epochs=4, identities=518).epochs()
    figure = charts.accuracy_chart(epochs, 1 / 518, notes=True)
    assert figure is not None and figure.layout.shapes[0].y0 == pytest.approx(100 / 518)
    assert [note.text for note in figure.layout.annotations] == ["chance 0.19 %"]
    band = line(figure, "notes: train")
    assert max(band.y) == 85 and list(band.x)[:5] == [1, 3, 5, 10, 20]


def test_error_rates_begin_at_0_with_what_was_before_training_and_the_best_is_marked(tmp_path):
    recorded = history(tmp_path, "dsr", status="done")
    figure = charts.eer_chart(recorded.epochs(), recorded.before, recorded.bicubic)
    assert figure is not None
    assert line(figure, "VLR-HR").x[0] == 0 and line(figure, "VLR-HR").y[0] == recorded.before["val.eer"] * 100
    row = best_row(recorded.epochs())
    assert row is not None and list(line(figure, "best").x) == [row["step"]]
    assert {"16 px", "24 px", "32 px"} <= {trace.name for trace in figure.data}
    assert any(note.text == "bicubic" for note in figure.layout.annotations)


def test_a_dsr_s_pixels_have_bicubics_level_in_the_same_colour(tmp_path):
    recorded = history(tmp_path, "dsr", epochs=3)
    figure = charts.picture_chart(recorded.epochs(), "psnr_db", recorded.before, recorded.bicubic)
    assert figure is not None
    levels = {shape.line.color: shape.y0 for shape in figure.layout.shapes}
    for size, level in ((16, 22.1), (24, 25.8), (32, 28.4)):
        assert levels[line(figure, f"{size} px").line.color] == level
    assert charts.picture_chart(history(tmp_path, epochs=3).epochs(), "psnr_db") is None


def test_what_wasnt_measured_isnt_drawn(tmp_path):
    nothing = history(tmp_path, epochs=0).epochs()
    for draw in (
        charts.accuracy_chart,
        charts.eer_chart,
        charts.similarity_chart,
        charts.parts_chart,
        charts.rate_chart,
    ):
        assert draw(nothing) is None
    dsr = history(tmp_path, "dsr", epochs=3).epochs()
    assert charts.accuracy_chart(dsr) is None
    axis = charts.parts_chart(dsr).layout.yaxis
    values = [value for trace in charts.parts_chart(dsr).data for value in trace.y]
    low, high = (10**end for end in axis.range)
    assert axis.type == "log" and low < min(values) and max(values) < high
    assert sum(low < 10**power < high for power in range(-9, 9)) >= 2, "one tick tells no scale"


def test_several_runs_stand_in_one_chart(tmp_path):
    runs = {"A": history(tmp_path, epochs=4).epochs(), "B": history(tmp_path, "dsr", epochs=2).epochs()}
    figure = charts.compare_chart(runs, "val.eer")
    assert figure is not None and [len(trace.x) for trace in figure.data] == [4, 2]
    assert [trace.name for trace in charts.compare_chart(runs, "val.psnr_db").data] == ["B"]
    assert charts.compare_chart(runs, "val.nothing") is None


def test_error_rates_over_other_pairs_are_not_compared_in_silence():
    plain, alike = Plan(), Plan(pairs="people alike")
    assert over_all_pairs({"A": plain, "B": alike, "C": None}) == ["A", "C"]
    assert over_all_pairs({"A": plain, "B": plain}) == over_all_pairs({"A": alike}) == over_all_pairs({}) == []


def test_better_than_bicubic_is_bold_and_worse_isnt():
    row = pd.Series({"val.by_size.16.psnr_db": 22.5, "val.by_size.16.eer": 0.07, "best": True})
    [cells] = bicubic_rows(row, ["16"], {"val.by_size.16.psnr_db": 22.1, "val.by_size.16.eer": 0.062})
    assert cells == {
        "size": "16 px",
        "PSNR": "**22.50 dB** (bicubic 22.10 dB)",
        "EER": "7.00 % (bicubic 6.20 %)",
    }


def test_the_best_epoch_is_the_last_that_was_called_so():
    epochs = pd.DataFrame({"step": [1.0, 2.0, 3.0], "best": [True, True, False], "val.eer": [0.3, 0.1, 0.2]})
    assert best_figures(epochs) == {"val.eer": 0.1}
    assert best_figures(epochs.assign(best=False)) == {"val.eer": 0.2}
    assert best_figures(epochs.iloc[:0]) == {}


def test_zero_percent_in_the_first_epoch_is_explained(tmp_path):
    recorded = history(tmp_path, epochs=1)
    words = accuracy_explanation(recorded.plan, recorded.epochs(), "notes")
    assert words.startswith("0 % in epoch 1 is normal for 518 people: chance is 0.19 %.")
    assert words.endswith("By epoch 3 the notes expect 5 to 15 % in training.")


def test_later_the_notes_expectation_stands_beside_the_run(tmp_path):
    recorded = history(tmp_path, epochs=12)
    accuracy = recorded.epochs()["train.accuracy"].iloc[-1]
    words = accuracy_explanation(recorded.plan, recorded.epochs(), "notes")
    assert f"Training accuracy is {accuracy * 100:.1f} % after epoch 12" in words
    assert "the notes expect 40 to 60 % by epoch 10: higher." in words and "By epoch 20" in words
    assert accuracy_explanation(recorded.plan, recorded.epochs(), "mine") == ""


def test_without_shared_people_accuracy_isnt_promised(tmp_path):
    recorded = history(tmp_path, epochs=3, shared=0)
    words = accuracy_explanation(recorded.plan, recorded.epochs(), "notes")
    assert "validation accuracy isn't measured: use EER" in words and "Validation accuracy is" not in words
    recorded = history(tmp_path, "starter", epochs=2)
    assert "no accuracy" in accuracy_explanation(recorded.plan, recorded.epochs(), "starter")


def test_figures_have_their_unit_and_nothing_measured_is_no_zero():
    assert figure_text("val.eer", 0.0231) == "2.31 %" and figure_text("val.psnr_db", 28.4) == "28.40 dB"
    assert figure_text("val.eer", None) == figure_text("val.eer", math.nan) == "n/a"


def test_names_of_what_a_config_holds():
    assert data_name({"dataset": "/data/sets/lfw"}) == "lfw" and data_name({"train_dir": "/x/train"}) == "train"
    assert data_name({}) == "no data set"
    assert weights_name("/data/weights/mine.safetensors") == "mine" and weights_name("bicubic") == "bicubic"


def test_a_log_is_read_on_line_by_line(tmp_path):
    path = tmp_path / "output.log"
    tail = LogTail(path)
    assert tail.lines() == []
    path.write_text("one\ntwo")
    assert tail.lines() == ["one", "two"]
    with path.open("a") as log:
        log.write(" and a half\nthree\n")
    assert tail.lines() == ["one", "two and a half", "three"]
    assert matching(tail.lines(), "HALF two") == ["two and a half"] and matching(["a"], "") == ["a"]


def _no_trace() -> pd.DataFrame:
    return pd.DataFrame({"position": [], "loss": [], "per_second": []})
