"""The comparisons of `make bench`: figures of both sides, and how they are computed."""

from __future__ import annotations

import numpy as np
import pytest

from core.bench.row import outcomes
from core.bench.run import run_bench
from core.evaluation.pairs import Pair, Photo
from core.settings import PROJECT_ROOT, load_settings
from core.system.cpu import cpu_has_bfloat16
from tests.benchmarks.accuracy import all_pairs_eer, eer
from tests.benchmarks.parts import PARTS


def test_embedding_is_measured_beside_plain_pytorch(own_data_dir, monkeypatch):
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))
    monkeypatch.delenv("EDGEFACE_SHARED", raising=False)
    made = run_bench(load_settings(), only=["embed"], parts=PARTS, quick=True)
    rows = {row.name: row for row in made.rows}
    assert {"embed-32", "embed-1"} <= set(rows)
    assert ("embed-32-float32" in rows) == cpu_has_bfloat16()
    assert rows["embed-32"].ratio == pytest.approx(rows["embed-32"].ours / rows["embed-32"].baseline)
    assert rows["embed-1"].ratio == pytest.approx(rows["embed-1"].baseline / rows["embed-1"].ours)
    assert made.quick and outcomes(load_settings()) == [made]


def test_the_rival_network_has_5_6_million_parameters_and_enlarges_to_112_px():
    import torch

    from tests.benchmarks.rival_dsr import RivalDSR

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
