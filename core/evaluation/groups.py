"""Accuracy by group: the people of a data set divided by any column of its table (sex, age band, skin tone).

Every probe is searched among all people. Intervals come from resampling people, and a group of few people is marked
instead of compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.errors import SettingsInvalid
from core.evaluation.intervals import share_interval
from core.evaluation.pictures import Picture
from core.evaluation.scores import Ints
from core.system.text import count

FEW_PEOPLE = 20
"""A group of fewer people is too small to compare: half of its interval spans ten points and more."""
MOST_GROUPS = 60
NOT_GIVEN = "not given"
COLUMNS = (
    "by",
    "group",
    "people",
    "images",
    "probes",
    "rank1",
    "rank1_low",
    "rank1_high",
    "accepted",
    "accepted_low",
    "accepted_high",
    "wrongly_accepted",
    "wrongly_accepted_low",
    "wrongly_accepted_high",
    "failure_to_acquire",
    "few",
    "why",
)


def by_group(
    probes: pd.DataFrame,
    pictures: Sequence[Picture],
    columns: Sequence[str],
    threshold: float,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """A row for each group of each column (COLUMNS), largest first; rates are fractions with 95 % intervals.

    `probes` is the table of `probe_table`, a row for each of `pictures`. rank1: the share of mated probes whose own
    person came first. accepted: the share with a genuine score >= `threshold`; both count a probe that wasn't
    acquired as missed. wrongly_accepted: the share of acquired probes with an impostor score >= `threshold`. `few`
    with `why`: fewer than FEW_PEOPLE people have mated probes. Raises SettingsInvalid for a column with more than
    MOST_GROUPS values.
    """
    rows: list[dict[str, Any]] = []
    _, people = np.unique(probes["identity"].to_numpy(dtype=str), return_inverse=True)
    sizes = np.bincount(people)
    mated = (sizes[people] > 1) & (probes["rank"].notna() | ~probes["acquired"]).to_numpy(dtype=bool)
    for column in columns:
        values = np.array([picture.groups.get(column, "").strip() or NOT_GIVEN for picture in pictures], dtype=object)
        names, counts = np.unique(values.astype(str), return_counts=True)
        if len(names) > MOST_GROUPS:
            raise SettingsInvalid(
                f"The column {column} has {len(names)} values, expected at most {MOST_GROUPS}.",
                "Name a column of groups, such as sex or age band; put numbers into bands.",
            )
        for position in np.lexsort((names, -counts)):
            here = values == names[position]
            rows.append(
                {"by": column, "group": str(names[position])}
                | _figures(probes[here], people[here], mated[here], threshold, resamples, seed)
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _figures(
    own: pd.DataFrame, people: Ints, mated: np.ndarray, threshold: float, resamples: int, seed: int
) -> dict[str, Any]:
    first = (own["rank"] == 1).to_numpy(dtype=bool)[mated]
    accepted = (own["genuine"] >= threshold).to_numpy(dtype=bool)[mated]
    scored = own["impostor"].notna().to_numpy(dtype=bool)
    wrong = (own["impostor"] >= threshold).to_numpy(dtype=bool)[scored]
    enough = len(np.unique(people[mated]))
    have = count(enough, "person", "people")
    why = "" if enough >= FEW_PEOPLE else f"{have} with two images or more; {FEW_PEOPLE} are needed to compare"
    values: dict[str, Any] = {
        "people": len(np.unique(people)),
        "images": len(own),
        "probes": int(mated.sum()),
        "failure_to_acquire": float((~own["acquired"]).mean()),
        "few": bool(why),
        "why": why,
    }
    measured = {
        "rank1": (first, people[mated]),
        "accepted": (accepted, people[mated]),
        "wrongly_accepted": (wrong, people[scored]),
    }
    for name, (hits, whose) in measured.items():
        low, high = share_interval(hits, whose, resamples=resamples, seed=seed) or (None, None)
        values |= {name: float(hits.mean()) if len(hits) else np.nan, f"{name}_low": low, f"{name}_high": high}
    return values
