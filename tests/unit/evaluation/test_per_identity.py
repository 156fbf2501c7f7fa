"""People one by one, from a table of probes that is written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.evaluation.embedding import Embedded
from core.evaluation.intervals import wilson
from core.evaluation.per_identity import (
    confused_pairs,
    gained_and_lost,
    per_identity,
    probe_table,
    worst_images,
)
from core.evaluation.pictures import Picture
from core.evaluation.vector_cache import QUALITY

NAN = float("nan")


def table(*rows: tuple) -> pd.DataFrame:
    names = ["image", "identity", "acquired", "genuine", "impostor", "impostor_identity", "rank"]
    return pd.DataFrame(rows, columns=names)


PROBES = table(
    ("a1", "Ada", True, 0.9, 0.2, "Bo", 1),
    ("a2", "Ada", True, 0.5, 0.3, "Cy", 1),
    ("a3", "Ada", True, 0.1, 0.4, "Bo", 3),
    ("a4", "Ada", False, NAN, NAN, "", NAN),
    ("b1", "Bo", True, 0.7, 0.6, "Ada", 1),
    ("b2", "Bo", True, 0.3, 0.5, "Ada", 2),
    ("c1", "Cy", True, NAN, 0.2, "Ada", NAN),
    ("d1", "Di", False, NAN, NAN, "", NAN),
    ("d2", "Di", False, NAN, NAN, "", NAN),
)


def test_a_person_in_figures() -> None:
    rows = per_identity(PROBES, 0.4).set_index("identity")
    ada = rows.loc["Ada"]
    # Four probes, one of them not acquired: an error like any other.
    assert (ada["probes"], ada["acquired"]) == (4, 3)
    assert ada["rank1"] == 0.5 and (ada["rank1_low"], ada["rank1_high"]) == wilson(2, 4)
    assert ada["accepted"] == 0.5 and (ada["accepted_low"], ada["accepted_high"]) == wilson(2, 4)
    assert ada["genuine_mean"] == pytest.approx(0.5) and ada["genuine_lowest"] == 0.1
    assert (ada["highest_impostor"], ada["highest_impostor_identity"]) == (0.4, "Bo")
    assert (ada["worst_image"], ada["taken_for"]) == ("a3", "Bo")
    bo = rows.loc["Bo"]
    assert (bo["rank1"], bo["highest_impostor"], bo["few"]) == (0.5, 0.6, True)
    assert "Cy" not in rows.index, "one image can't be found"


def test_the_worst_come_first_and_those_never_acquired_before_all() -> None:
    rows = per_identity(PROBES.assign(genuine=PROBES["genuine"] - (PROBES["identity"] == "Bo") * 0.1), 0.4)
    assert list(rows["identity"]) == ["Di", "Bo", "Ada"]
    di = rows.iloc[0]
    assert (di["identity"], di["rank1"]) == ("Di", 0.0) and np.isnan(di["genuine_mean"])


def test_who_is_taken_for_whom() -> None:
    pairs = confused_pairs(PROBES)
    assert pairs[["identity", "taken_for", "probes", "of", "back"]].values.tolist() == [
        ["Bo", "Ada", 1, 2, 1],
        ["Ada", "Bo", 1, 3, 1],
    ]
    assert pairs["highest"].tolist() == [0.5, 0.4]
    assert confused_pairs(PROBES[PROBES["rank"] != 3].iloc[:2]).empty


def test_a_persons_worst_images_begin_with_those_not_acquired() -> None:
    assert worst_images(PROBES, "Ada")["image"].tolist() == ["a4", "a3", "a2", "a1"]
    assert worst_images(PROBES, "Ada", most=1)["image"].tolist() == ["a4"]


def test_who_gained_and_who_lost() -> None:
    better = PROBES.copy()
    better.loc[better["image"] == "b2", ["genuine", "rank"]] = (0.9, 1)
    better.loc[better["image"] == "a2", "rank"] = 2
    change = gained_and_lost(per_identity(PROBES, 0.4), per_identity(better, 0.4)).set_index("identity")
    assert (change.loc["Bo", "verdict"], change.loc["Bo", "rank1_change"]) == ("gained", 0.5)
    assert (change.loc["Ada", "verdict"], change.loc["Ada", "rank1_change"]) == ("lost", -0.25)
    assert change.loc["Di", "verdict"] == "same"
    assert change.index[0] == "Ada", "the biggest loss first"


def test_the_table_of_probes_leaves_each_pictures_own_template_out() -> None:
    pictures = [Picture(Path("x"), who, f"{who}{i}", True, f"{i:064x}") for i, who in enumerate(["A", "A", "B", "B"])]
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1], [0, 1]], dtype=np.float32)
    everything = np.ones(4, bool)
    acquired = np.array([True, True, True, False])
    quality = np.full((4, len(QUALITY)), np.nan, np.float32)
    hr = Embedded("aligned", None, vectors, everything, everything, quality)
    measured = quality.copy()
    measured[:, QUALITY.index("recognisability")] = [0.25, 0.5, 0.75, 1]
    probe = Embedded("aligned", 16, vectors * acquired[:, None], acquired, acquired, measured)
    rows = probe_table(pictures, probe, hr)
    assert rows["genuine"].tolist()[:3] == pytest.approx([0.6, 0.6, 1.0])
    assert rows["impostor"].tolist()[:2] == pytest.approx([0.0, 0.8])
    assert rows["rank"].tolist()[:3] == [1, 2, 1]
    assert rows["impostor_identity"].tolist() == ["B", "B", "A", ""]
    assert np.isnan(rows["genuine"][3]) and not rows["acquired"][3]
    assert rows["recognisability"].tolist() == [0.25, 0.5, 0.75, 1]
