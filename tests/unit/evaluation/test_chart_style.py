"""The shared chart style: names appear as typed, rows of equal names stay apart, texts stand at their lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.chart_style import add_level, add_vertical, label, log_axis, name_axis, new_figure


@given(st.text(max_size=40))
def test_a_label_reads_as_typed_and_holds_no_markup(name: str) -> None:
    shown = label(name, 60)
    assert "<" not in shown and ">" not in shown
    plain = shown
    for entity, sign in (("&lt;", "<"), ("&gt;", ">")):
        plain = plain.replace(entity, sign)
    assert plain.replace("&amp;", "&") == name


def test_quotation_marks_are_kept_because_plotly_does_not_decode_their_entity() -> None:
    assert label('Ann "Annie" O\'Neil') == 'Ann "Annie" O\'Neil'


def test_long_names_are_cut_before_they_are_escaped() -> None:
    assert label("<" * 30, 5) == "&lt;" * 4 + "…"


def test_equal_names_have_rows_of_their_own() -> None:
    axis = name_axis(["Ada", "Ada"])
    assert axis["tickvals"] == [0, 1] and axis["ticktext"] == ["Ada", "Ada"]


def test_lines_carry_their_texts() -> None:
    figure = new_figure("x", "y", height=200, legend="none", zoom=False)
    add_level(figure, 0.5, "chance")
    add_vertical(figure, 0.3, "threshold 0.30")
    assert [shape.y0 for shape in figure.layout.shapes] == [0.5, 0]
    assert [note.text for note in figure.layout.annotations] == ["chance", "threshold 0.30"]
    assert figure.layout.xaxis.title.text == "x" and figure.layout.xaxis.fixedrange and not figure.layout.showlegend


def test_a_logarithmic_axis_has_ticks_at_powers_of_ten() -> None:
    figure = new_figure(height=200).update_yaxes(**log_axis(exponentformat="power"))
    assert figure.layout.yaxis.type == "log" and figure.layout.yaxis.dtick == 1
