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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from core.evaluation.benchmarks.layouts import IDENTIFICATION, Files, read_identification, read_pairs_layout
from core.evaluation.benchmarks.published import published
from core.evaluation.benchmarks.rates import Part, closed_set, open_set
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.listed_pairs import PairsSource
from core.evaluation.pairs_evaluation import evaluate_listed
from core.evaluation.pictures import Picture, pictures_of_paths
from core.evaluation.protocol import protocol_of
from core.evaluation.result import Evaluation
from core.evaluation.systems import System
from core.evaluation.views import View
from core.settings import CROP_PX

TITLES = {"tinyface": "TinyFace", "scface": "SCface", "survface": "QMUL-SurvFace", "lfw": "LFW", "xqlfw": "XQLFW"}
AS_PUBLISHED = "as published"
"""The aligner where the benchmark's own files are aligned crops."""

_RATES: dict[str, Callable[[dict[str, Part], Plan], list[dict[str, Any]]]] = {
    "tinyface": partial(closed_set, ranks=(1, 5), nearest_picture=True),
    "scface": partial(closed_set, ranks=(1,), nearest_picture=False),
    "survface": open_set,
}


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
        measured = _RATES[name](parts, plan)
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


def _split(pictures: dict[str, list[Picture]], embedded: Embedded) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    start = 0
    for label, some in pictures.items():
        rows = slice(start, start + len(some))
        start += len(some)
        parts[label] = Part(
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
