"""Accuracy by group: the people of a data set divided by any column of its table (sex, age band, skin tone).

Every probe is searched among all people; and, since that needs one picture of each person only, every small face is
compared with its own full-size face. Intervals come from resampling people, and a group of few people is marked instead
of compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.evaluation.intervals import mean_interval, share_interval
from core.evaluation.pictures import MOST_GROUPS, Picture, codes_of
from core.evaluation.protocol import labelled, view_columns
from core.evaluation.scores import Ints
from core.evaluation.verification import Floats
from core.evaluation.views import View
from core.models.measured import BICUBIC
from core.system.text import count

if TYPE_CHECKING:
    from core.evaluation.embedding import Embedded
    from core.evaluation.evaluation_spec import Plan
    from core.evaluation.systems import System

FEW_PEOPLE = 20
"""A group of fewer people is too small to compare: half of its interval spans ten points and more."""
NOT_GIVEN = "not given"
EVERYONE = "everyone"
SIMILARITY_COLUMNS = (
    "by",
    "group",
    "people",
    "images",
    "similarity",
    "similarity_low",
    "similarity_high",
    "gain",
    "gain_low",
    "gain_high",
    "few",
    "why",
)
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
        for group, here in _groups(pictures, column):
            rows.append(
                {"by": column, "group": group}
                | _figures(probes[here], people[here], mated[here], threshold, resamples, seed)
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def similarities(embedded: Mapping[View, Embedded]) -> dict[View, Floats]:
    """The cosine of each picture's small face to its own full-size face of the same mode (N,), by small view; NaN where
    one of the two wasn't acquired."""
    found = {}
    for view, probe in embedded.items():
        if view.size_px is not None:
            hr = embedded[View(view.mode)]
            cosines = np.einsum("nd,nd->n", probe.vectors, hr.vectors).astype(np.float64)
            found[view] = np.where(probe.acquired & hr.acquired, cosines, np.nan)
    return found


def similarity_by_group(
    similar: Sequence[tuple[System, Mapping[View, Floats]]], pictures: Sequence[Picture], plan: Plan
) -> list[pd.DataFrame]:
    """A table for each system and small view: a row for everyone and one for each group of the columns `plan.by`
    (SIMILARITY_COLUMNS), of `similarities`.

    similarity: the mean cosine. gain: the mean of each picture's cosine less that of the same encoder fed directly, NaN
    where that wasn't measured. Both with their 95 % intervals over people. `few` with `why`: fewer than FEW_PEOPLE
    people. Raises SettingsInvalid for a column with more than MOST_GROUPS values.
    """
    people, _ = codes_of(pictures)
    every = [(EVERYONE, EVERYONE, np.ones(len(pictures), bool))]
    every += [(column, group, here) for column in plan.by for group, here in _groups(pictures, column)]
    tables = []
    for system, views in similar:
        fed = next((directly for other, directly in similar if _feeds_directly(other, system)), None)
        for view, cosines in views.items():
            gains = cosines - fed[view] if fed is not None else np.full(len(cosines), np.nan)
            rows = [
                {"by": column, "group": group, **_similarity(cosines[here], gains[here], people[here], plan)}
                for column, group, here in every
            ]
            tables.append(labelled(pd.DataFrame(rows, columns=list(SIMILARITY_COLUMNS)), view_columns(system, view)))
    return tables


def _feeds_directly(other: System, system: System) -> bool:
    """Whether `other` is the encoder of `system` without what enlarges small faces there."""
    same = (other.encoder_sha256, other.flip_tta) == (system.encoder_sha256, system.flip_tta)
    return same and other.upscaler_id == BICUBIC != system.upscaler_id


def _similarity(cosines: Floats, gains: Floats, people: Ints, plan: Plan) -> dict[str, Any]:
    there = np.isfinite(cosines)
    have = len(np.unique(people[there]))
    why = "" if have >= FEW_PEOPLE else f"{count(have, 'person', 'people')}; {FEW_PEOPLE} are needed to compare"
    values: dict[str, Any] = {"people": have, "images": int(there.sum()), "few": bool(why), "why": why}
    for name, some in (("similarity", cosines), ("gain", gains)):
        kept = np.isfinite(some)
        found = mean_interval(some[kept], people[kept], resamples=plan.bootstrap, seed=plan.seed)
        low, high = found or (None, None)
        mean = float(some[kept].mean()) if kept.any() else np.nan
        values |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    return values


def _groups(pictures: Sequence[Picture], column: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """(group, which pictures are of it) for each value of a column, the largest first. Raises SettingsInvalid for more
    than MOST_GROUPS."""
    values = np.array([picture.groups.get(column, "").strip() or NOT_GIVEN for picture in pictures], dtype=object)
    names, counts = np.unique(values.astype(str), return_counts=True)
    if len(names) > MOST_GROUPS:
        raise SettingsInvalid(
            f"The column {column} has {len(names)} values, expected at most {MOST_GROUPS}.",
            "Name a column of groups, such as sex or age band; put numbers into bands.",
        )
    for position in np.lexsort((names, -counts)):
        yield str(names[position]), values == names[position]


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
