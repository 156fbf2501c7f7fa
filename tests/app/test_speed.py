"""Speed: the next step while nothing was measured; then the table, the chart and what was measured before."""

from __future__ import annotations

from core.bench.row import Curve, Outcome, Row, write_outcome
from core.settings import load_settings
from dashboard.speed.view import growth_figure, history, table
from tests.app.conftest import OpenPage

ROWS = (
    Row(
        "embed-32", "Embedding, batch of 32", "images/s", 900.0, 130.0, 6.92, ">= 6x", True, "model(images)", "bfloat16"
    ),
    Row("embed-1", "Embedding, one crop", "ms", 3.0, 5.0, 1.67, ">= 2x", False, "model(images)"),
    Row("search-1000", "Search", skipped="faiss isn't installed"),
    Row("engine-1-x", "X, batch 1", "ms", 4.0, 5.0, 1.25),
)
CURVE = Curve("Ingest", "photographs", "s", (10.0, 100.0), (1.0, 10.0), (200.0, 210.0))


def outcome(at: str = "2026-11-25T10:00:00+00:00", quick: bool = False) -> Outcome:
    return Outcome(at, {"cpu": "A *CPU*", "threads": 2}, quick, 300.0, ROWS, (CURVE,))


def test_nothing_measured_yet_names_the_next_step(open_page: OpenPage) -> None:
    app = open_page("speed")
    assert not app.exception
    assert any("Nothing measured yet" in each.value for each in app.markdown)
    assert app.button(key="speed_measure").label == "Measure this machine"
    assert app.code[0].value == "edgeface-studio bench"


def test_the_latest_run_is_shown_beside_its_baselines(open_page: OpenPage) -> None:
    write_outcome(outcome(), load_settings())
    write_outcome(outcome("2026-11-25T11:00:00+00:00"), load_settings())
    app = open_page("speed")
    assert not app.exception
    assert app.selectbox(key="speed_run").options == ["2026-11-25 11:00 UTC", "2026-11-25 10:00 UTC"]
    assert any("1 of 2 targets met" in each.value for each in app.markdown)
    shown = app.dataframe[0].value
    assert list(shown["What"]) == ["Embedding, batch of 32", "Embedding, one crop", "Search"]
    assert list(shown["Result"]) == ["met", "missed", ""] and shown["Here"][2] == "not measured"
    assert any("faiss isn" in each.value for each in app.markdown)
    assert len(history([outcome(), outcome("2026-11-25T11:00:00+00:00")])) == 4


def test_a_quick_run_says_that_its_figures_mean_nothing(open_page: OpenPage) -> None:
    write_outcome(outcome(quick=True), load_settings())
    app = open_page("speed")
    assert any("mean nothing" in each.value for each in app.warning)
    assert history([outcome(quick=True)]).empty


def test_growth_is_drawn_in_seconds_on_logarithmic_axes() -> None:
    figure = growth_figure([CURVE, Curve("Search", "people", "ms", (10.0,), (2.0,))])
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert list(figure.data[0].y) == [1.0, 10.0] and list(figure.data[1].y) == [0.002]
    assert table(ROWS).shape == (4, 6)
