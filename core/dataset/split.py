"""Splits into train, val and test: seeded, stable when images are added, and free of leaks.

All functions take `items`: a table with one row for each photograph and the columns pair (a unique key), identity, and
where known session and group (rows of one group show the same picture and stay in one split).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import numpy as np
import pandas as pd

from core.dataset.columns import among
from core.dataset.errors import BuildRefused
from core.dataset.run_config import DISJOINT_SHARES, BuildOptions

TRAIN, VAL, TEST = "train", "val", "test"

_Person = dict[str, list[Any]]
"""One person's rows: their pairs and, where known, their groups and sessions, in the same order."""


def closed_set(
    items: pd.DataFrame, options: BuildOptions | None = None, *, earlier: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The same people in train and val, different images: `items` with a column split, without people who have fewer
    than `min_images`.

    Each person gives n x val_share images to val, rounded half up, at least 1 and at most n - 1. Where a person has
    sessions and some of them make between half and twice that share, whole sessions go to val instead. A person's split
    depends on `seed` and that person only. Pairs in `earlier` keep their split. Raises BuildRefused when nobody is
    left.
    """
    chosen = options or BuildOptions()
    val_share, min_images = chosen.val_share, chosen.min_images
    if not 0 < val_share < 1:
        raise BuildRefused(f"The val share is {val_share:g}.", "Choose one between 0 and 1, such as 0.2.")
    if min_images < 2:
        raise BuildRefused(f"{min_images} image a person can't be split.", "Ask for at least 2 a person.")
    kept_sides = dict(earlier or {})
    enough = items.groupby("identity")["pair"].transform("size") >= min_images
    kept = items[enough | among(items["pair"], kept_sides)].sort_values(["identity", "pair"], kind="stable")
    if kept.empty:
        most = int(items.groupby("identity").size().max()) if len(items) else 0
        raise BuildRefused(
            f"Nobody has {min_images} images; the most that one person has is {most}.",
            "Add images, or lower --min-images.",
        )
    sides: dict[str, str] = {}
    of_group: dict[object, str] = {}
    for identity, person in _people(kept).items():
        fixed = _fixed(person, kept_sides, of_group)
        split = _split_person(person, fixed, val_share, chosen.by_session, _random(chosen.seed, identity))
        sides.update(split)
        if "group" in person:
            for pair, group in zip(person["pair"], person["group"], strict=True):
                of_group.setdefault(group, split[pair])
    return _with_split(items, sides)


def identity_disjoint(
    items: pd.DataFrame, options: BuildOptions | None = None, *, earlier: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Different people in each split: `items` with a column split. `shares` are shares of people (0.8, 0.1, 0.1).

    Every split with a share gets at least one person. People who share a picture stay together; those with a pair in
    `earlier` keep their split. Raises BuildRefused when there are fewer people than splits.
    """
    options = options or BuildOptions()
    wanted = {split: share for split, share in (options.shares or DISJOINT_SHARES).items() if share > 0}
    if TRAIN not in wanted or len(wanted) < 2 or not np.isclose(sum(wanted.values()), 1) or min(wanted.values()) < 0:
        raise BuildRefused("The shares of train, val and test must add up to 1, train's included.", "Correct them.")
    people = sorted(items["identity"].unique())
    if len(people) < len(wanted):
        count = "one person" if len(people) == 1 else f"{len(people)} people"
        raise BuildRefused(
            f"{count.capitalize()} can't be split into {len(wanted)} disjoint parts.",
            "Add people, or build closed-set.",
        )
    sides: dict[str, str] = {}
    for pair, identity in zip(items["pair"], items["identity"], strict=True):
        if earlier and pair in earlier:
            sides.setdefault(identity, earlier[pair])
    blocks = _blocks_of_people(items, people)
    for block in blocks:  # people who share a picture with someone who has a split go there
        known = [sides[person] for person in block if person in sides]
        for person in block if known else ():
            sides.setdefault(person, known[0])
    free = [block for block in blocks if block[0] not in sides]
    order = [free[i] for i in _random(options.seed, "people").permutation(len(free))]
    for split in [split for split in (TEST, VAL) if split in wanted]:
        missing = max(1, _half_up(len(people) * wanted[split])) - sum(side == split for side in sides.values())
        room = sum(len(block) for block in order) - (0 if TRAIN in sides.values() else 1)
        chosen = _nearest_subset([len(block) for block in order], min(missing, room))
        sides.update({person: split for index in chosen for person in order[index]})
        order = [block for index, block in enumerate(order) if index not in chosen]
    sides.update({person: TRAIN for block in order for person in block})
    return _with_split(items, {p: sides[i] for p, i in zip(items["pair"], items["identity"], strict=True)})


def both(
    items: pd.DataFrame,
    options: BuildOptions | None = None,
    *,
    earlier_closed: Mapping[str, str] | None = None,
    earlier_disjoint: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A closed set and a disjoint one such that no image validated in one is trained on in the other.

    The closed set is made of the disjoint one's train people; what it validates is left out of the disjoint train.
    """
    disjoint = identity_disjoint(items, options, earlier=earlier_disjoint)
    trained = {pair: TRAIN for pair, side in (earlier_disjoint or {}).items() if side == TRAIN}
    closed = closed_set(
        disjoint[disjoint["split"] == TRAIN].drop(columns="split"),
        options,
        earlier={**trained, **(earlier_closed or {})},
    )
    closed = closed[closed.groupby("identity")["split"].transform("nunique") == 2]
    validated = set(closed.loc[closed["split"] == VAL, "pair"])
    return closed, disjoint[~among(disjoint["pair"], validated)]


def _people(items: pd.DataFrame) -> dict[str, _Person]:
    """Each person's rows, in order, people by name. As lists: a table for each takes many times as long."""
    columns = {name: items[name].tolist() for name in ("pair", "session", "group") if name in items}
    rows: dict[str, list[int]] = {}
    for row, identity in enumerate(items["identity"].tolist()):
        rows.setdefault(identity, []).append(row)
    return {
        identity: {name: [values[row] for row in rows[identity]] for name, values in columns.items()}
        for identity in sorted(rows)
    }


def _split_person(
    person: _Person, fixed: dict[str, str], val_share: float, by_session: bool, random: np.random.Generator
) -> dict[str, str]:
    """A side for each of one person's pairs; those in `fixed` keep theirs."""
    total = len(person["pair"])
    target = min(max(1, _half_up(total * val_share)), total - 1)
    blocks = _blocks(person, by_session and "session" in person)
    chosen = _choose(blocks, fixed, target, random)
    share = sum(side == VAL for side in chosen.values()) / total
    if by_session and "session" in person and not (val_share / 2 <= share <= min(2 * val_share, 0.5)):
        chosen = _choose(_blocks(person, False), fixed, target, random)
    return chosen


def _choose(
    blocks: list[list[str]], fixed: Mapping[str, str], target: int, random: np.random.Generator
) -> dict[str, str]:
    sides = dict(fixed)
    free: list[list[str]] = []
    for block in blocks:
        known = [fixed[pair] for pair in block if pair in fixed]
        if known:  # a picture, or a session, that has a side already draws the rest there
            sides.update({pair: known[0] for pair in block if pair not in fixed})
        else:
            free.append(block)
    order = [free[i] for i in random.permutation(len(free))]
    missing = target - sum(side == VAL for side in sides.values())
    room = sum(len(block) for block in order) - (0 if TRAIN in sides.values() else 1)
    chosen = _nearest_subset([len(block) for block in order], min(missing, room))
    for index, block in enumerate(order):
        sides.update(dict.fromkeys(block, VAL if index in chosen else TRAIN))
    return sides


def _nearest_subset(sizes: Sequence[int], target: int) -> set[int]:
    """Indices whose sizes add up as near to `target` as can be, earlier indices first; empty for a target below 1.

    Of two sums as near the smaller is taken; all of the sizes only when they make the target.
    """
    if target < 1:
        return set()
    most = min(sum(sizes), 2 * target)
    way: dict[int, tuple[int, int]] = {0: (-1, -1)}
    for index, size in enumerate(sizes):
        for total in sorted(way, reverse=True):
            if total + size <= most and total + size not in way:
                way[total + size] = (index, total)
        if target in way:
            break
    reachable = [total for total in way if 0 < total < sum(sizes) or total == target]
    if not reachable:
        return set()
    total = min(reachable, key=lambda reached: (abs(reached - target), reached))
    chosen: set[int] = set()
    while total > 0:
        index, total = way[total]
        chosen.add(index)
    return chosen


def _blocks(person: _Person, by_session: bool) -> list[list[str]]:
    """One person's pairs in blocks that stay on one side: by picture and, if asked, by session too."""
    keys = [person[column] for column in ("group",) if column in person]
    if by_session:
        keys.append(person["session"])
    return _joined(person["pair"], keys)


def _blocks_of_people(items: pd.DataFrame, people: list[str]) -> list[list[str]]:
    if "group" not in items:
        return [[person] for person in people]
    shared = items[["identity", "group"]].drop_duplicates()
    first = shared.groupby("group")["identity"].transform("min")
    other = shared[shared["identity"] != first]
    links = list(zip(first.loc[other.index], other["identity"], strict=True))
    return _united(people, links)


def _joined(pairs: list[str], keys: list[list[object]]) -> list[list[str]]:
    links: list[tuple[str, str]] = []
    for values in keys:
        first: dict[object, str] = {}
        links += [
            (first.setdefault(value, pair), pair) for pair, value in zip(pairs, values, strict=True) if value != ""
        ]
    return _united(pairs, links)


def _united(names: list[str], links: list[tuple[str, str]]) -> list[list[str]]:
    parent = {name: name for name in names}

    def top(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for a, b in links:
        parent[max(top(a), top(b))] = min(top(a), top(b))
    blocks: dict[str, list[str]] = {}
    for name in names:
        blocks.setdefault(top(name), []).append(name)
    return list(blocks.values())


def _fixed(person: _Person, earlier: Mapping[str, str], of_group: Mapping[object, str]) -> dict[str, str]:
    fixed = {pair: earlier[pair] for pair in person["pair"] if pair in earlier}
    if "group" in person:
        for pair, group in zip(person["pair"], person["group"], strict=True):
            if group in of_group:
                fixed.setdefault(pair, of_group[group])
    return fixed


def _with_split(items: pd.DataFrame, sides: Mapping[str, str]) -> pd.DataFrame:
    kept = items[among(items["pair"], sides)].copy()
    kept["split"] = [sides[pair] for pair in kept["pair"].tolist()]
    return kept


def _half_up(value: float) -> int:
    return floor(value + 0.5 + 1e-9)


def _random(seed: int, name: str) -> np.random.Generator:
    """A generator for one person: the same whatever other people there are."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
