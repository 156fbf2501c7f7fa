"""Two evaluations of the same data side by side: what changed overall, and person by person who gained and who lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from scipy.stats import binomtest

from core.errors import SettingsInvalid
from core.evaluation.per_identity import gained_and_lost
from core.evaluation.result import Evaluation, resolution_table

UNKNOWN = "not recorded"

_VIEW = ["mode", "degradation", "probe", "size_px"]


def compare_evaluations(
    before: Evaluation, after: Evaluation, *, names: tuple[str, str] = ("before", "after")
) -> Evaluation:
    """`change`: EER, TAR at FAR 0.1 % (both also with people alike, where both runs have it) and rank-1 by view and
    pairing, and how many people gained or lost by rank-1 (with a two-sided sign test's p). `gained_lost`: the people,
    biggest loss first.

    The first system of each counts. Raises SettingsInvalid when the two were not measured on the same data.
    """
    hashes = [one.protocol.get("data_sha256") for one in (before, after)]
    if None in hashes or hashes[0] != hashes[1]:
        raise SettingsInvalid(
            "The two evaluations were measured on different data.", "Evaluate both on the same data set and split."
        )
    first, second = (_first_system(one) for one in (before, after))
    people = _people(_of(before, "per_identity", first), _of(after, "per_identity", second))
    change = _change(before, after, (first, second), people)
    if change.empty:
        raise SettingsInvalid("The two evaluations have no view in common.", "Evaluate both at the same sizes.")
    protocol = {
        "data": before.protocol.get("data"),
        "data_sha256": hashes[0],
        "before": names[0],
        "after": names[1],
        "systems": [*before.protocol.get("systems", [])[:1], *after.protocol.get("systems", [])[:1]],
        "made_at": after.protocol.get("made_at"),
        "versions": after.protocol.get("versions", {}),
    }
    tables = {"change": change}
    if not people.empty:
        tables["gained_lost"] = people
    title = f"{first} against {second}"
    aligners = {name: aligner_named(one) for name, one in zip(names, (before, after), strict=True)}
    said = [_text(change), *differing_aligners(aligners)]
    return Evaluation("compare", title, " ".join(said), {**protocol, "aligners": aligners}, tables)


def aligner_named(evaluation: Evaluation) -> str:
    """What aligned the faces of an evaluation, in words."""
    return str(evaluation.protocol.get("aligner") or UNKNOWN)


def differing_aligners(aligners: Mapping[str, str]) -> list[str]:
    """Return a warning where evaluations, by name, were aligned by different means, else nothing."""
    if len(set(aligners.values())) < 2:
        return []
    said = "; ".join(f"{name}: {aligner}" for name, aligner in aligners.items())
    return [f"Their faces were aligned differently ({said}): a difference may come from that."]


def of_system(evaluation: Evaluation, label: str) -> Evaluation:
    """The evaluation as if only the system called `label` had been measured. Raises SettingsInvalid without it."""
    systems = [system for system in evaluation.protocol.get("systems", []) if system.get("label") == label]
    if not systems:
        raise SettingsInvalid(f"The evaluation measured no '{label}'.", "Choose one that it names.")
    tables = {
        name: table[table["system"] == label].reset_index(drop=True) if "system" in table else table
        for name, table in evaluation.tables.items()
    }
    return replace(evaluation, protocol={**evaluation.protocol, "systems": systems}, tables=tables)


def _first_system(evaluation: Evaluation) -> str:
    systems: Sequence[dict[str, str]] = evaluation.protocol.get("systems", [])
    if not systems:
        raise SettingsInvalid("An evaluation names no system.", "Evaluate again.")
    return str(systems[0]["label"])


def _of(evaluation: Evaluation, name: str, system: str) -> pd.DataFrame:
    table = evaluation.table(name)
    return table if table.empty else table[table["system"] == system]


def _people(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    if before.empty or after.empty:
        return pd.DataFrame()
    parts = []
    views = before[_VIEW].drop_duplicates().merge(after[_VIEW].drop_duplicates())
    for view in views.itertuples(index=False):
        same = [(table[list(_VIEW)] == list(view)).all(axis=1) for table in (before, after)]
        table = gained_and_lost(before[same[0]], after[same[1]])
        for position, name in enumerate(_VIEW):
            table.insert(position, name, view[position])
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _change(before: Evaluation, after: Evaluation, systems: tuple[str, str], people: pd.DataFrame) -> pd.DataFrame:
    by = [*_VIEW, "pairing"]
    left, right = (
        table[table["system"] == system].drop(columns="system")
        for table, system in zip((resolution_table(before), resolution_table(after)), systems, strict=True)
    )
    both = left.merge(right, on=by, suffixes=("_before", "_after"))
    table = both[by].copy()
    for measure in ("eer", "eer_alike", "tar", "tar_alike", "rank1"):
        if f"{measure}_before" in both:
            for side in ("before", "after"):
                table[f"{measure}_{side}"] = both[f"{measure}_{side}"]
                for end in ("low", "high"):
                    table[f"{measure}_{side}_{end}"] = both[f"{measure}_{end}_{side}"]
            table[f"{measure}_change"] = both[f"{measure}_after"] - both[f"{measure}_before"]
    if people.empty:
        return table
    counted = people.groupby(_VIEW)["verdict"].value_counts().unstack(fill_value=0)
    for verdict in ("gained", "lost", "same"):
        counted[verdict] = counted.get(verdict, 0)
    counted["p"] = [
        binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        for gained, lost in zip(counted["gained"].astype(int), counted["lost"].astype(int), strict=True)
    ]
    return table.merge(counted[["gained", "lost", "same", "p"]].reset_index(), on=_VIEW, how="left")


def _text(change: pd.DataFrame) -> str:
    against = change[change["pairing"] != "VLR-VLR"]
    said = [
        f"{row['probe']} {row['eer_before'] * 100:.2f} to {row['eer_after'] * 100:.2f} %"
        for row in (against if len(against) else change).to_dict("records")
    ]
    return f"EER against HR: {', '.join(said)}."
