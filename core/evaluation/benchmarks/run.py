"""Run a benchmark by its published protocol.

TinyFace: every gallery picture is a template of its own, 1:N with distractors, rank-1 and rank-5 over probes. SCface:
closed set, the mugshots enrolled, rank-1 at each distance. QMUL-SurvFace: open set, one mean a person, TPIR20 (own
identity among the first 20 with a score >= threshold) at FPIR 30, 20, 10 and 1 % of unmated probes. LFW and XQLFW:
accuracy over folds, each with the threshold that is best on the others. As in published figures every probe counts:
one without a usable face is an error, in a pair it is a rejection.

Pictures of TinyFace and SurvFace are cut-out faces. The detector searches each; where it finds no face the whole
picture is used, as the benchmark intends. Nothing is trained on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation.benchmarks.layouts import IDENTIFICATION, Files, read_identification, read_pairs_layout
from core.evaluation.benchmarks.published import published
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.identification import Outcomes, Templates, identify, threshold_at
from core.evaluation.intervals import resampled_interval, share_interval
from core.evaluation.listed_pairs import PairsSource
from core.evaluation.metrics import REJECTED
from core.evaluation.open_set_interval import dir_draws
from core.evaluation.pairs_evaluation import evaluate_listed
from core.evaluation.pictures import Picture, codes_of, pictures_of_paths
from core.evaluation.protocol import protocol_of
from core.evaluation.result import Evaluation
from core.evaluation.systems import System
from core.evaluation.views import View
from core.gallery.match import weights_of
from core.settings import CROP_PX

TITLES = {"tinyface": "TinyFace", "scface": "SCface", "survface": "QMUL-SurvFace", "lfw": "LFW", "xqlfw": "XQLFW"}
AS_PUBLISHED = "as published"
"""The aligner where the benchmark's own files are aligned crops."""

FPIRS = (0.3, 0.2, 0.1, 0.01)
TPIR_RANK = 20
MOST_RESAMPLES = 200
"""More resamples of an open set with 150,000 strangers don't fit into memory."""


@dataclass(frozen=True)
class _Part:
    """Pictures with their vectors: a gallery, probes, or strangers."""

    pictures: Sequence[Picture]
    embedded: Embedded


def run_benchmark(
    name: str,
    root: Path,
    systems: Sequence[System],
    plan: Plan,
    *,
    hooks: RunHooks = NO_HOOKS,
) -> Evaluation:
    """Run a benchmark with every system, with published figures of others for comparison.

    Raises BenchmarkMissing, what `embed` raises, JobStopped.
    """
    if name not in IDENTIFICATION:
        return _verification(name, root, systems, plan, hooks)
    layout = read_identification(name, root)
    groups = {
        "gallery": layout.gallery,
        "distractors": layout.distractors,
        "strangers": layout.strangers,
        **layout.probes,
    }
    pictures = {label: _pictures(files, layout.root, name) for label, files in groups.items()}
    aligned = all(picture.cut_out and _is_crop(picture.path) for some in pictures.values() for picture in some)
    pictures = {label: [replace(picture, aligned=aligned) for picture in some] for label, some in pictures.items()}
    flat = [picture for some in pictures.values() for picture in some]
    view = View("aligned" if aligned else "end to end")
    rows: list[dict[str, Any]] = []
    for system in systems:
        embedded = embed(
            system,
            flat,
            [view],
            hooks,
            step=f"embed {system.label}",
            seed=plan.seed,
        )[view]
        parts = _split(pictures, embedded)
        measured = {"tinyface": _tinyface, "scface": _scface, "survface": _survface}[name](parts, plan)
        rows += [{"system": system.label, "benchmark": TITLES[name], **row} for row in measured]
    table = pd.DataFrame(rows)
    protocol = {
        **protocol_of(systems, flat, plan),
        "data": TITLES[name],
        "pictures": len(flat),
        "people": len({picture.identity for picture in [*pictures["gallery"]]}),
        "aligned_by_others": aligned,
        **({"aligner": AS_PUBLISHED} if aligned else {}),
        "protocol": (__doc__ or "").split("\n\n")[1].replace("\n", " "),
    }
    tables = {"benchmark": table, "published": published(name)}
    return Evaluation("benchmark", TITLES[name], _text(table, protocol), protocol, tables)


def _pictures(files: Files, root: Path, name: str) -> list[Picture]:
    pictures = pictures_of_paths(files.paths, files.identities, aligned=False, root=root)
    return [replace(picture, cut_out=name in ("tinyface", "survface")) for picture in pictures]


