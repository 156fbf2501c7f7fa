"""Charts of error against reject: the leading measure by view, all measures at the smallest size, older tables."""

from __future__ import annotations

import pandas as pd

from core.evaluation.plots import reject_charts, reject_note

BY = ("system", "mode", "degradation", "probe", "pairing")


def table(*measures: str) -> pd.DataFrame:
    rows = [
        {"system": "XXS", "mode": "aligned", "degradation": "bicubic", "probe": f"{size} px", "size_px": size,
         "pairing": pairing, "measure": measure, "rejected": share, "eer": 0.05 - share / 10}
        for size in (32, 16) for pairing in ("VLR-VLR", "VLR-HR") for measure in measures for share in (0.0, 0.1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def names(figure) -> list[str]:
    return [trace.name for trace in figure.data]


def test_the_first_measure_leads_and_the_others_are_compared_at_the_smallest_size() -> None:
    (first, leading), (second, compared) = reject_charts(table("recognisability", "sharpness"), BY)
    assert first == "Error against reject by recognisability"
    assert names(leading) == ["32 px, VLR-VLR", "32 px, VLR-HR", "16 px, VLR-VLR", "16 px, VLR-HR"]
    assert second == "Error against reject by each measure, 16 px against HR"
    assert names(compared) == ["recognisability", "sharpness"]
    assert list(compared.data[0].x) == [0, 10]


def test_one_measure_alone_is_compared_with_nothing() -> None:
    [(_, chart)] = reject_charts(table("sharpness"), BY)
    assert len(chart.data) == 4


def test_a_table_of_an_earlier_version_names_no_measure() -> None:
    older = table("mirror agreement").drop(columns="measure")
    [(title, chart)] = reject_charts(older, BY)
    assert title == "Error against reject" and len(chart.data) == 4
    assert "mirror image, worst first" in reject_note(older)
    assert "sample of people" in reject_note(table("recognisability", "mirror agreement"))
    assert "mirror" not in reject_note(table("recognisability"))
