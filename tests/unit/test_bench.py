"""Measurements: what a row says follows from its numbers, and what was written is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.bench.accuracy import all_pairs_eer, eer
from core.bench.measure import in_turns
from core.bench.row import Curve, Outcome, Row, bench_folder, outcomes, write_outcome
from core.bench.run import PARTS, run_bench
from core.errors import SettingsInvalid
from core.evaluation.pairs import Pair, Photo
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


def test_a_part_that_cant_be_measured_leaves_a_row_that_says_why(settings, monkeypatch):
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))
    monkeypatch.delenv("EDGEFACE_SHARED", raising=False)
    monkeypatch.setitem(PARTS, "search", ("core.bench.nothing_of_the_kind:rows",))
    heard = []
    made = run_bench(load_settings(), only=["search", "accuracy"], quick=True, on_part=lambda *each: heard.append(each))
    assert [row.name for row in made.rows] == ["search", "eer"]
    assert all(row.skipped and row.ours is None and row.met is None for row in made.rows)
    assert heard == [("search", 0, 2), ("accuracy", 1, 2)]


def test_embedding_is_measured_beside_plain_pytorch(own_data_dir, monkeypatch):
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))
    monkeypatch.delenv("EDGEFACE_SHARED", raising=False)
    made = run_bench(load_settings(), only=["embed"], quick=True)
    rows = {row.name: row for row in made.rows}
    assert {"embed-32", "embed-1"} <= set(rows)
    assert ("embed-32-float32" in rows) == cpu_has_bfloat16()
    assert rows["embed-32"].ratio == pytest.approx(rows["embed-32"].ours / rows["embed-32"].baseline)
    assert rows["embed-1"].ratio == pytest.approx(rows["embed-1"].baseline / rows["embed-1"].ours)
    assert made.quick and outcomes(load_settings()) == [made]


def test_bfloat16_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("EDGEFACE_BFLOAT16", "off")
    assert not cpu_has_bfloat16()


def test_the_rival_network_has_5_6_million_parameters_and_enlarges_to_112_px():
    import torch

    from core.bench.rival_dsr import RivalDSR

    rival = RivalDSR().eval()
    assert sum(tensor.numel() for tensor in rival.parameters()) == pytest.approx(5.6e6, rel=0.01)
    with torch.no_grad():
        assert rival(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 112, 112)


def test_the_eer_goes_by_cosines_whatever_the_vectors_lengths():
    photos = [Photo("A", 1), Photo("A", 2), Photo("B", 1), Photo("B", 2)]
    vectors = np.array([[2, 0], [9, 1], [0, 1], [0.1, 5]], np.float32)
    pairs = [
        Pair(1, True, photos[0], photos[1]),
        Pair(1, True, photos[2], photos[3]),
        Pair(1, False, photos[0], photos[2]),
        Pair(1, False, photos[1], photos[3]),
    ]
    assert eer(pairs, photos, vectors) == 0.0
    assert eer(pairs, photos, vectors[[0, 2, 1, 3]]) == 1.0  # the wrong ones are alike
    assert all_pairs_eer(photos, vectors) == 0.0  # two genuine pairs, four impostor pairs
    assert all_pairs_eer(photos, vectors[[0, 2, 1, 3]]) == pytest.approx(0.5)