def _is_crop(path: Path) -> bool:
    """Whether a picture is aligned already: a 112 px square."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.size == (CROP_PX, CROP_PX)
    except (OSError, UnidentifiedImageError):
        return False


def _split(pictures: dict[str, list[Picture]], embedded: Embedded) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    start = 0
    for label, some in pictures.items():
        rows = slice(start, start + len(some))
        start += len(some)
        parts[label] = _Part(
            some,
            Embedded(
                embedded.mode,
                embedded.size_px,
                embedded.vectors[rows],
                embedded.acquired[rows],
                embedded.found[rows],
                embedded.quality[rows],
            ),
        )
    return parts


def _tinyface(parts: dict[str, _Part], plan: Plan) -> list[dict[str, Any]]:
    return [
        row
        for label in parts
        if label not in ("gallery", "distractors", "strangers")
        for row in _ranks(label, parts, (1, 5), plan, nearest_picture=True)
    ]


def _scface(parts: dict[str, _Part], plan: Plan) -> list[dict[str, Any]]:
    return [
        row
        for label in parts
        if label not in ("gallery", "distractors", "strangers")
        for row in _ranks(label, parts, (1,), plan, nearest_picture=False)
    ]


def _ranks(
    label: str, parts: dict[str, _Part], ranks: Sequence[int], plan: Plan, *, nearest_picture: bool
) -> list[dict[str, Any]]:
    """Closed-set rates over all probes of a part; those that weren't acquired count as missed."""
    probes = parts[label]
    hits_of = _hits(probes, parts, ranks, nearest_picture=nearest_picture)
    return [
        {"part": label, "measure": f"rank-{rank}", **_shares(hits_of[rank], probes, plan), **_acquired(probes, plan)}
        for rank in ranks
    ]


def _shares(hits: np.ndarray, probes: _Part, plan: Plan) -> dict[str, float | None]:
    """The hits (N,) of the N acquired probes as a share of all probes, with its interval, and of the acquired ones."""
    every = np.zeros(len(probes.pictures), bool)
    every[probes.embedded.acquired] = hits
    people, _ = codes_of(probes.pictures)
    return {
        "value": float(every.mean()) if len(every) else None,
        **_bounds("value", every, people, plan),
        "acquired_only": float(hits.mean()) if len(hits) else None,
        **_bounds("acquired_only", hits, people[probes.embedded.acquired], plan),
    }


def _bounds(name: str, hits: np.ndarray, people: np.ndarray, plan: Plan) -> dict[str, float | None]:
    low, high = share_interval(hits, people, resamples=plan.bootstrap, seed=plan.seed) or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _acquired(probes: _Part, plan: Plan) -> dict[str, float | None]:
    missed, (people, _) = ~probes.embedded.acquired, codes_of(probes.pictures)
    return {
        "probes": len(probes.pictures),
        "failure_to_acquire": float(missed.mean()),
        **_bounds("failure_to_acquire", missed, people, plan),
    }


def _hits(
    probes: _Part, parts: dict[str, _Part], ranks: Sequence[int], *, nearest_picture: bool
) -> dict[int, np.ndarray]:
    """The hits at each rank among acquired probes. With `nearest_picture` a hit at rank k is one of the person's
    pictures among the k nearest pictures; else the person among the k nearest people, by means."""
    gallery = [parts["gallery"], parts["distractors"]]
    names = {name: code for code, name in enumerate(dict.fromkeys(p.identity for g in gallery for p in g.pictures))}
    vectors = np.concatenate([part.embedded.vectors[part.embedded.acquired] for part in gallery])
    people = np.array(
        [names[p.identity] for g in gallery for p, there in zip(g.pictures, g.embedded.acquired, strict=True) if there],
        dtype=np.int64,
    )
    there = probes.embedded.acquired
    own = np.array([names.get(picture.identity, -1) for picture in probes.pictures], dtype=np.int64)[there]
    queries = probes.embedded.vectors[there]
    if not len(queries) or not len(vectors):
        return {rank: np.zeros(len(queries), bool) for rank in ranks}
    if not nearest_picture:
        measured = [part.embedded.measure("recognisability")[part.embedded.acquired] for part in gallery]
        means = Templates(vectors, people, np.arange(len(people)), weights_of(np.concatenate(measured)))
        outcomes = identify(Templates(queries, own, -1 - np.arange(len(own))), [means])
        return {rank: outcomes.mated & (outcomes.rank <= rank) for rank in ranks}
    hits = {rank: np.zeros(len(queries), bool) for rank in ranks}
    for start in range(0, len(queries), 256):
        scores = queries[start : start + 256] @ vectors.T
        mine = own[start : start + 256]
        best_own = np.where(people[None] == mine[:, None], scores, -np.inf).max(axis=1)
        nearer = ((scores >= best_own[:, None]) & (people[None] != mine[:, None])).sum(axis=1)
        for rank in ranks:
            hits[rank][start : start + 256] = np.isfinite(best_own) & (nearer < rank)
    return hits


