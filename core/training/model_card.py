"""Model card of exported weights as Markdown: data, people, command, figures with intervals, limits, licence.

All facts come from the file's header and from the run that trained it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import WeightsUnsafe
from core.models.figures import remark
from core.models.files import FileFacts, file_facts
from core.models.header import Card, is_specialist, is_upscaler, json_object, read_card
from core.models.measured import Measured, size_name
from core.training.log_format import percent

LICENCE = (
    "Trained from random initialisation, but distilled from the official EdgeFace weights: for research use. The "
    "authors publish EdgeFace under BSD 3-Clause in the repositories (Idiap Research Institute) and under "
    "CC BY-NC-SA 4.0 on the hub; check which applies to your use."
)
_DERIVED = (
    "Initialised from other EdgeFace weights (parent above): their licence applies. The authors publish EdgeFace under "
    "BSD 3-Clause in the repositories and under CC BY-NC-SA 4.0 on the hub."
)
_STARTER_LIMIT = (
    "Trained on few people beside the official weights: expect more confusion between strangers, most of all between "
    "people of groups that its data hold few of. Start with the official weights where they can be had."
)
_TUNED_LIMIT = (
    "Fine-tuned on the people of the data above: on other people, cameras and lighting it can do better or worse than "
    "its parent. Measure it on your own data before relying on it."
)
_AVERAGE_LIMIT = (
    "An average of the weights above, which can do better or worse than each of them. Measure it on your own data "
    "before relying on it."
)
_ENCODER_LIMITS = (
    "Very small faces (16 px) hold little to recognise: decide by a threshold calibrated on your own data.",
    "No liveness check: a photograph of a face is a face to it.",
)
_DSR_LIMITS = (
    "What it adds to a face is a guess that helps recognition: an enlarged picture shows nobody as they look.",
    "At sizes in `use_bicubic_px` it measured worse than bicubic; the application uses bicubic there and says so.",
)


def model_card(path: Path, *, config: Mapping[str, Any] | None = None, report: Mapping[str, Any] | None = None) -> str:
    """Return the card of a weights file; `config` and `report` are those of the run that trained it.

    Raises WeightsMissing, StorageFailed, and WeightsUnsafe for a file without a header.
    """
    facts = file_facts(path)
    if not facts.metadata.get("format"):
        raise WeightsUnsafe(f"{path.name} has no header that describes it.", "Export it first (weights export).")
    card = read_card(facts.metadata)
    upscaler = is_upscaler(facts.metadata) and not is_specialist(facts.metadata)
    blocks = [
        f"# {path.stem}",
        _what(facts, upscaler),
        table("What it is", _identity(facts, card)),
        table("How it was trained", _training(card, config or {}, report or {})),
        terms_section(facts.metadata),
        _figures(card.measured),
        "## Limits\n\n" + "\n".join(f"- {text}" for text in _limits(facts, card, upscaler)),
        f"## Licence\n\n{_DERIVED if card.parent_sha256 else LICENCE}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _what(facts: FileFacts, upscaler: bool) -> str:
    if is_specialist(facts.metadata):
        return (
            f"A specialist for small faces ({facts.metadata.get('variant', 'unknown variant')}): an enlarged face of "
            f"up to {json_object(facts.metadata.get('config')).get('max_px')} px -> 512 numbers in the space of "
            f"{facts.metadata.get('specialist_for_name') or 'other weights'}. It takes the place of a super-resolution "
            "network beside those weights, which embed all larger faces."
        )
    if upscaler:
        return "A super-resolution network (DSR): a face of 12 to 40 px -> the 112 px crop that EdgeFace takes."
    encoder = f"An EdgeFace encoder ({facts.metadata.get('variant', 'unknown variant')}): a 112 px face -> 512 numbers"
    if not read_card(facts.metadata).space_of:
        return f"{encoder}."
    own = facts.metadata.get("space_of_name") or "other weights"
    return (
        f"{encoder} in the space of {own}: a specialist for small faces of those weights works beside it, too. "
        "Templates of the two encoders aren't compared: people are enrolled, or re-embedded, with the one in use."
    )


def _limits(facts: FileFacts, card: Card, upscaler: bool) -> tuple[str, ...]:
    if upscaler:
        return tuple(filter(None, (remark(facts.hashes.sha256), *_DSR_LIMITS)))
    if card.parents:
        return (_AVERAGE_LIMIT, *_ENCODER_LIMITS)
    return (_TUNED_LIMIT if card.parent_sha256 else _STARTER_LIMIT, *_ENCODER_LIMITS)


def _identity(facts: FileFacts, card: Card) -> dict[str, object]:
    return {
        "File": f"`{facts.path.name}`, {facts.size_bytes:,} bytes",
        "SHA-256": f"`{facts.hashes.sha256}`",
        "Made at": card.made_at,
        "Specialist for": f"`{facts.metadata['specialist_for']}`" if facts.metadata.get("specialist_for") else "",
        "Average of": "; ".join(f"{each.name} {each.share:.3g} (`{each.sha256}`)" for each in card.parents),
        "Averaged with its parent": _averaged(card),
        "Space of": f"`{card.space_of}`" if card.space_of else "",
        "Parent": f"`{card.parent_sha256}`" if card.parent_sha256 else "none: random initialisation",
        "Network": ", ".join(f"{key} {_short(value)}" for key, value in card.config.items() if not _is_nested(value)),
    }


def _averaged(card: Card) -> str:
    share = card.averaged_with_start
    return "" if share is None else f"{percent(share)} of the fine-tuned weights, {percent(1 - share)} of the parent's"


def _training(card: Card, config: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, object]:
    data = config.get("dataset") or config.get("train_dir")
    counts = {
        "people": config.get("identities") or report.get("identities"),
        "images": config.get("train_images") or report.get("train_images"),
    }
    described = ", ".join(f"{value:,} {name}" for name, value in counts.items() if isinstance(value, int))
    seconds = report.get("seconds")
    return {
        "Command": f"`{card.trained_by}`" if card.trained_by else "",
        "Data": f"{Path(str(data)).name}{f': {described}' if described else ''}" if data else described,
        "Data's hash": f"`{card.data_sha256}`" if card.data_sha256 else "",
        "Upscaler while training": f"`{card.trained_with_upscaler}`" if card.trained_with_upscaler else "",
        "Preset": config.get("preset") or report.get("preset") or "",
        "Stages": _stages(config.get("stages")),
        "Wall time": f"{seconds / 60:,.0f} minutes" if isinstance(seconds, int | float) else "",
        "Came of it": report.get("text") or "",
    }


def _stages(stages: Any) -> str:
    if not isinstance(stages, list):
        return ""
    named = [stage for stage in stages if isinstance(stage, dict)]
    return "; ".join(f"{stage.get('title') or stage.get('name')}, {stage.get('epochs')} epochs" for stage in named)


def table(title: str, rows: Mapping[str, object]) -> str:
    """A section of name and value; empty values are left out, and the section without any is ""."""
    lines = [f"| {name} | {_cell(value)} |" for name, value in rows.items() if value not in ("", None)]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines]) if lines else ""


def terms_section(metadata: Mapping[str, str]) -> str:
    """A section with the sources of the data and their terms, from the header's `terms`; "" without any."""
    try:
        terms = json.loads(metadata.get("terms", "[]"))
    except ValueError:
        return ""
    lines = [f"- {text}" for text in terms if isinstance(text, str)] if isinstance(terms, list) else []
    return "## Sources of the photographs and their terms\n\n" + "\n".join(lines) if lines else ""


def _figures(measured: Measured | None) -> str:
    if measured is None:
        return "## Figures\n\nNot measured yet."
    sizes = measured.sizes
    rows = [
        f"| {title} | {' | '.join(rates[size].text if size in rates else '' for size in sizes)} |"
        for title, rates in measured.rows
    ]
    head = f"| | {' | '.join(size_name(size) for size in sizes)} |\n|---|{'---|' * len(sizes)}"
    words = f"Equal error rate, 95 % interval over resampled people where one is given. {measured.protocol}."
    return "\n".join(["## Figures", "", words, "", head, *rows])


def _is_nested(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def _short(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
