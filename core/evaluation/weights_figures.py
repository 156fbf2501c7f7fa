"""What an evaluation says of the weights that it measured: it becomes their figures where its protocol fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.models.figures import keep_figures
from core.models.header import Measured, figures_of_report
from core.settings import Settings

TASKS = frozenset({"dataset", "pairs"})


def fitting_figures(report: Mapping[str, Any]) -> list[tuple[str, Measured]]:
    """(SHA-256 of the weights, their figures) for each system of a report whose protocol is that of a file's figures:
    aligned photographs reduced by bicubic, in pairs, of people who took part neither in training nor in choosing it.
    Drawn faces, benchmarks, calibrations and other recognisers don't fit."""
    protocol = report.get("protocol") or {}
    if report.get("kind") not in TASKS or protocol.get("synthetic") or "verification" not in report["figures"]:
        return []
    found = []
    for system in protocol.get("systems") or ():
        if system.get("label") in (protocol.get("people_known") or {}) or system.get("kind") == "onnx":
            continue
        # The other systems with the same weights stay: bicubic is told beside the super-resolution network.
        own = [system, *(other for other in protocol["systems"] if other is not system)]
        figures = figures_of_report({**report, "protocol": {**protocol, "systems": own}})
        if figures.eer or figures.eer_vlr_hr:
            found.append((str(system["weights_sha256"]), figures))
    return found


def keep_weights_figures(report: Mapping[str, Any], settings: Settings) -> None:
    """Keep what fits of a report as its weights' figures. Raises StorageFailed."""
    for sha256, figures in fitting_figures(report):
        keep_figures(settings, sha256, figures)
