"""Evaluate every system in every view on the same pictures, and return tables.

Verification on all pairs, identification with each picture left out of its own person's templates, an open set by
gallery size, figures per person, errors after rejecting the worst images, quality of super-resolution. Sizes times
systems make the curve of accuracy against resolution.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation import curves, open_set, per_identity, reject, sr_quality
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import COMPARING, Plan
from core.evaluation.groups import by_group, similarities, similarity_by_group
from core.evaluation.head import find_head, head_accuracy, read_head
from core.evaluation.headline import headline
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.identification import RANKS, Outcomes, cmc, identified, rank_rates
from core.evaluation.intervals import share_interval
from core.evaluation.metrics import measure_all_pairs
from core.evaluation.pictures import Picture, codes_of, require_comparable
from core.evaluation.protocol import labelled, protocol_of, view_columns
from core.evaluation.result import Evaluation
from core.evaluation.scores import Ints, side, sorted_scores
from core.evaluation.systems import System
from core.evaluation.verification import Floats, roc_of_sorted
from core.evaluation.verification_rows import Pairing, Row, failures, row_values
from core.evaluation.views import View

_PROBES_KEPT = 200_000
"""A longer table of probes isn't stored; per-person figures are."""


@dataclass(frozen=True)
class _Work:
    """The inputs that every section shares."""

    pictures: Sequence[Picture]
    people: Ints
    plan: Plan
    hooks: RunHooks


def evaluate_pictures(
    systems: Sequence[System],
    pictures: Sequence[Picture],
    plan: Plan,
    *,
    data: Mapping[str, Any],
    hooks: RunHooks = NO_HOOKS,
) -> Evaluation:
    """Measure `systems` on `pictures`, in every view and section of `plan`. `data` describes the pictures in the
    protocol.

    Raises SettingsInvalid when there are no two people, or no two pictures of one person, to compare; what `embed`
    raises; JobStopped.
    """
    people, names = codes_of(pictures)
    if not set(plan.sections).isdisjoint(COMPARING):
        require_comparable((picture.identity for picture in pictures), str(data.get("data") or "The data"))
    work = _Work(pictures, people, plan, hooks)
    tables: dict[str, list[pd.DataFrame]] = defaultdict(list)
    similar: list[tuple[System, Mapping[View, Floats]]] = []
    for system in systems:
        embedded = embed(
            system,
            pictures,
            plan.views(),
            hooks,
            step=f"embed {system.label}",
            seed=plan.seed,
            mirrored=_mirrored(pictures, plan),
        )
        wanted = [view for view in plan.views() if plan.wants(view)]
        for number, view in enumerate(wanted):
            hooks.check_stop()
            hooks.progress(f"measure {system.label}", number, len(wanted))
            for name, table in _measured(work, view, embedded[view], embedded[View(view.mode)]).items():
                tables[name].append(labelled(table, view_columns(system, view)))
        hooks.progress(f"measure {system.label}", len(wanted), len(wanted))
        similar.append((system, similarities(embedded)))
        for name, table in _of_system(work, system, embedded).items():
            table.insert(0, "system", system.label)
            tables[name].append(table)
    if "similarity" in plan.sections:
        tables["similarity"] = similarity_by_group(similar, pictures, plan)
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}
    if "probes" in joined and len(joined["probes"]) > _PROBES_KEPT:
        del joined["probes"]
    if "identification" in plan.sections:
        joined["too_few"] = _people_with_one(pictures)
    return Evaluation(
        "dataset",
        f"Accuracy on {data.get('data', 'pictures')}",
        headline(joined, plan.sections),
        {
            **protocol_of(systems, pictures, plan),
            **data,
            "people": len(names),
            "pictures": len(pictures),
        },
        joined,
    )


def _mirrored(pictures: Sequence[Picture], plan: Plan) -> set[str]:
    """SHA-256 of the pictures for the curve of rejection: those of a sample of people."""
    if "reject" not in plan.sections or not plan.reject_images:
        return set()
    sampled = reject.sample_people([picture.identity for picture in pictures], plan.reject_images, plan.seed)
    return {picture.sha256 for picture, there in zip(pictures, sampled, strict=True) if there}