def _survface(parts: dict[str, _Part], plan: Plan) -> list[dict[str, Any]]:
    gallery = parts["gallery"]
    names = {name: code for code, name in enumerate(dict.fromkeys(p.identity for p in gallery.pictures))}
    enrolled = gallery.embedded.acquired
    codes = np.array([names[picture.identity] for picture in gallery.pictures], dtype=np.int64)
    templates = gallery.embedded.templates(codes, np.flatnonzero(enrolled))
    mated, strangers = (_searched(parts[label], names, templates) for label in ("mated probes", "strangers"))
    probes = parts["mated probes"]
    unseen = len(parts["strangers"].pictures) - len(strangers.top)
    tops = np.concatenate([strangers.top, np.full(unseen, REJECTED)])  # a stranger who isn't acquired gets no name
    rows: list[dict[str, Any]] = []
    for target in FPIRS:
        row: dict[str, Any] = {"part": "mated probes", "measure": f"TPIR{TPIR_RANK} at FPIR {target * 100:g} %"}
        row |= dict.fromkeys(f"{name}{end}" for name in ("value", "acquired_only") for end in ("", "_low", "_high"))
        row["threshold"] = None
        if len(tops) * target >= 1:
            threshold = threshold_at(tops, target)
            hits = mated.mated & (mated.rank <= TPIR_RANK) & (np.nan_to_num(mated.genuine, nan=REJECTED) >= threshold)
            bounds = _bounds_at(target, hits, probes, mated, tops, plan)
            row |= {**_shares(hits, probes, plan), **bounds, "threshold": threshold}
        rows.append({**row, **_acquired(probes, plan)})
    return rows


def _bounds_at(
    target: float, hits: np.ndarray, probes: _Part, mated: Outcomes, tops: np.ndarray, plan: Plan
) -> dict[str, float | None]:
    """The intervals of TPIR at an FPIR, which include the threshold's error. Every stranger's picture is a person's."""
    if not plan.bootstrap:
        return {}
    people, names = codes_of(probes.pictures)
    there = probes.embedded.acquired
    every, genuine, rank = np.zeros(len(people), bool), np.full(len(people), REJECTED), np.zeros(len(people), np.int64)
    every[there], genuine[there], rank[there] = hits, np.nan_to_num(mated.genuine, nan=REJECTED), mated.rank
    everybody = Outcomes(people, np.arange(len(people)), genuine, genuine, people, rank)
    bounds: dict[str, float | None] = {}
    for name, some in (("value", np.ones(len(people), bool)), ("acquired_only", there)):
        if some.any():
            drawn = dir_draws(
                everybody.only(some),
                tops,
                len(names) + np.arange(len(tops)),
                target,
                resamples=min(plan.bootstrap, MOST_RESAMPLES),
                seed=plan.seed,
                rank=TPIR_RANK,
            )
            low, high = resampled_interval(float(every[some].mean()), drawn, len(np.unique(people[some])))
            bounds |= {f"{name}_low": low, f"{name}_high": high}
    return bounds


def _searched(part: _Part, names: dict[str, int], templates: Templates) -> Outcomes:
    there = part.embedded.acquired
    codes = np.array([names.get(picture.identity, -1) for picture in part.pictures], dtype=np.int64)[there]
    return identify(Templates(part.embedded.vectors[there], codes, -1 - np.arange(len(codes))), [templates])


def _verification(name: str, root: Path, systems: Sequence[System], plan: Plan, hooks: RunHooks) -> Evaluation:
    layout = read_pairs_layout(name, root)
    plan = plan.model_copy(update={"sizes": (None,), "modes": ("aligned",), "degradations": ("bicubic",)})
    source = PairsSource(layout.images, layout.pairs_file, all_pairs=False, aligned=layout.aligned)
    evaluation = evaluate_listed(source, systems, plan, hooks=hooks)
    verified = evaluation.table("verification")
    rows = [
        {
            "system": row["system"],
            "benchmark": TITLES[name],
            "part": "pairs",
            "measure": "accuracy",
            "value": row["accuracy_with_failures"],
            "value_low": row["accuracy_with_failures_low"],
            "value_high": row["accuracy_with_failures_high"],
            "value_se": row["accuracy_with_failures_se"],
            "acquired_only": row["accuracy"],
            "acquired_only_low": row["accuracy_low"],
            "acquired_only_high": row["accuracy_high"],
            "probes": evaluation.protocol["pairs"],
            **{str(name): row[name] for name in row if str(name).startswith("failure_to_acquire")},
        }
        for row in verified.to_dict("records")
    ]
    table = pd.DataFrame(rows)
    tables = {"benchmark": table, "published": published(name), **evaluation.tables}
    aligner = {"aligner": AS_PUBLISHED} if layout.aligned else {}
    protocol = {**evaluation.protocol, "data": TITLES[name], **aligner}
    return Evaluation("benchmark", TITLES[name], _text(table, protocol), protocol, tables)


def _text(table: pd.DataFrame, protocol: Mapping[str, Any]) -> str:
    first = table[table["system"] == table["system"].iloc[0]]
    said = [
        f"{row.part} ({row.probes:,}): {row.measure} "
        f"{'not enough data' if pd.isna(row.value) else format(row.value * 100, '.2f') + ' %'}"
        for row in first.itertuples()
    ]
    return f"{'; '.join(said)}, with {first['system'].iloc[0]}, aligner {protocol['aligner']}."
