"""Accuracy per person, from the table of probes: who is recognised, who is taken for whom, and in which images.

The table of probes (`probe_table`) has a row for each picture, searched among everybody else's HR pictures and its own
person's other ones. A person with one picture can't be found and gets no figure, but may still be taken for
others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.evaluation.embedding import Embedded
from core.evaluation.identification import Outcomes, identify
from core.evaluation.intervals import wilson
from core.evaluation.pictures import Picture, codes_of

FEW_IMAGES = 3
"""With fewer probes a person's interval spans almost everything."""


def probe_table(pictures: Sequence[Picture], probe: Embedded, hr: Embedded) -> pd.DataFrame:
    """A row for each picture: as probe in its view, the HR pictures enrolled, its own one left out.

    `genuine` and `rank` are NaN where the person has no other acquired picture; all scores are where the probe wasn't
    acquired. `impostor_image` is that one of the best impostor's pictures that is most like the probe;
    `recognisability` is NaN where it wasn't measured.
    """
    outcomes, at = leave_one_out(pictures, probe, hr)
    _, names = codes_of(pictures)
    table = pd.DataFrame(
        {
            "image": [picture.name for picture in pictures],
            "identity": [picture.identity for picture in pictures],
            "acquired": probe.acquired,
            "genuine": np.nan,
            "impostor": np.nan,
            "impostor_identity": "",
            "impostor_image": "",
            "rank": np.nan,
            "recognisability": probe.measure("recognisability").astype(np.float64),
            "sha256": [picture.sha256 for picture in pictures],
        }
    )
    if outcomes is not None:
        whose = [names[person] if person >= 0 else "" for person in outcomes.impostor_person]
        table.loc[at, "genuine"] = outcomes.genuine
        table.loc[at, "impostor"] = outcomes.impostor
        table.loc[at, "impostor_identity"] = whose
        table.loc[at, "impostor_image"] = _nearest(pictures, probe, hr, at, outcomes.impostor_person)
        table.loc[at, "rank"] = np.where(outcomes.rank > 0, outcomes.rank, np.nan)
    return table


def _nearest(
    pictures: Sequence[Picture], probe: Embedded, hr: Embedded, at: np.ndarray, others: np.ndarray
) -> list[str]:
    """For each probe of `at`, the name of the most similar picture of the person in `others`; "" for -1."""
    people, _ = codes_of(pictures)
    nearest = np.full(len(at), -1, np.int64)
    for person in np.unique(others[others >= 0]):
        rows, theirs = np.nonzero(others == person)[0], np.nonzero((people == person) & hr.acquired)[0]
        nearest[rows] = theirs[(probe.vectors[at[rows]] @ hr.vectors[theirs].T).argmax(axis=1)]
    return [pictures[int(position)].name if position >= 0 else "" for position in nearest]


def leave_one_out(pictures: Sequence[Picture], probe: Embedded, hr: Embedded) -> tuple[Outcomes | None, np.ndarray]:
    """Every acquired picture searched among all HR pictures but itself, and which pictures (positions) those are."""
    people, _ = codes_of(pictures)
    photos = np.arange(len(pictures))
    there, enrolled = probe.acquired, hr.acquired
    if not enrolled.any() or not there.any():
        return None, np.zeros(0, np.int64)
    gallery = hr.templates(people, photos[enrolled])
    return identify(probe.templates(people, photos[there]), [gallery]), photos[there]


