"""Description of a weights file, as JSON and as lines, with its model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.printing import say

if TYPE_CHECKING:
    from core.encoder.encode import EncoderInfo
    from core.encoder.health import HealthReport
    from core.models.active import AnyModel
    from core.models.encoders import WeightsFile
    from core.models.header import Card
    from core.models.landmark_networks import LandmarkFile
    from core.models.measured import Measured, Rate
    from core.models.upscalers import UpscalerFile
    from core.settings import Settings

FileOrName = Annotated[str, typer.Argument(metavar="FILE|NAME", help="A weights file, or the name of a stored one.")]


def facts_of(file: WeightsFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "name": file.name,
        "origin": file.origin,
        "official": file.official.name if file.official else None,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "git_blob_id": file.git_blob_id,
    }


def listed_facts(file: WeightsFile, settings: Settings) -> dict[str, Any]:
    """The facts of a file with its figures, and whether it ships with the program."""
    from core.models.figures import measured
    from core.models.files import is_shipped

    return {
        **facts_of(file),
        "shipped": is_shipped(settings, file),
        "measured": measured_facts(measured(file, settings)),
    }


def brief_figures(file: WeightsFile, settings: Settings) -> str:
    """The equal error rates of pairs of 24 px, by bicubic and by camera: "2.00 %, 9.44 %", "-" for one that is unknown,
    "" for both."""
    from core.models.figures import measured

    figures = measured(file, settings)
    if figures is None:
        return ""
    rates = (figures.eer.get("24"), figures.camera.eer.get("24"))
    if rates == (None, None):
        return ""
    return ", ".join("-" if rate is None else f"{rate.value * 100:.2f} %" for rate in rates)


def facts_of_upscaler(file: UpscalerFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "name": file.name,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "use_bicubic_px": list(file.bicubic_px),
        "specialist": None
        if file.specialist is None
        else {
            "for": file.specialist.weights_name or None,
            "for_sha256": file.specialist.weights_sha256 or None,
            "max_px": file.specialist.max_px,
        },
    }


def facts_of_landmarks(file: LandmarkFile) -> dict[str, Any]:
    return {"path": file.path, "name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}


def facts_of_any(file: AnyModel) -> dict[str, Any]:
    """The facts of a file of any kind."""
    from core.models.encoders import WeightsFile
    from core.models.upscalers import UpscalerFile

    if isinstance(file, WeightsFile):
        return facts_of(file)
    return facts_of_upscaler(file) if isinstance(file, UpscalerFile) else facts_of_landmarks(file)


def tensor_facts(info: EncoderInfo) -> dict[str, Any]:
    return {
        "variant": info.variant,
        "kind": info.kind,
        "parameters": info.parameters,
        "missing": 0,
        "unexpected": 0,
        "companions": info.companions,
        "identities": info.identities,
        "inert_classes": list(info.inert_classes),
    }


def card_facts(card: Card, measured: Measured | None) -> dict[str, Any]:
    """The model card as JSON; empty texts as null."""
    texts = ("parent_sha256", "space_of", "data_sha256", "trained_by", "trained_with_upscaler", "made_at")
    return {
        **{name: getattr(card, name) or None for name in texts},
        "averaged_with_start": card.averaged_with_start,
        "parents": [vars(each) for each in card.parents],
        "config": dict(card.config),
        "measured": measured_facts(measured),
    }


def measured_facts(measured: Measured | None) -> dict[str, Any] | None:
    """The figures as JSON."""
    if measured is None:
        return None
    return {
        "protocol": measured.protocol,
        "source": measured.source,
        "upscaler": measured.upscaler_name or None,
        **_rates(measured),
        "direct_feed": None if measured.direct_feed is None else _rates(measured.direct_feed),
    }


def say_card(card: Card, measured: Measured | None) -> None:
    """Print the model card, one line for each known value."""
    from core.models.measured import size_name
    from core.training.log_format import percent

    for name in ("made_at", "trained_by", "parent_sha256", "space_of", "data_sha256", "trained_with_upscaler"):
        if getattr(card, name):
            say(f"  {name.replace('_', ' ')}: {getattr(card, name)}")
    if card.averaged_with_start is not None:
        say(f"  averaged with the parent: {percent(card.averaged_with_start)} of the fine-tuned weights")
    for each in card.parents:
        say(f"  average of: {each.name}, share {each.share:.3g} (SHA-256 {each.sha256})")
    if measured is None:
        say("  measured: not recorded")
        return
    say(f"  measured: equal error rate; {measured.protocol}")
    for title, rates in measured.rows:
        say(f"    {title}: {', '.join(f'{size_name(size)} {rate.text}' for size, rate in rates.items())}")


def say_encoder(facts: dict[str, Any], info: EncoderInfo, health: HealthReport) -> None:
    """Print what a file of encoder weights is, and its health."""
    say(f"{facts['path']}")
    for name in ("origin", "official", "size_bytes", "sha256", "git_blob_id", "variant", "kind", "parameters"):
        shipped = "shipped, " if name == "origin" and facts["shipped"] else ""
        say(f"  {name.replace('_', ' ')}: {shipped}{facts[name] if facts[name] is not None else 'no'}")
    if info.companions:
        say(f"  other tensors left out: {info.companions}")
    if info.identities is not None:
        say(f"  people its head was trained on: {info.identities}")
    if info.inert_classes:
        say(f"  foreign classes, not executed: {', '.join(info.inert_classes)}")
    verdict = "healthy" if health.healthy else f"unhealthy: {health.reason}"
    say(f"  health: {verdict} (mean absolute cosine {health.mean_abs_cosine:.2f}, std {health.std:.3f}, 100 faces)")


def _rates(measured: Measured) -> dict[str, Any]:
    """The rates of faces shrunk by bicubic at the top, those of a camera's below "camera"."""
    camera = measured.camera
    return {**_by_size(measured.eer, measured.eer_vlr_hr), "camera": _by_size(camera.eer, camera.eer_vlr_hr)}


def _by_size(eer: Mapping[str, Rate], eer_vlr_hr: Mapping[str, Rate]) -> dict[str, dict[str, dict[str, float | None]]]:
    return {
        name: {size: {"value": rate.value, "low": rate.low, "high": rate.high} for size, rate in rates.items()}
        for name, rates in (("eer", eer), ("eer_vlr_hr", eer_vlr_hr))
    }