def _measured(work: _Work, view: View, probe: Embedded, hr: Embedded) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {}
    genuine = impostor = np.zeros(0, np.float32)
    if "verification" in work.plan.sections:
        for pairing in ("HR-HR",) if view.size_px is None else ("VLR-VLR", "VLR-HR"):
            genuine, impostor, some = _verification(work, view, probe, hr, pairing)  # type: ignore[arg-type]
            for name, table in some.items():
                tables[name] = pd.concat([tables[name], table], ignore_index=True) if name in tables else table
    trials = _trials(work, probe, hr) if "open set" in work.plan.sections else []
    if "identification" in work.plan.sections:
        tables |= _identification(work, probe, hr, genuine, impostor, trials[-1] if trials else None)
    if trials:
        tables["open_set"] = pd.DataFrame([row for trial in trials for row in _open_set(work, trial, probe)])
    if "reject" in work.plan.sections and view.size_px is not None:
        tables["reject"] = _reject(work, probe, hr)
    return tables


def _verification(
    work: _Work, view: View, probe: Embedded, hr: Embedded, pairing: Pairing
) -> tuple[np.ndarray, np.ndarray, dict[str, pd.DataFrame]]:
    """Genuine and impostor scores, and the tables; no tables without both kinds of pairs."""
    ordered = pairing == "VLR-HR"
    left, right = side(probe.vectors, work.people), side((hr if ordered else probe).vectors, work.people)
    acquired = (
        left.only(probe.acquired[left.photos]),
        right.only((hr if ordered else probe).acquired[right.photos]),
    )
    genuine, impostor = sorted_scores(*acquired, ordered=ordered)
    if not len(genuine) or not len(impostor):
        return genuine, impostor, {}
    found = measure_all_pairs(
        *acquired,
        ordered=ordered,
        everyone=left,
        resamples=work.plan.bootstrap,
        seed=work.plan.seed,
        scores=(genuine, impostor),
    )
    missed = failures(probe.acquired, probe.found, work.people, resamples=work.plan.bootstrap, seed=work.plan.seed)
    row = Row("all pairs", view.mode, view.size_px, pairing, *missed, *found)
    values = {
        name: value
        for name, value in row_values(row, "").items()
        if name not in ("mode", "probe", "folds") and not name.startswith("accuracy")
    }
    points = curves.roc_points(roc_of_sorted(genuine, impostor))
    bins = curves.score_histogram(genuine, impostor)
    for table in (points, bins):
        table.insert(0, "pairing", pairing)
    return genuine, impostor, {"verification": pd.DataFrame([values]), "curves": points, "histograms": bins}


def _identification(
    work: _Work,
    probe: Embedded,
    hr: Embedded,
    genuine: np.ndarray,
    impostor: np.ndarray,
    largest: open_set.Trial | None,
) -> dict[str, pd.DataFrame]:
    plan = work.plan
    outcomes, _ = per_identity.leave_one_out(work.pictures, probe, hr)
    if outcomes is None or not outcomes.mated.any():
        return {}
    probes = per_identity.probe_table(work.pictures, probe, hr)
    sizes = np.bincount(work.people)
    missed = work.people[~probe.acquired & (sizes[work.people] > 1)]
    groups = (
        {}
        if not plan.by
        else {
            "groups": by_group(probes, work.pictures, plan.by, plan.threshold, resamples=plan.bootstrap, seed=plan.seed)
        }
    )
    return {
        **groups,
        "identification": pd.DataFrame([_rank_row(outcomes, missed, probe, plan)]),
        "cmc": cmc(outcomes),
        "sweep": curves.sweep(genuine, impostor, outcomes, largest.outcomes if largest is not None else None),
        "per_identity": per_identity.per_identity(probes, plan.threshold),
        "confused": per_identity.confused_pairs(probes),
        "probes": probes,
    }