def per_identity(probes: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """A row for each person with mated probes, worst first (rank-1, then genuine mean).

    identity, images, probes, acquired; rank1 with its 95 % Wilson interval (_low, _high), accepted (genuine score >=
    `threshold`) with its own; genuine_mean, genuine_lowest, highest_impostor and its identity; worst_image and
    taken_for: the image with the lowest genuine score, and whom it was taken for (its best impostor, where that
    outranks). A probe that wasn't acquired counts as neither ranked first nor accepted. `few`: fewer than FEW_IMAGES
    probes.
    """
    rows = []
    for identity, own in probes.groupby("identity", sort=True):
        mated = own[own["rank"].notna() | ~own["acquired"]]
        if len(own) < 2 or mated.empty:
            continue
        first = int((mated["rank"] == 1).sum())
        accepted = int((mated["genuine"] >= threshold).sum())
        ranked = mated[mated["genuine"].notna()]
        worst = ranked.iloc[int(ranked["genuine"].to_numpy().argmin())] if len(ranked) else None
        near = own.iloc[int(np.nanargmax(own["impostor"].to_numpy()))] if own["impostor"].notna().any() else None
        low1, high1 = wilson(first, len(mated))
        low2, high2 = wilson(accepted, len(mated))
        rows.append(
            {
                "identity": str(identity),
                "images": len(own),
                "probes": len(mated),
                "acquired": int(mated["acquired"].sum()),
                "rank1": first / len(mated),
                "rank1_low": low1,
                "rank1_high": high1,
                "accepted": accepted / len(mated),
                "accepted_low": low2,
                "accepted_high": high2,
                "genuine_mean": float(ranked["genuine"].mean()) if len(ranked) else np.nan,
                "genuine_lowest": float(worst["genuine"]) if worst is not None else np.nan,
                "highest_impostor": float(near["impostor"]) if near is not None else np.nan,
                "highest_impostor_identity": str(near["impostor_identity"]) if near is not None else "",
                "worst_image": str(worst["image"]) if worst is not None else "",
                "taken_for": str(worst["impostor_identity"]) if worst is not None and worst["rank"] > 1 else "",
                "few": len(mated) < FEW_IMAGES,
            }
        )
    columns = ["rank1", "genuine_mean", "identity"]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.sort_values(columns, kind="stable", na_position="first").reset_index(drop=True)


def confused_pairs(probes: pd.DataFrame) -> pd.DataFrame:
    """Confused pairs of people, most frequent first: identity, taken_for, probes (how many), of (the person's mated
    probes), highest (the highest wrong score), back (how many of the other's probes are taken for this person)."""
    wrong = probes[probes["rank"] > 1]
    counted = (
        wrong.groupby(["identity", "impostor_identity"], sort=True)
        .agg(probes=("image", "size"), highest=("impostor", "max"))
        .reset_index()
        .rename(columns={"impostor_identity": "taken_for"})
    )
    of = probes[probes["rank"].notna()].groupby("identity").size()
    counted["of"] = counted["identity"].map(of).fillna(0).astype(int)
    pairs = list(zip(counted["identity"], counted["taken_for"], strict=True))
    back = dict(zip(pairs, counted["probes"], strict=True))
    counted["back"] = [int(back.get((other, name), 0)) for name, other in pairs]
    order = counted.sort_values(["probes", "highest"], ascending=False, kind="stable").reset_index(drop=True)
    return order[["identity", "taken_for", "probes", "of", "highest", "back"]]


def worst_images(probes: pd.DataFrame, identity: str, most: int = 12) -> pd.DataFrame:
    """A person's probes, lowest genuine score first (those not acquired before all), at most `most`."""
    own = probes[probes["identity"] == identity]
    order = own.sort_values(["acquired", "genuine"], kind="stable", na_position="first")
    return order.head(most).reset_index(drop=True)


def gained_and_lost(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Two tables of `per_identity` side by side, person by person, biggest loss first.

    identity, probes; rank1_before, rank1_after, rank1_change; the same for accepted and genuine_mean; `verdict`
    gained, lost or same by rank-1. People in both tables only.
    """
    both = before.merge(after, on="identity", suffixes=("_before", "_after"))
    table = both[["identity"]].assign(probes=both["probes_after"])
    for name in ("rank1", "accepted", "genuine_mean"):
        table[f"{name}_before"], table[f"{name}_after"] = both[f"{name}_before"], both[f"{name}_after"]
        table[f"{name}_change"] = both[f"{name}_after"] - both[f"{name}_before"]
    change = table["rank1_change"]
    table["verdict"] = np.select([change > 1e-9, change < -1e-9], ["gained", "lost"], "same")
    return table.sort_values(["rank1_change", "genuine_mean_change"], kind="stable").reset_index(drop=True)


_COLUMNS = [
    "identity",
    "images",
    "probes",
    "acquired",
    "rank1",
    "rank1_low",
    "rank1_high",
    "accepted",
    "accepted_low",
    "accepted_high",
    "genuine_mean",
    "genuine_lowest",
    "highest_impostor",
    "highest_impostor_identity",
    "worst_image",
    "taken_for",
    "few",
]
