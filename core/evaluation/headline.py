"""The result of an evaluation in a sentence: equal error rates by size, under each degradation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pandas as pd


def headline(tables: Mapping[str, pd.DataFrame], sections: Collection[str]) -> str:
    """The EER against HR of the first system, in its first mode; where no pairs were asked for, the similarity of its
    small faces to their own full-size faces."""
    if "verification" not in sections:
        return _similarity(tables["similarity"]) if "similarity" in tables else ""
    verification = tables.get("verification", pd.DataFrame())
    if verification.empty:
        return "No pair could be compared: too few pictures gave a usable face."
    rows = _first(verification[verification["pairing"] != "VLR-VLR"])
    said = _by_degradation(rows, lambda row: str(row["probe"]))
    return f"EER against HR, {rows['mode'].iloc[0]}, with {rows['system'].iloc[0]} ({_amounts(rows)} pairs): {said}."


def _similarity(table: pd.DataFrame) -> str:
    rows = _first(table)
    rows = rows[rows["by"] == rows["by"].iloc[0]]
    said = ", ".join(f"{row['probe']} {row['degradation']} {row['similarity']:.3f}" for row in rows.to_dict("records"))
    return (
        f"Mean cosine of small faces to their own full-size faces, {rows['mode'].iloc[0]}, with "
        f"{rows['system'].iloc[0]} ({rows['images'].max():,} images): {said}."
    )


def listed_headline(verification: pd.DataFrame) -> str:
    """The EER of listed pairs of the first system, in its first mode."""
    rows = _first(verification[verification["protocol"] == "pairs file"])
    said = _by_degradation(rows, lambda row: f"{row['probe']} {row['pairing']}")
    return f"EER of listed pairs ({_amounts(rows)}), {rows['mode'].iloc[0]}, {rows['system'].iloc[0]}: {said}."


def _first(rows: pd.DataFrame) -> pd.DataFrame:
    for column in ("system", "mode"):
        rows = rows.loc[rows[column] == rows[column].iloc[0]]
    return rows


def _amounts(rows: pd.DataFrame) -> str:
    return f"up to {rows['genuine'].max():,} genuine and {rows['impostor'].max():,} impostor"


def _by_degradation(rows: pd.DataFrame, named: Callable[[Mapping[Any, Any]], str]) -> str:
    """ "HR 0.67 %, 16 px 4.06 %", or "HR 0.67 %; bicubic: 16 px 4.06 %; camera: 16 px 17.5 %" where there are two."""
    kinds = [kind for kind in rows["degradation"].unique() if kind]
    said = {
        kind: ", ".join(
            f"{named(row)} {row['eer'] * 100:.2f} %" for row in rows[rows["degradation"] == kind].to_dict("records")
        )
        for kind in ("", *kinds)
    }
    parts = [f"{kind}: {text}" if kind and len(kinds) > 1 else text for kind, text in said.items() if text]
    return ("; " if len(kinds) > 1 else ", ").join(parts)
