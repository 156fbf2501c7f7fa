"""Many faces: figures kept as they are made, broken off and gone on with, ordered by what one looks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import SettingsInvalid, StorageFailed
from core.evaluation.pictures import Picture
from core.inspection import survey as surveys
from core.inspection.reference import Reference
from core.inspection.subject import Reduction
from core.inspection.survey import (
    FIGURES,
    ORDERS,
    FaceFigures,
    default_figure_cache,
    figure_cache,
    figures_of,
    ordered,
    reference_of_dataset,
    sorted_by,
    spread,
    survey,
)
from core.jobs.errors import JobStopped
from core.pipeline import Pipeline
from core.settings import load_settings

Pictures = Sequence[Picture]
AT = Reduction(16)


@pytest.fixture
def reference(pipeline: Pipeline, pictures: Pictures, own_data_dir: Path) -> Reference:
    return reference_of_dataset(pipeline, load_settings(), pictures, "small")


def test_a_survey_is_kept_and_goes_on_where_it_stopped(
    pipeline: Pipeline, pictures: Pictures, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveys, "_BATCH", 8)
    store, told = default_figure_cache(load_settings()), []
    stops = iter([False, True])
    with pytest.raises(JobStopped):
        survey(pipeline, pictures, AT, reference, store=store, should_stop=lambda: next(stops))
    first = survey(pipeline, pictures, AT, reference, store=store, on_progress=lambda *each: told.append(each))
    assert told == [(8, 11), (11, 11)] and len(first) == len(pictures) == 19
    # All is kept: nothing is looked at again, and the answer is the same.
    monkeypatch.setattr(surveys, "_look", None)
    again = survey(pipeline, pictures, AT, reference, store=store, should_stop=lambda: True)
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(JobStopped):  # another degradation makes other faces
        survey(pipeline, pictures, Reduction(16, "camera"), reference, store=store, should_stop=lambda: True)


def test_people_with_one_image_have_no_rank(pipeline: Pipeline, pictures: Pictures, reference: Reference) -> None:
    table = survey(pipeline, pictures, AT, reference)
    alone = table[table["identity"] == "Person 6"]
    assert alone["rank_dsr"].isna().all() and table["rank_dsr"].notna().sum() == 18
    right = table[table["rank_dsr"] == 1]
    assert (right["taken_for_dsr"] == "").all()
    wrong = table[table["rank_dsr"] > 1]
    assert (wrong["taken_for_dsr"] != wrong["identity"]).all() and (wrong["taken_for_dsr"] != "").all()


def test_orders(pipeline: Pipeline, pictures: Pictures, reference: Reference) -> None:
    table = survey(pipeline, pictures, AT, reference)
    assert ordered(table, "psnr")["psnr_db_dsr"].is_monotonic_increasing
    assert ordered(table, "similarity")["similarity_dsr"].is_monotonic_increasing
    assert ordered(table, "gain")["similarity_gain"].is_monotonic_decreasing
    assert ordered(table, "loss")["similarity_gain"].is_monotonic_increasing
    assert (ordered(table, "wrong")["rank_dsr"] > 1).all()
    assert len(ordered(table, "wrong")) == int((table["rank_dsr"] > 1).sum())
    assert np.allclose(table["similarity_gain"], table["similarity_dsr"] - table["similarity_bicubic"])
    with pytest.raises(SettingsInvalid, match="no order"):
        ordered(table, "best")


def test_any_figure_sorts_and_rows_without_it_come_last(
    pipeline: Pipeline, pictures: Pictures, reference: Reference
) -> None:
    table = survey(pipeline, pictures, AT, reference)
    assert figures_of(table) == list(FIGURES)
    for column in FIGURES:
        for largest_first in (False, True):
            rows = sorted_by(table, column, largest_first=largest_first)
            known = rows[column].dropna()
            known = known.str.casefold() if column == "identity" else known
            assert known.is_monotonic_decreasing if largest_first else known.is_monotonic_increasing
            assert set(rows["sha256"]) == set(table["sha256"]) and rows[column].iloc[: len(known)].notna().all()
    with pytest.raises(SettingsInvalid, match="can't be sorted by 'image'"):
        sorted_by(table, "image")


def test_without_a_network_the_orders_go_by_bicubic_and_gain_is_refused(
    plain_pipeline: Pipeline, pictures: Pictures, reference: Reference
) -> None:
    table = survey(plain_pipeline, pictures, AT, reference)
    assert table["similarity_dsr"].isna().all()
    for order in ORDERS:
        if order in ("gain", "loss"):
            with pytest.raises(SettingsInvalid, match="none is in use"):
                ordered(table, order)
        else:
            assert len(ordered(table, order)) <= len(table)
    assert ordered(table, "psnr")["psnr_db_bicubic"].is_monotonic_increasing
    assert not [column for column in figures_of(table) if column.endswith(("_dsr", "_gain"))]


def test_a_choice_is_spread_evenly(pictures: Pictures) -> None:
    some = spread(pictures, 5)
    assert len(some) == 5 and some[0] is pictures[0] and some[-1] is pictures[-1]
    assert spread(pictures, None) == spread(pictures, 99) == list(pictures)


def test_a_damaged_cache_is_made_again_and_a_full_disk_is_said(tmp_path: Path) -> None:
    store, key, sha256 = figure_cache(tmp_path / "kept"), {"size_px": 16}, "ab" * 32
    row = FaceFigures(np.array([25.0, 0.8, 0.5]), np.ones(512, np.float32))
    store.write(key, {sha256: row})
    [(found, kept)] = store.read(key, [sha256, "cd" * 32]).items()
    assert found == sha256 and kept.dsr is None and np.array_equal(kept.bicubic, row.bicubic)
    assert store.read({"size_px": 24}, [sha256]) == {}
    store.path(key).write_bytes(b"not a database" * 100)
    assert store.read(key, [sha256]) == {} and not store.path(key).exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageFailed):
        figure_cache(tmp_path / "file").write(key, {sha256: row})
