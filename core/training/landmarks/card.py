"""What a landmark network's file says about itself: the metadata of the ONNX file, and its model card as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.access.actor import require
from core.access.roles import Permission
from core.errors import WeightsUnsafe
from core.faces.landmarks.look import LOOK_PX
from core.faces.landmarks.network import INPUT, OUTPUT, VALUES
from core.models.files import FileFacts, file_facts
from core.models.header import LANDMARKS_FORMAT, json_object
from core.settings import CROP_PX
from core.system.atomic_file import write_atomically
from core.training.export import without_folders
from core.training.landmarks.config import LandmarksConfig
from core.training.landmarks.validate import ROLLS_DEG, SIZES_PX
from core.training.model_card import table, terms_section

LICENCE = (
    "Trained from random initialisation by this project. The terms of the photographs above apply to what is "
    "trained on them. The targets are landmarks that YuNet placed (OpenCV Zoo, MIT)."
)
_LIMITS = (
    "The truth of the figures is YuNet's own reading of the large picture, not a person's: an error that both share "
    "isn't seen.",
    "Faces in profile, faces of animals and drawn faces are hardly in the training data.",
    "Cameras, ages and lighting that its photographs lack can do worse: measure on your own.",
)


def network_metadata(config: LandmarksConfig, record: Mapping[str, Any], data_key: str) -> dict[str, str]:
    """Return the texts in a network's file; `record` is that of the epoch whose weights it holds."""
    chosen = ("steps", "batch_size", "learning_rate", "seed")
    return {
        "format": LANDMARKS_FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "trained_by": without_folders(config.command),
        "data": data_key,
        "step": str(record.get("steps", "")),
        "config": json.dumps({name: getattr(config, name) for name in chosen}),
        "figures": json.dumps({"faces": record.get("faces"), **record.get("figures", {})}),
        "terms": json.dumps(config.terms),
        "input": f"{INPUT}: uint8 RGB, N,{LOOK_PX},{LOOK_PX},3, a square around a face",
        "output": f"{OUTPUT}: float32, N,{VALUES}: x and y of five points from -1 to 1 over the square, their expected "
        "errors, the probability of a face, recognisability",
        "licence": LICENCE,
    }


def copy_network(source: Path, target: Path) -> None:
    """Copy a network's ONNX file, atomically; its weights are float16 already. Raises NotAllowed, StorageFailed."""
    require(Permission.EXPORT)
    if source.resolve() != target.resolve():
        write_atomically(target, source.read_bytes())


def landmarks_card(
    path: Path, *, config: Mapping[str, Any] | None = None, report: Mapping[str, Any] | None = None
) -> str:
    """Return the card of a landmark network's ONNX file; `config` and `report` are those of the run that trained it.

    Raises WeightsMissing, StorageFailed, and WeightsUnsafe for a file without such metadata.
    """
    facts = file_facts(path)
    if facts.metadata.get("format") != LANDMARKS_FORMAT:
        raise WeightsUnsafe(
            f"{path.name} has no metadata of a landmark network.", "Use a file that `train landmarks` wrote."
        )
    blocks = [
        f"# {path.stem}",
        f"A landmark network: a square of {LOOK_PX} px around a face of any size and roll -> five landmarks with their "
        "expected errors, and whether it is a face.",
        table("What it is", _identity(facts)),
        table("How it was trained", _training(facts.metadata, config or {}, report or {})),
        terms_section(facts.metadata),
        _figures(json_object(facts.metadata.get("figures"))),
        "## Limits\n\n" + "\n".join(f"- {text}" for text in _LIMITS),
        f"## Licence\n\n{LICENCE}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _identity(facts: FileFacts) -> dict[str, object]:
    return {
        "File": f"`{facts.path.name}`, {facts.size_bytes:,} bytes, weights in float16",
        "SHA-256": f"`{facts.hashes.sha256}`",
        "Made at": facts.metadata.get("made_at", ""),
        "Parent": "none: random initialisation",
        "Input": facts.metadata.get("input", ""),
        "Output": facts.metadata.get("output", ""),
    }


def _training(metadata: Mapping[str, str], config: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, object]:
    chosen = json_object(metadata.get("config"))
    counts = {"faces": report.get("train_images"), "people": report.get("identities")}
    folders = ", ".join(Path(str(folder)).name for folder in config.get("photographs") or ())
    described = ", ".join(f"{value:,} {name}" for name, value in counts.items() if isinstance(value, int))
    folds = ", ".join(map(str, config.get("folds") or ()))
    seconds = report.get("seconds")
    return {
        "Command": f"`{metadata['trained_by']}`" if metadata.get("trained_by") else "",
        "Photographs": ": ".join(filter(None, (folders, described))),
        "People left out": f"those of {Path(str(config['pairs'])).name} outside folds {folds}" if folds else "",
        "Targets": "mean of six looks of YuNet at the large picture: three sizes, each mirrored too",
        "Recognisability": _second_stage(json_object(metadata.get("recognisability"))),
        "Settings": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in chosen.items()),
        "Weights of": f"step {metadata['step']}, averaged over the last steps" if metadata.get("step") else "",
        "Wall time": f"{seconds / 60:,.0f} minutes" if isinstance(seconds, int | float) else "",
        "Came of it": report.get("text") or "",
    }


def _second_stage(figures: Mapping[str, Any]) -> str:
    if not figures:
        return "not trained: the probability of a face stands in its place"
    shown = f"{figures['faces']:,} faces of {figures['people']:,} people with two photographs or more"
    return f"a head on the frozen network: {shown}, {figures['epochs']} epochs"


def _figures(found: Mapping[str, Any]) -> str:
    by_size = found.get("by_size")
    if not isinstance(by_size, Mapping):
        return "## Figures\n\nNot measured yet."
    sizes = [str(size) for size in SIZES_PX if isinstance(by_size.get(str(size)), Mapping)]
    rows = [
        ("exact look, median", "error_px"),
        ("exact look, 90 % of faces within", "error_90_px"),
        ("first look, median", "first_px"),
        ("first look, 90 % of faces within", "first_90_px"),
    ]
    lines = [f"| {title} | {' | '.join(_px(by_size[size].get(name)) for size in sizes)} |" for title, name in rows]
    for roll in map(str, ROLLS_DEG):
        cells = [_px(_at(by_size[size], "by_roll", roll, "error_px")) for size in sizes]
        lines.append(f"| exact look, tilted by {roll}°, median | {' | '.join(cells)} |")
    missed = [by_size[size].get("missed") for size in sizes]
    lines.append(f"| taken for no face | {' | '.join('' if m is None else f'{100 * m:.1f} %' for m in missed)} |")
    faces = f"{found['faces']:,} faces" if isinstance(found.get("faces"), int) else "Faces"
    words = (
        f"Mean distance of the five points from the truth, in px of a crop of {CROP_PX} px. {faces} of people who "
        f"weren't trained on, at each size, tilted by {', '.join(map(str, ROLLS_DEG))} degrees, as drawn and with "
        "a camera's faults; the validation of the training itself, which chose these weights. The first look is about "
        "a detector's box with its errors, the exact one about the first one's landmarks."
    )
    head = f"| | {' | '.join(f'{size} px' for size in sizes)} |\n|---|{'---|' * len(sizes)}"
    return "\n".join(["## Figures", "", words, "", head, *lines])


def _at(value: Any, *path: str) -> Any:
    """Return the value at a path of names; None where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _px(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else ""
