"""Similarity tables: of chosen people with one another, and of each small face with its own HR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.diagnostics.cloud import HR_VIEW, Cloud
from core.errors import SettingsInvalid
from core.evaluation.scores import pair_scores
from core.gallery.match import mean_of

MOST_IN_MATRIX = 40


def people_matrix(cloud: Cloud, identities: Sequence[str], view: str = HR_VIEW) -> pd.DataFrame:
    """Mean cosine of each chosen person's embeddings with each other's: a symmetric table, names on both sides.

    The diagonal is the mean over pairs of different photographs of that person, NaN where there is one only. Raises
    SettingsInvalid when nobody is chosen, too many are, or somebody has no embedding in that view.
    """
    names = list(dict.fromkeys(identities))
    if not 1 <= len(names) <= MOST_IN_MATRIX:
        raise SettingsInvalid(f"Choose 1 to {MOST_IN_MATRIX} people, not {len(names)}.", "Choose some of them.")
    here = cloud.only(view)
    of = cloud.table["identity"].to_numpy(dtype=str)[here]
    rows = {name: cloud.vectors[here[of == name]].astype(np.float64) for name in names}
    without = [name for name, vectors in rows.items() if not len(vectors)]
    if without:
        raise SettingsInvalid(f"“{without[0]}” has no embedding at {view}.", "Choose somebody else, or another size.")
    sums = np.stack([vectors.sum(axis=0) for vectors in rows.values()])
    counts = np.array([len(vectors) for vectors in rows.values()], dtype=np.float64)
    matrix = (sums @ sums.T) / np.outer(counts, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.array([(vectors**2).sum() for vectors in rows.values()])
        own = (np.diag(sums @ sums.T) - squares) / (counts * (counts - 1))
    np.fill_diagonal(matrix, np.where(counts > 1, own, np.nan))
    return pd.DataFrame(matrix, index=names, columns=names)


def nearest_people(cloud: Cloud, identity: str, most: int = 8, view: str = HR_VIEW) -> list[str]:
    """`identity` and the people whose mean embedding is nearest to its own, nearest first. Raises SettingsInvalid."""
    here = cloud.only(view)
    of = cloud.table["identity"].to_numpy(dtype=str)[here]
    names, codes = np.unique(of, return_inverse=True)
    if identity not in names:
        raise SettingsInvalid(f"“{identity}” has no embedding at {view}.", "Choose somebody else, or another size.")
    sums = np.zeros((len(names), cloud.vectors.shape[1]))
    np.add.at(sums, codes, cloud.vectors[here])
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    scores = means @ mean_of(cloud.vectors[here[of == identity]])
    order = [str(names[row]) for row in np.argsort(-scores, kind="stable") if names[row] != identity]
    return [identity, *order[: most - 1]]


def small_against_hr(cloud: Cloud) -> pd.DataFrame:
    """A row for each small point that has its own HR: identity, image, view, row, `similarity` (their cosine)."""
    table = cloud.table
    rows = np.flatnonzero(((table["view"] != HR_VIEW) & (table["hr"] >= 0)).to_numpy())
    own = table["hr"].to_numpy(dtype=np.int64)[rows]
    return pd.DataFrame(
        {
            "identity": table["identity"].to_numpy()[rows],
            "image": table["image"].to_numpy()[rows],
            "view": table["view"].to_numpy()[rows],
            "row": rows,
            "similarity": pair_scores(cloud.vectors[rows], cloud.vectors[own]),
        }
    )


def by_size(pairs: pd.DataFrame, strangers: pd.Series | None = None) -> pd.DataFrame:
    """SR-HR similarity of each size, small sizes last: view, pairs, people, mean, p5 and p95, lowest.

    `strangers` is the mean similarity to somebody else's HR, by view (see `strangers_by_size`)."""
    rows = []
    for view, part in pairs.groupby("view", sort=False):
        values = part["similarity"].to_numpy()
        low, high = np.percentile(values, [5, 95])
        rows.append(
            {
                "view": str(view),
                "pairs": len(part),
                "people": int(part["identity"].nunique()),
                "mean": float(values.mean()),
                "p5": float(low),
                "p95": float(high),
                "lowest": float(values.min()),
                "strangers": float("nan") if strangers is None else float(strangers.get(view, float("nan"))),
            }
        )
    return pd.DataFrame(rows, columns=["view", "pairs", "people", "mean", "p5", "p95", "lowest", "strangers"])


def strangers_by_size(cloud: Cloud) -> pd.Series:
    """The mean cosine of a small point with HR points of other people, by view: what similarity means nothing.

    Exact, from sums: the mean over all pairs less those of one person.
    """
    names, people = np.unique(cloud.table["identity"].to_numpy(dtype=str), return_inverse=True)
    full = cloud.only(HR_VIEW)
    hr_sums = np.zeros((len(names), cloud.vectors.shape[1]))
    np.add.at(hr_sums, people[full], cloud.vectors[full])
    hr_counts = np.bincount(people[full], minlength=len(names)).astype(np.float64)
    found = {}
    for view in cloud.views:
        if view == HR_VIEW:
            continue
        rows = cloud.only(view)
        sums = np.zeros_like(hr_sums)
        np.add.at(sums, people[rows], cloud.vectors[rows])
        counts = np.bincount(people[rows], minlength=len(names)).astype(np.float64)
        pairs = counts.sum() * hr_counts.sum() - float(counts @ hr_counts)
        total = float(sums.sum(axis=0) @ hr_sums.sum(axis=0)) - float((sums * hr_sums).sum())
        found[view] = total / pairs if pairs > 0 else float("nan")
    return pd.Series(found, dtype=np.float64)


def by_person(pairs: pd.DataFrame) -> pd.DataFrame:
    """SR-HR similarity of each person and size, lowest mean first: identity, view, images, mean, lowest, image (the
    one with the lowest) and its row."""
    if pairs.empty:
        return pd.DataFrame(columns=["identity", "view", "images", "mean", "lowest", "image", "row"])
    worst = pairs.loc[pairs.groupby(["identity", "view"])["similarity"].idxmin()]
    grouped = pairs.groupby(["identity", "view"])["similarity"].agg(["size", "mean"]).reset_index()
    table = grouped.merge(worst, on=["identity", "view"]).rename(columns={"size": "images", "similarity": "lowest"})
    columns = ["identity", "view", "images", "mean", "lowest", "image", "row"]
    return table[columns].sort_values("mean", kind="stable").reset_index(drop=True)
