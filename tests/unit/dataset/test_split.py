"""Properties of the split: each image once, the ratio, the same seed, nothing that moves, no leak."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.errors import BuildRefused
from core.dataset.run_config import BuildOptions
from core.dataset.split import both, closed_set, identity_disjoint

PEOPLE = st.dictionaries(st.integers(0, 99).map(str), st.integers(1, 30), min_size=1, max_size=12)
NAMES = st.integers(0, 99).map(str)
MANY = st.dictionaries(NAMES, st.integers(5, 20), min_size=4, max_size=12)
SEEDS = st.integers(0, 2**32)


def items(people: dict[str, int], start: int = 0) -> pd.DataFrame:
    rows = [(f"{who}_{n:03}", who) for who, count in people.items() for n in range(start, count)]
    return pd.DataFrame(rows, columns=["pair", "identity"])


def sides(split: pd.DataFrame) -> dict[str, str]:
    return dict(zip(split["pair"], split["split"], strict=True))


@given(PEOPLE.filter(lambda people: max(people.values()) >= 5), SEEDS, st.floats(0.05, 0.6))
@settings(deadline=None, max_examples=40)
def test_closed_set_uses_each_image_once_and_keeps_the_ratio(people, seed, share):
    split = closed_set(items(people), BuildOptions(seed=seed, val_share=share))
    assert split["pair"].is_unique
    assert set(split["identity"]) == {who for who, count in people.items() if count >= 5}
    for who, part in split.groupby("identity"):
        in_val = int((part["split"] == "val").sum())
        assert len(part) == people[who] and 1 <= in_val < people[who]
        assert abs(in_val - people[who] * share) <= 1


@given(PEOPLE.filter(lambda people: max(people.values()) >= 5), SEEDS)
@settings(deadline=None, max_examples=40)
def test_the_same_seed_gives_the_same_split_in_any_order(people, seed):
    table = items(people)
    assert sides(closed_set(table, BuildOptions(seed=seed))) == sides(
        closed_set(table.sample(frac=1, random_state=1), BuildOptions(seed=seed))
    )


def test_another_seed_gives_another_split():
    table = items({"ada": 40, "eve": 40})
    assert sides(closed_set(table, BuildOptions(seed=1))) != sides(closed_set(table, BuildOptions(seed=2)))


@given(PEOPLE.filter(lambda people: max(people.values()) >= 5), PEOPLE, SEEDS)
@settings(deadline=None, max_examples=40)
def test_adding_images_moves_none_and_keeps_the_ratio(people, added, seed):
    before = closed_set(items(people), BuildOptions(seed=seed))
    grown = {who: people.get(who, 0) + added.get(who, 0) for who in {*people, *added}}
    after = closed_set(items(grown), BuildOptions(seed=seed), earlier=sides(before))
    assert sides(before).items() <= sides(after).items()
    for who, part in after.groupby("identity"):
        assert abs(int((part["split"] == "val").sum()) - grown[who] * 0.2) <= 1


@given(st.dictionaries(st.integers(0, 999).map(str), st.integers(1, 9), min_size=3, max_size=40), SEEDS)
@settings(deadline=None, max_examples=40)
def test_disjoint_people_are_disjoint(people, seed):
    split = identity_disjoint(items(people), BuildOptions(seed=seed))
    assert len(split) == sum(people.values())
    assert (split.groupby("identity")["split"].nunique() == 1).all()
    counts = split.drop_duplicates("identity")["split"].value_counts()
    assert set(counts.index) == {"train", "val", "test"}
    assert abs(counts["val"] - len(people) * 0.1) <= 1 and abs(counts["test"] - len(people) * 0.1) <= 1


@given(PEOPLE.filter(lambda p: len(p) >= 3), PEOPLE, SEEDS)
@settings(deadline=None, max_examples=40)
def test_adding_people_moves_nobody(people, added, seed):
    before = identity_disjoint(items(people), BuildOptions(seed=seed))
    after = identity_disjoint(items({**added, **people}), BuildOptions(seed=seed), earlier=sides(before))
    assert sides(before).items() <= sides(after).items()
    assert (after.groupby("identity")["split"].nunique() == 1).all()


@given(MANY, PEOPLE, SEEDS)
@settings(deadline=None, max_examples=40)
def test_both_never_train_on_what_the_other_validates(people, added, seed):
    def leaks(closed, disjoint):
        def part(frame, *splits):
            return set(frame.loc[frame["split"].isin(splits), "pair"])

        return part(closed, "val") & part(disjoint, "train") | part(disjoint, "val", "test") & part(closed, "train")

    closed, disjoint = both(items(people), BuildOptions(seed=seed))
    assert not leaks(closed, disjoint)
    grown = items({who: people.get(who, 0) + added.get(who, 0) for who in {*people, *added}})
    closed_after, disjoint_after = both(
        grown, BuildOptions(seed=seed), earlier_closed=sides(closed), earlier_disjoint=sides(disjoint)
    )
    assert not leaks(closed_after, disjoint_after)
    assert sides(closed).items() <= sides(closed_after).items()
    assert sides(disjoint).items() <= sides(disjoint_after).items()


@given(st.lists(st.integers(0, 5), min_size=10, max_size=60), SEEDS)
@settings(deadline=None, max_examples=40)
def test_one_picture_is_never_on_two_sides(groups, seed):
    rows = [(f"{i:03}", "ada" if i % 3 else "eve", group) for i, group in enumerate(groups)]
    table = pd.DataFrame(rows, columns=["pair", "identity", "group"])
    split = closed_set(table, BuildOptions(seed=seed, min_images=2))
    assert (split.groupby("group")["split"].nunique() == 1).all()


def test_people_who_share_a_picture_are_on_one_side():
    table = items({f"p{n}": 3 for n in range(30)})
    table["group"] = range(len(table))
    table.loc[[0, 40, 80], "group"] = 0
    for seed in range(20):
        split = identity_disjoint(table, BuildOptions(seed=seed))
        assert split.loc[[0, 40, 80], "split"].nunique() == 1


def test_whole_sessions_are_held_out_where_that_fits():
    table = items({"ada": 20})
    table["session"] = [f"{n // 4:02}" for n in range(20)]
    split = closed_set(table, BuildOptions(seed=3))
    assert (split.groupby("session")["split"].nunique() == 1).all()
    assert (split["split"] == "val").sum() == 4
    assert (closed_set(table, BuildOptions(seed=3, by_session=False)).groupby("session")["split"].nunique() > 1).any()


def test_one_long_session_is_split_by_image():
    table = items({"ada": 20})
    table["session"] = "01"
    assert (closed_set(table, BuildOptions(seed=3))["split"] == "val").sum() == 4


def test_what_cannot_be_split_is_said():
    with pytest.raises(BuildRefused, match="Nobody has 5 images; the most that one person has is 4"):
        closed_set(items({"ada": 4}))
    with pytest.raises(BuildRefused, match="One person"):
        identity_disjoint(items({"ada": 40}))
    with pytest.raises(BuildRefused, match="share"):
        closed_set(items({"ada": 40}), BuildOptions(val_share=1.5))
    with pytest.raises(BuildRefused, match="add up"):
        identity_disjoint(items({"ada": 4, "eve": 4}), BuildOptions(shares={"train": 0.5, "val": 0.1}))
