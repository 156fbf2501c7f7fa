"""Figures by group, from a table of probes that is written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.dataset.manifest import Dataset, DatasetInfo, make_frame
from core.errors import SettingsInvalid
from core.evaluation.embedding import Embedded
from core.evaluation.evaluation_spec import Plan
from core.evaluation.groups import (
    EVERYONE,
    FEW_PEOPLE,
    NOT_GIVEN,
    by_group,
    similarities,
    similarity_by_group,
)
from core.evaluation.intervals import mean_interval, wilson
from core.evaluation.pictures import MOST_GROUPS, Picture, pictures_of_dataset
from core.evaluation.systems import PipelineLoader, System
from core.evaluation.vector_cache import QUALITY
from core.evaluation.views import View

NAN = float("nan")
ROWS = [
    # identity, acquired, genuine, impostor, rank, sex
    ("Ada", True, 0.9, 0.2, 1, "f"),
    ("Ada", True, 0.3, 0.6, 2, "f"),
    ("Eve", True, 0.8, 0.1, 1, "f"),
    ("Eve", False, NAN, NAN, NAN, "f"),
    ("Bo", True, 0.7, 0.5, 1, "m"),
    ("Bo", True, 0.6, 0.1, 1, "m"),
    ("Cy", True, NAN, 0.2, NAN, " m "),
    ("Di", True, 0.5, 0.4, 1, ""),
    ("Di", True, 0.5, 0.4, 1, ""),
]
PROBES = pd.DataFrame([row[:5] for row in ROWS], columns=["identity", "acquired", "genuine", "impostor", "rank"])
PICTURES = [Picture(Path("x"), row[0], str(at), True, str(at), groups={"sex": row[5]}) for at, row in enumerate(ROWS)]


def test_each_group_is_counted_by_hand():
    table = by_group(PROBES, PICTURES, ["sex"], 0.5).set_index("group")
    assert list(table.index) == ["f", "m", NOT_GIVEN]
    women = table.loc["f"]
    assert (women["people"], women["images"], women["probes"]) == (2, 4, 4)
    # One of four wasn't acquired: missed like the one that came second.
    assert women["rank1"] == 2 / 4 and women["accepted"] == 2 / 4
    assert women["wrongly_accepted"] == pytest.approx(1 / 3) and women["failure_to_acquire"] == 1 / 4
    men = table.loc["m"]
    # Cy has one image: no mated probe, but a score against others all the same.
    assert (men["people"], men["images"], men["probes"]) == (2, 3, 2)
    assert men["accepted"] == 1 and men["wrongly_accepted"] == pytest.approx(1 / 3)
    assert table["few"].all() and "1 person with two images" in men["why"]


def test_a_group_of_enough_people_isnt_few_and_one_less_is():
    for count, few in ((FEW_PEOPLE, False), (FEW_PEOPLE - 1, True)):
        names = np.repeat([f"p{number:02}" for number in range(count)], 2)
        probes = pd.DataFrame({"identity": names, "acquired": True, "genuine": 0.9, "impostor": 0.1, "rank": 1.0})
        pictures = [Picture(Path("x"), name, "x", True, "x", groups={"sex": "f"}) for name in names]
        row = by_group(probes, pictures, ["sex"], 0.5).iloc[0]
        assert bool(row["few"]) is few
        # Everybody hit: resampling can't vary, so people are Wilson's trials.
        assert (row["rank1_low"], row["rank1_high"]) == wilson(count, count)


def test_a_column_of_single_values_is_refused():
    pictures = [replace(PICTURES[0], groups={"id": str(number)}) for number in range(MOST_GROUPS + 1)]
    probes = pd.concat([PROBES.iloc[:1]] * len(pictures), ignore_index=True)
    with pytest.raises(SettingsInvalid, match="61 values"):
        by_group(probes, pictures, ["id"], 0.5)


def test_a_data_sets_further_columns_follow_its_pictures(tmp_path):
    frame = make_frame(
        [
            {"path": f"{name}.png", "identity": name, "kind": "hr", "sha256": name, "sex": sex, "age": "30-39"}
            for name, sex in (("b", "m"), ("a", "f"))
        ]
    )
    dataset = Dataset(tmp_path, DatasetInfo("set"), frame, "k")
    pictures = pictures_of_dataset(dataset, by=("sex", "age"))
    assert [(one.identity, one.groups) for one in pictures] == [
        ("a", {"sex": "f", "age": "30-39"}),
        ("b", {"sex": "m", "age": "30-39"}),
    ]
    assert pictures_of_dataset(dataset)[0].groups == {}
    with pytest.raises(SettingsInvalid, match="no column 'skin'") as caught:
        pictures_of_dataset(dataset, by=("skin",))
    assert "sex, age" in caught.value.next_step


SMALL = View("aligned", 16, "camera")


def embedded(vectors: list[list[float]], acquired: list[bool]) -> Embedded:
    quality = np.full((len(vectors), len(QUALITY)), np.nan, np.float32)
    there = np.array(acquired)
    return Embedded("aligned", 16, np.array(vectors, np.float32), there, there, quality)


def test_each_small_face_is_compared_with_its_own_full_size_face() -> None:
    hr = embedded([[1, 0], [0, 1], [1, 0]], [True, True, False])
    small = embedded([[0.6, 0.8], [0.6, 0.8], [1, 0]], [True, True, True])
    [(view, cosines)] = similarities({View("aligned"): hr, SMALL: small}).items()
    assert view == SMALL and cosines[:2] == pytest.approx([0.6, 0.8]) and np.isnan(cosines[2]), "it has no full size"


def system(upscaler: str) -> System:
    return System("xxs", "aa", upscaler, upscaler, False, {}, PipelineLoader(lambda: pytest.fail("nothing to load")))


def test_similarity_and_gain_of_each_group_stand_beside_everyones() -> None:
    names = [f"p{number:02}" for number in range(FEW_PEOPLE + 2)]
    sexes = ["f"] * FEW_PEOPLE + ["m"] * 2
    pictures = [
        Picture(Path("x"), who, who, True, who, groups={"sex": sex}) for who, sex in zip(names, sexes, strict=True)
    ]
    fed = np.linspace(0.3, 0.6, len(names))
    better = fed + np.where(np.array(sexes) == "f", 0.1, -0.05) + np.linspace(0, 0.01, len(names))
    fed[0] = np.nan  # not acquired when fed directly
    measured = [(system("dsr"), {SMALL: better}), (system("bicubic"), {SMALL: fed})]
    by_dsr, directly = similarity_by_group(measured, pictures, Plan(by=("sex",), bootstrap=200, seed=3))
    assert list(by_dsr["group"]) == [EVERYONE, "f", "m"] and set(by_dsr["degradation"]) == {"camera"}
    everyone, women, men = by_dsr.to_dict("records")
    assert everyone["similarity"] == pytest.approx(better.mean()) and everyone["images"] == len(names)
    gains = (better - fed)[1:FEW_PEOPLE]
    assert women["gain"] == pytest.approx(gains.mean()) and women["people"] == FEW_PEOPLE
    expected = mean_interval(gains, np.arange(1, FEW_PEOPLE), resamples=200, seed=3)
    assert (women["gain_low"], women["gain_high"]) == expected
    assert men["gain"] < 0 and men["few"] and "2 people; 20 are needed" in men["why"] and not women["few"]
    assert directly["gain"].isna().all() and directly["system"].iloc[0] == "xxs, direct feed"
    assert directly["images"].iloc[0] == len(names) - 1


def test_without_columns_of_groups_everyone_is_the_only_row() -> None:
    [table] = similarity_by_group([(system("bicubic"), {SMALL: np.full(len(PICTURES), 0.5)})], PICTURES, Plan())
    assert list(table["by"]) == [EVERYONE] and table["similarity"].iloc[0] == 0.5
