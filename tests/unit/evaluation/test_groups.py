"""Figures by group, from a table of probes that is written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.dataset.manifest import Dataset, DatasetInfo, make_frame
from core.errors import SettingsInvalid
from core.evaluation.groups import FEW_PEOPLE, MOST_GROUPS, NOT_GIVEN, by_group
from core.evaluation.intervals import wilson
from core.evaluation.pictures import Picture, pictures_of_dataset

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
