"""Tables of an evaluation, as files and for reading: wrong files are refused, and no name is run as a formula."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.evaluation.report_files import write_evaluation
from core.evaluation.result import Evaluation, ReportUnreadable, read_evaluation
from core.evaluation.table_format import compact


def test_names_that_a_spreadsheet_would_run_come_back_as_they_were(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"identity": ["=cmd()", "+x", "O'Neil", "'quoted", "007", ""], "value": [1.0, None, 2.0, 3.0, 5.0, 4.0]}
    )
    write_evaluation(Evaluation("dataset", "t", "x", {}, {"too_few": table}), tmp_path)
    assert (tmp_path / "tables" / "too_few.csv").read_text().splitlines()[1].startswith("'=cmd()")
    again = read_evaluation(tmp_path).table("too_few")
    assert again["identity"].tolist() == table["identity"].tolist()


def test_a_folder_without_an_evaluation_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportUnreadable, match="no report"):
        read_evaluation(tmp_path)
    (tmp_path / "report.json").write_text('{"text": "ingested"}')
    with pytest.raises(ReportUnreadable, match="no evaluation"):
        read_evaluation(tmp_path)
    (tmp_path / "report.json").write_text('{"format": 99, "kind": "", "protocol": {}, "tables": []}')
    with pytest.raises(ReportUnreadable, match="newer"):
        read_evaluation(tmp_path)


def test_a_measured_rate_stays_in_the_short_table_even_where_all_rows_round_alike() -> None:
    rows = pd.DataFrame(
        {
            "mode": ["aligned"] * 2,
            "probe": ["HR", "16 px"],
            "far": [0.00098, 0.00098],
            "far_low": [0.0009] * 2,
            "far_high": [0.0011] * 2,
            "failure_to_acquire": [0.0, 0.0],
        }
    )
    assert compact("calibration", rows).to_dict("list") == {
        "probe": ["HR", "16 px"],
        "FAR": ["0.098 [0.090, 0.110]"] * 2,
    }
