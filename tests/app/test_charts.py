"""The score bars say what was measured: order, threshold, colours, names as typed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.chart_style import ACCEPTED, NEUTRAL
from dashboard.ui.charts import score_bars

scored = st.lists(st.tuples(st.text(max_size=60), st.floats(-1, 1)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=40)
@given(scored, st.floats(-1, 1))
def test_a_bar_is_accepted_where_the_score_reaches_the_threshold(
    rows: list[tuple[str, float]], threshold: float
) -> None:
    figure = score_bars([name for name, _ in rows], [score for _, score in rows], threshold, calibrated=False)
    expected = [ACCEPTED if score >= threshold else NEUTRAL for _, score in rows]
    assert list(figure.data[0].marker.color) == expected
    assert list(figure.data[0].x) == [score for _, score in rows]
    low, high = figure.layout.xaxis.range
    assert high == 1.0 and low <= min(score for _, score in rows) and low <= threshold


def test_the_best_is_on_top_and_equal_names_stay_apart() -> None:
    figure = score_bars(["Ada", "Ada"], [0.6, 0.2], 0.35, calibrated=False)
    assert list(figure.data[0].y) == [0, 1]
    assert figure.layout.yaxis.autorange == "reversed"
    assert list(figure.layout.yaxis.ticktext) == ["Ada", "Ada"]


def test_names_are_text_and_never_markup() -> None:
    figure = score_bars(['<a href="x">b</a>', "x" * 80], [0.6, 0.2], 0.35, calibrated=False)
    first, second = figure.layout.yaxis.ticktext
    assert first.startswith('&lt;a href="x"&gt;') and "<" not in first
    assert len(second) <= 22 and second.endswith("…")


@pytest.mark.parametrize(("calibrated", "text"), [(False, "threshold 0.35, uncalibrated"), (True, "threshold 0.35")])
def test_the_threshold_says_whether_it_is_calibrated(calibrated: bool, text: str) -> None:
    figure = score_bars(["Ada"], [0.6], 0.35, calibrated=calibrated)
    assert [note.text for note in figure.layout.annotations] == [text]
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0.35


def test_a_score_s_text_never_lies_under_the_threshold_line() -> None:
    figure = score_bars(["a", "b", "c", "d", "e"], [0.6, 0.3, 0.1, -0.001, -0.2], 0.35, calibrated=False)
    assert list(figure.data[1].x) == [0.6, 0.35, 0.1, 0.0, 0.0]
    assert [text.strip() for text in figure.data[1].text] == ["0.60", "0.30", "0.10", "0.00", "-0.20"]


def test_a_name_without_a_score_is_refused() -> None:
    with pytest.raises(ValueError, match="2 names and 1 scores"):
        score_bars(["a", "b"], [0.1], 0.35, calibrated=False)