def _rank_row(outcomes: Outcomes, missed: Ints, probe: Embedded, plan: Plan) -> dict[str, Any]:
    mated = outcomes.only(outcomes.mated)
    rates, with_missed = rank_rates(outcomes), rank_rates(outcomes, missed=len(missed))
    row: dict[str, Any] = {"probes": len(mated.rank), "identities": len(np.unique(outcomes.person))}
    for rank in RANKS:
        interval = share_interval(mated.rank <= rank, mated.person, resamples=plan.bootstrap, seed=plan.seed)
        low, high = interval or (None, None)
        row |= {f"rank{rank}": rates[rank], f"rank{rank}_low": low, f"rank{rank}_high": high}
    named = identified(mated, plan.threshold)
    interval = share_interval(named, mated.person, resamples=plan.bootstrap, seed=plan.seed)
    row |= {
        "threshold": plan.threshold,
        "accuracy_at_threshold": float(named.mean()),
        "accuracy_at_threshold_low": interval[0] if interval else None,
        "accuracy_at_threshold_high": interval[1] if interval else None,
        "failure_to_acquire": float((~probe.acquired).mean()),
        "no_face": float((~probe.found).mean()),
        "pictures": len(probe.acquired),
    }
    everybody = np.r_[mated.person, missed]
    for rank in RANKS:
        hits = np.r_[mated.rank <= rank, np.zeros(len(missed), bool)]
        low, high = share_interval(hits, everybody, resamples=plan.bootstrap, seed=plan.seed) or (None, None)
        name = f"rank{rank}_with_failures"
        row |= {name: with_missed[rank], f"{name}_low": low, f"{name}_high": high}
    return row


def _trials(work: _Work, probe: Embedded, hr: Embedded) -> list[open_set.Trial]:
    """Searches in galleries of every size with strangers left, smallest first."""
    plan = work.plan
    people = len(np.unique(work.people[hr.acquired]))
    wanted = plan.gallery_sizes or open_set.gallery_sizes(work.people)
    if not probe.acquired.any():
        return []
    return [
        open_set.run_trial(work.people, probe, hr, open_set.GalleryDesign(size, plan.enrol, plan.draws, seed=plan.seed))
        for size in sorted(wanted)
        if size < people
    ]


def _open_set(work: _Work, trial: open_set.Trial, probe: Embedded) -> list[dict[str, object]]:
    rows = open_set.open_set_rows(trial, resamples=min(work.plan.bootstrap, 200), seed=work.plan.seed)
    return [{**row, "failure_to_acquire": float((~probe.acquired).mean())} for row in rows]


def _reject(work: _Work, probe: Embedded, hr: Embedded) -> pd.DataFrame:
    parts = []
    for pairing, ordered in (("VLR-VLR", False), ("VLR-HR", True)):
        there = probe.acquired & hr.acquired if ordered else probe.acquired
        mirrored = there & np.isfinite(probe.measure("mirror_agreement"))
        if mirrored.any():  # of a sample of people, unless flip TTA gave it for all: all curves are drawn for those
            there = mirrored
        measures = {name: probe.measure(column)[there] for name, column in reject.MEASURES.items()}
        table = reject.reject_curves(
            probe.vectors[there],
            (hr if ordered else probe).vectors[there],
            work.people[there],
            measures,
            ordered=ordered,
            seed=work.plan.seed,
        )
        table.insert(0, "pairing", pairing)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _of_system(work: _Work, system: System, embedded: Mapping[View, Embedded]) -> dict[str, pd.DataFrame]:
    """Tables of a system, over all its views."""
    tables: dict[str, pd.DataFrame] = {}
    small = [view for view in embedded if view.size_px is not None and view.mode == "aligned"]
    if "super-resolution" in work.plan.sections and small and work.plan.sr_images:
        quality = sr_quality.sr_quality(
            system,
            work.pictures,
            small,
            most=work.plan.sr_images,
            seed=work.plan.seed,
            hooks=work.hooks,
        )
        if len(quality):
            tables |= {"sr_quality": quality, "sr_summary": sr_quality.sr_summary(quality)}
    head = find_head(system.path) if system.path is not None else None
    if "head" in work.plan.sections and head is not None:
        tables["head"] = _head(work, read_head(head), embedded)
    return tables


def _head(work: _Work, head: Any, embedded: Mapping[View, Embedded]) -> pd.DataFrame:
    rows = []
    for view, one in embedded.items():
        names = [picture.identity for picture, there in zip(work.pictures, one.acquired, strict=True) if there]
        accuracy = head_accuracy(
            head, one.vectors[one.acquired], names, resamples=work.plan.bootstrap, seed=work.plan.seed
        )
        rows.append({"mode": view.mode, "degradation": view.degradation, "probe": view.probe, **vars(accuracy)})
    return pd.DataFrame(rows)


def _people_with_one(pictures: Sequence[Picture]) -> pd.DataFrame:
    counts = pd.Series([picture.identity for picture in pictures]).value_counts()
    alone = sorted(str(name) for name in counts[counts < 2].index)
    why = "only one image: nothing to compare it with"
    return pd.DataFrame({"identity": alone, "images": 1, "why": why}, columns=["identity", "images", "why"])
