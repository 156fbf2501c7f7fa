"""Measurements: what a row says follows from its numbers, and what was written is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.bench.measure import in_turns
from core.bench.row import Curve, Outcome, Row, bench_folder, outcomes, write_outcome
from core.bench.run import PARTS, BenchHooks, run_bench
from core.errors import SettingsInvalid
from core.settings import PROJECT_ROOT, load_settings
from core.system.cpu import cpu_has_bfloat16


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
    with pytest.raises(SettingsInvalid) as caught:
        run_bench(settings, only=["engines"])
    assert "make bench" in caught.value.next_step, "the comparisons are in tests/benchmarks"


def test_a_part_that_cant_be_measured_leaves_a_row_that_says_why(settings, monkeypatch):
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))
    monkeypatch.delenv("EDGEFACE_SHARED", raising=False)
    monkeypatch.setitem(PARTS, "search", ("core.bench.nothing_of_the_kind:rows",))
    heard = []
    made = run_bench(
        load_settings(),
        only=["search", "embed"],
        quick=True,
        hooks=BenchHooks(on_part=lambda *each: heard.append(each)),
    )
    assert [row.name for row in made.rows] == ["embed-32", "embed-1", "search"]
    skipped = made.rows[-1]
    assert skipped.skipped and skipped.ours is None and skipped.met is None
    assert heard == [("embed", 0, 2), ("search", 1, 2)]


def test_embedding_and_search_are_measured_without_a_baseline(own_data_dir, monkeypatch):
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))
    monkeypatch.delenv("EDGEFACE_SHARED", raising=False)
    made = run_bench(load_settings(), only=["embed", "search", "growth"], quick=True)
    rows = {row.name: row for row in made.rows}
    assert list(rows) == ["embed-32", "embed-1", "search-200", "search-1000", "gallery-open"]
    assert all(row.ours > 0 and row.baseline is None and row.ratio is None and not row.skipped for row in made.rows)
    assert [curve.name for curve in made.curves] == ["Identify: one search", "Ingest"]
    assert made.quick and outcomes(load_settings()) == [made]


def test_bfloat16_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("EDGEFACE_BFLOAT16", "off")
    assert not cpu_has_bfloat16()
