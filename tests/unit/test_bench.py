"""Measurements: what a row says follows from its numbers, and what was written is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.bench.measure import in_turns
from core.bench.row import Curve, Outcome, Row, bench_folder, outcomes, write_outcome
from core.bench.run import run_bench
from core.errors import SettingsInvalid
from core.settings import load_settings


@pytest.fixture
def settings(tmp_path: Path):
    return load_settings({"EDGEFACE_DATA_DIR": str(tmp_path)})


def test_calls_take_turns_and_the_order_turns_round():
    order: list[str] = []
    times = in_turns({name: lambda name=name: order.append(name) for name in "ab"}, rounds=3, warm_up=1)
    assert order == ["a", "b", *"ab", *"ba", *"ab"]
    assert [len(each.seconds) for each in times.values()] == [3, 3]
    assert all(each.median <= each.p99 for each in times.values())


def test_an_outcome_is_read_as_it_was_written_and_strange_files_are_passed_by(settings):
    row = Row("a", "A", "ms", 1.0, 2.0, 2.0, ">= 2x", True, "plain()", "note")
    made = Outcome(
        "2026-11-25T10:00:00+00:00", {"cpu": "x"}, False, 1.0, (row,), (Curve("c", "n", "s", (1.0,), (2.0,)),)
    )
    write_outcome(made, settings)
    (bench_folder(settings) / "other.json").write_text("[]")
    (bench_folder(settings) / "half.json").write_text("{")
    assert outcomes(settings) == [made]


def test_an_unknown_part_is_named(settings):
    with pytest.raises(SettingsInvalid, match="nonsense"):
        run_bench(settings, only=["nonsense"])
