"""Where a match rests: a planted spot is found, and on real faces the map says more than chance does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from core.faces.align import align
from core.faces.detect import Detector
from core.faces.face import choose_faces
from core.images import read_image
from core.inspection.saliency import covered, filling, most_salient, saliency
from core.settings import load_settings


def test_the_only_spot_that_counts_is_found() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    spot = (slice(40, 56), slice(72, 88))

    def encode(crops: np.ndarray) -> np.ndarray:
        """(1, 0) while the spot is as it was, (0, 1) when all of it changed."""
        changed = (crops[:, spot[0], spot[1]] != crop[spot]).any(axis=3).mean(axis=(1, 2))
        angle = changed * np.pi / 2
        return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)

    found = saliency(encode, crop, np.array([1, 0], np.float32))
    assert found.score == pytest.approx(1) and found.heat.shape == (112, 112) and found.covered == 15 * 15
    inside = np.zeros((112, 112), bool)
    inside[spot] = True
    assert found.heat[inside].min() > 0 and found.heat[:16].max() == 0
    top = most_salient(found.heat, 0.02)
    assert top.sum() == round(0.02 * 112 * 112) and (top & inside).sum() / top.sum() > 0.9


def test_the_top_share_is_exact_also_among_equals() -> None:
    assert most_salient(np.zeros((112, 112), np.float32)).sum() == round(0.10 * 112 * 112)


def test_covering_changes_the_mask_alone_and_leaves_no_feature() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    mask = np.zeros((112, 112), bool)
    mask[10:30, 10:30] = True
    hidden = covered(crop, mask)
    assert np.array_equal(hidden[~mask], crop[~mask]) and not np.array_equal(hidden[mask], crop[mask])
    assert filling(crop).std() < crop.std() / 8


@pytest.mark.shared
def test_covering_the_top_tenth_lowers_the_score_more_than_a_random_tenth(shared_dir: Path, own_data_dir: Path) -> None:
    """A few faces here; 100 by `inspect --dataset NAME --split test --saliency 100`."""
    from core.encoder.encode import load_encoder
    from core.inspection.saliency_trial import top_tenth

    (own_data_dir / "weights").mkdir()
    weights = own_data_dir / "weights" / "edgeface_xxs_q.pt"
    shutil.copy(shared_dir / "weights" / weights.name, weights)
    assert load_settings().data_dir == own_data_dir
    encoder, detector = load_encoder(weights, device="cpu"), Detector()
    drops = []
    folders = sorted((shared_dir / "data/lfw/images").iterdir())[:400:130]
    for number, folder in enumerate(folders):
        rgb = read_image(sorted(folder.iterdir())[0])
        crop = align(rgb, choose_faces(detector.detect(rgb), "centre", rgb.shape)[0].landmarks)
        drops.append(top_tenth(encoder.encode, crop, encoder.encode([crop])[0], np.random.default_rng(number)))
    assert len(drops) == 4 and all(drop.top > max(drop.elsewhere, drop.scattered) for drop in drops)
