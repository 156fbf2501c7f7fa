"""A spreadsheet shows names as text, whatever they start with."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from core.csv_export import CsvLines, csv_bytes, csv_text, safe_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\n=1",
        " =1",
        "=cmd|' /C calc'!A0",
        "\u00a0=1",
        "\ufeff=1",
        "\u200b=1",
        "\x0b=1",
    ],
)
def test_formulas_become_text(text):
    assert safe_cell(text) == "'" + text
    frame = pd.read_csv(io.StringIO(csv_text(pd.DataFrame({"name": [text]}))))
    assert frame["name"][0] == "'" + text


def test_a_carriage_return_cannot_start_a_cell_of_its_own():
    table = csv_text(pd.DataFrame({"name": ["\r=1", "Ada\r=1", "a\r\nb"]}))
    assert "\r" not in table
    assert list(pd.read_csv(io.StringIO(table))["name"]) == ["'\n=1", "Ada\n=1", "a\nb"]


def test_names_and_numbers_stay_as_they_are():
    rows = pd.DataFrame({"name": ['Ada "A" Lovelace, Countess', "O'Brien"], "score": [-0.5, 0.25], "n": [1, -2]})
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(csv_text(rows))), rows)


def test_headers_are_cells_too():
    assert csv_text(pd.DataFrame({"=x": [1]})).startswith("'=x\n")


def test_empty_values_are_empty_cells():
    assert csv_text(pd.DataFrame({"name": [None, "Ada"], "score": [None, 0.5]})) == "name,score\n,\nAda,0.5\n"


def test_a_file_begins_with_the_mark_that_spreadsheets_go_by():
    content = csv_bytes(pd.DataFrame({"name": ["Zoë"]}))
    assert content == b"\xef\xbb\xbfname\nZo\xc3\xab\n"
    assert list(pd.read_csv(io.BytesIO(content))["name"]) == ["Zoë"]


def test_rows_are_in_the_file_as_they_come(tmp_path):
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = CsvLines(file, ("name", "score", "sure"))
        lines.add({"name": "=1+1", "score": -0.5, "sure": None, "other": 1})
        assert path.read_text("utf-8-sig") == "name,score,sure\n'=1+1,-0.5,\n"
        lines.add({"name": "a\r\nb", "sure": True})
    same = pd.DataFrame({"name": ["=1+1", "a\nb"], "score": [-0.5, None], "sure": [None, True]})
    assert path.read_bytes() == csv_bytes(same)


def test_a_pipe_gets_no_mark():
    buffer = io.StringIO()
    CsvLines(buffer, ("name",), mark=False)
    assert buffer.getvalue() == "name\n"
