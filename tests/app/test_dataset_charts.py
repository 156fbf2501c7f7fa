"""The data set's charts say what was counted."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.manifest import count, make_frame
from dashboard.datasets.charts import SPLIT_COLOURS, amounts_figure, people_figure, split_figure

rows = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["train", "val", "test", ""])), min_size=1)


def table_of(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["identity", "split"])


@settings(deadline=None, max_examples=40)
@given(rows)
def test_the_bars_add_up_to_the_images(pairs: list[tuple[str, str]]) -> None:
    table = table_of(pairs)
    figure = people_figure(table)
    assert sum(sum(bar.x) for bar in figure.data) == len(pairs)
    order = [sum(bar.x[i] for bar in figure.data) for i in range(table["identity"].nunique())]
    assert order == sorted(order, reverse=True)
    amounts = amounts_figure(table).data[0]
    assert sum(amounts.y) == table["identity"].nunique()
    assert sum(x * y for x, y in zip(amounts.x, amounts.y, strict=True)) == len(pairs)


def test_images_and_people_of_each_split() -> None:
    frame = make_frame(
        [
            {"path": f"{i}.png", "identity": who, "split": split, "kind": "hr", "pair": str(i)}
            for i, (who, split) in enumerate([("a", "train"), ("a", "train"), ("b", "train"), ("c", "val")])
        ]
    )
    images, people = split_figure(count(frame)).data
    assert list(images.y) == ["train", "val"] and list(images.x) == [3, 1] and list(people.x) == [2, 1]
    assert list(images.text) == ["3 (75 %)", "1 (25 %)"] and list(people.text) == ["2", "1"]
    assert list(images.marker.color) == [SPLIT_COLOURS["train"], SPLIT_COLOURS["val"]]


def test_only_the_most_are_named_and_names_are_text() -> None:
    table = table_of([("<b>x</b>", "train")] * 3 + [(f"p{i}", "val") for i in range(50)])
    figure = people_figure(table, most=10)
    labels = list(figure.layout.yaxis.ticktext)
    assert len(labels) == 10 and labels[0] == "&lt;b&gt;x&lt;/b&gt;"


@pytest.mark.parametrize(("many", "kind"), [(200, "log"), (20, "linear")])
def test_an_axis_is_logarithmic_where_one_number_is_far_commoner(many: int, kind: str) -> None:
    table = table_of([(f"p{i}", "") for i in range(many)] + [("q", "")] * 9)
    figure = amounts_figure(table)
    assert figure.layout.yaxis.type == kind
    assert ("logarithmic" in figure.layout.yaxis.title.text) == (kind == "log")
