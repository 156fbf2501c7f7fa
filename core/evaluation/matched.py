"""Gain from resolution-matched templates: identification with full-size templates alone, and with matched ones added.

Every picture is searched among everybody's pictures without its own, first with HR templates, then with those at 16 px
added, then with those at 32, 24 and 16 px added. The difference is taken probe by probe, its interval by resampling
people; that of names at an FPIR includes the error of either threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.identification import (
    Outcomes,
    Templates,
    identified,
    identify,
    threshold_at,
)
from core.evaluation.intervals import Interval, change_interval, paired_interval, resampled_interval, share_interval
from core.evaluation.open_set_interval import dir_draws
from core.evaluation.pictures import Picture, codes_of
from core.evaluation.protocol import protocol_of
from core.evaluation.result import Evaluation
from core.evaluation.scores import Ints
from core.evaluation.systems import System
from core.evaluation.tolerance import enough
from core.evaluation.verification import Floats
from core.evaluation.views import View
from core.recognition.matched_templates import MATCHED_SIZES_PX

FPIR = 0.01
HR_ONLY = "HR only"
KINDS: dict[str, tuple[int, ...]] = {HR_ONLY: (), "HR, 16": (16,), "HR, 32, 24, 16": MATCHED_SIZES_PX}
"""Sizes enrolled besides full size, by their name in the table."""


def evaluate_matched(
    system: System,
    pictures: Sequence[Picture],
    plan: Plan,
    *,
    data: Mapping[str, Any],
    hooks: RunHooks = NO_HOOKS,
) -> Evaluation:
    """Rank-1, and identification rate at FPIR 1 %, by template kinds, for each size and mode of `plan`.

    Matched templates are made from aligned HR crops whatever the mode, as enrolment makes them; the mode is the
    probes'. For the FPIR every probe also counts as a stranger, its own person left out; with too few people
    it is omitted (`tolerance.enough`). Raises SettingsInvalid when nobody has two pictures, and what `embed` raises.
    """
    people, names = codes_of(pictures)
    if np.bincount(people).max() < 2:
        raise SettingsInvalid("Nobody has two pictures, so nobody can be found.", "Choose another data set or split.")
    enrolled_views = [View("aligned"), *(View("aligned", px) for px in MATCHED_SIZES_PX)]
    plan = plan.model_copy(update={"sizes": tuple(dict.fromkeys((None, *plan.sizes)))})
    views = list(dict.fromkeys([*enrolled_views, *plan.views()]))
    embedded = embed(
        system,
        pictures,
        views,
        hooks,
        step=f"embed {system.label}",
        seed=plan.seed,
    )
    kinds = {
        name: [_templates(embedded[view], people) for view in enrolled_views if view.size_px in (None, *sizes)]
        for name, sizes in KINDS.items()
    }
    rows: list[dict[str, Any]] = []
    for done, view in enumerate(plan.views()):
        hooks.progress("search", done, len(plan.views()))
        probes = _templates(embedded[view], people)
        outcomes = {name: identify(probes, enrolled) for name, enrolled in kinds.items()}
        rows += _rows(view, outcomes, plan)
    hooks.progress("search", len(plan.views()), len(plan.views()))
    table = pd.DataFrame(rows)
    table.insert(0, "system", system.label)
    return Evaluation(
        "matched",
        f"Matched templates on {data.get('data', 'pictures')}",
        _headline(table),
        {
            **protocol_of([system], pictures, plan),
            **data,
            "people": len(names),
            "pictures": len(pictures),
            "protocol": "leave one out; templates: means of all other pictures of a person, one mean a size",
        },
        {"matched": table},
    )


def _templates(one: Embedded, people: Ints) -> Templates:
    return one.templates(people, np.flatnonzero(one.acquired))


def _rows(view: View, outcomes: Mapping[str, Outcomes], plan: Plan) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    first: dict[str, NDArray[np.bool_]] = {}
    named: dict[str, tuple[float, Floats]] = {}
    for name, found in outcomes.items():
        mated = found.only(found.mated)
        first[name] = mated.rank == 1
        row: dict[str, Any] = {
            "mode": view.mode,
            "probe": view.probe,
            "size_px": 112 if view.size_px is None else view.size_px,
            "templates": name,
            "probes": len(mated.rank),
            "identities": len(np.unique(found.person)),
            "rank1": float(first[name].mean()),
            **_bounds("rank1", share_interval(first[name], mated.person, resamples=plan.bootstrap, seed=plan.seed)),
        }
        others, whose = _others(found)
        sufficient = enough(len(others), len(np.unique(whose)), FPIR)
        threshold = threshold_at(others, FPIR) if sufficient else None
        row |= {"dir": None, **_bounds("dir", None)}
        people = len(np.unique(mated.person))
        if threshold is not None:
            share = float(identified(mated, threshold).mean())
            drawn = dir_draws(mated, others, whose, FPIR, resamples=plan.bootstrap, seed=plan.seed)
            named[name] = share, drawn
            row |= {
                "dir": share,
                **_bounds("dir", resampled_interval(share, drawn, people) if plan.bootstrap else None),
            }
        if name != HR_ONLY:
            change = paired_interval(
                first[HR_ONLY], first[name], mated.person, resamples=plan.bootstrap, seed=plan.seed
            )
            row |= {"rank1_change": row["rank1"] - float(first[HR_ONLY].mean()), **_bounds("rank1_change", change)}
            row |= {"dir_change": None, **_bounds("dir_change", None)}
            if name in named and HR_ONLY in named:
                (share, drawn), (before, drawn_before) = named[name], named[HR_ONLY]
                # The same people are drawn for both.
                change = change_interval(share - before, drawn - drawn_before, people) if plan.bootstrap else None
                row |= {"dir_change": share - before, **_bounds("dir_change", change)}
        rows.append({**row, "threshold": threshold})
    return rows


def _bounds(measure: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{measure}_low": low, f"{measure}_high": high}


def _others(found: Outcomes) -> tuple[Floats, Ints]:
    """Each probe's highest impostor score, and its own person."""
    there = ~np.isnan(found.impostor)
    return (found.impostor[there], found.person[there]) if there.any() else (np.zeros(1), found.person[:1])


def _headline(table: pd.DataFrame) -> str:
    small = table[(table["templates"] != HR_ONLY) & (table["size_px"] == table["size_px"].min())].to_dict("records")
    said = [
        f"{row['templates']}{'' if row['mode'] == 'aligned' else ' end to end'} {_points(row['rank1_change'])} and "
        f"{_points(row['dir_change'])}"
        for row in small
    ]
    probe = small[0]["probe"] if small else ""
    return (
        f"Rank-1, and names at FPIR {FPIR * 100:g} %, at {probe} against HR templates alone, in points: "
        f"{'; '.join(said)}."
    )


def _points(change: float | None) -> str:
    return "undetermined" if change is None or np.isnan(change) else f"{change * 100:+.2f}"
