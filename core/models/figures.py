"""Accuracy figures of weights: those of official files, recorded here or in the header of the specialist that ships; a
trained file's own, from its header; and those of evaluations in this installation, stored in data/figures.
"""

from __future__ import annotations

import json
from dataclasses import replace

from core.errors import CoreError
from core.models.files import WeightsFile, file_facts
from core.models.header import read_card
from core.models.measured import BICUBIC, Measured, Rate, Rates, read_figures
from core.models.variants import RECOMMENDED, VARIANTS
from core.settings import Settings
from core.system.atomic_file import write_atomically

SHIPPED_DSR = "d830e0a18f8a146c606b85633482a04afa74f2e47cabbb3df977bf752d463c9b"
"""SHA-256 of data/models/edgeface-dsr.safetensors."""

REMARKS = {
    SHIPPED_DSR: "Helps on faces shrunk by bicubic, not on camera images. Equal error rate with the official "
    "EdgeFace-XXS, both faces small, fed directly and through this network: bicubic 16 px 4.07 and 3.26 %, 24 px 0.91 "
    "and 0.79 %, 32 px 0.41 and 0.35 %; camera 16 px 19.59 and 19.88 %, 24 px 7.02 and 8.21 %, 32 px 3.78 and 4.32 % "
    "(LFW fold 4, 1,181 aligned crops, all pairs, flip TTA off). So it is used only where it is chosen."
}
"""What was measured of files after they were made, by their SHA-256 (docs/measurements.md, "The shipped DSR")."""

MEASURED_BESIDE = "edgeface-xxs-specialist.safetensors"
"""The file of data/models whose header holds the figures of the official weights that it was trained beside: with it,
and fed directly. To measure again: `edgeface-studio evaluate pairs lfw/images lfw/pairs.txt --folds 5-7 --weights
edgeface_xxs_q --upscaler data/models/edgeface-xxs-specialist.safetensors --upscaler bicubic`, then `weights export`."""

MEASURED_OFFICIAL = f"{RECOMMENDED}_q"
"""The official weights that were measured."""


def _rates(*cells: tuple[str, float, float, float]) -> dict[str, Rate]:
    return {size: Rate(value / 100, low / 100, high / 100) for size, value, low, high in cells}


_RECORDED = {
    "edgeface_xs_q": Measured(
        "lfw/pairs.txt, folds 5, 6, 7, 1,800 pairs of 1,284 people, aligned, aligner YuNet + edgeface-landmarks "
        "(86af1ae28562), flip TTA off, encoder edgeface_xs_q (a31314377876), upscaler bicubic",
        _rates(("HR", 0.78, 0.37, 1.61), ("32", 1.22, 0.68, 2.18), ("24", 2.33, 1.50, 3.62), ("16", 6.33, 4.85, 8.23)),
        _rates(("32", 1.00, 0.55, 1.82), ("24", 1.67, 1.01, 2.74), ("16", 5.22, 4.11, 6.62)),
        upscaler=BICUBIC,
        upscaler_name=BICUBIC,
        camera=Rates(
            _rates(("32", 6.56, 5.04, 8.48), ("24", 10.89, 8.92, 13.23), ("16", 21.78, 19.13, 24.68)),
            _rates(("32", 4.72, 3.77, 5.90), ("24", 8.78, 7.47, 10.29), ("16", 18.94, 17.02, 21.03)),
        ),
    )
}
"""Figures of official weights without a specialist (docs/measurements.md, "Official XS")."""

_STANDS_FOR = {RECOMMENDED: MEASURED_OFFICIAL}
"""Weights whose int8 version was measured instead."""


def measured(file: WeightsFile, settings: Settings, upscaler_sha256: str = "") -> Measured | None:
    """Return the aligned figures of a file; None when it was never measured.

    Figures of the project or of the file's header come first, unless they are a training's validation: then those of an
    evaluation here do. Of several the one with the upscaler of that SHA-256 (or "bicubic") is returned, else the
    latest; its `upscaler` says which. Never raises: stored figures that can't be read are ignored.
    """
    own = _official(file.official.name, settings) if file.official is not None else read_card(file.metadata).measured
    found = [own] if own is not None and own.source == "evaluation" else kept_figures(settings, file.sha256)
    found = found or ([] if own is None else [own])
    every = [each for one in found for each in (one, one.direct_feed) if each is not None]
    fitting = [one for one in every if upscaler_sha256 and one.upscaler == upscaler_sha256]
    return next(reversed(fitting or found), None)


def official_figures(settings: Settings) -> Measured | None:
    """Return the figures of MEASURED_OFFICIAL; None where the specialist that holds them isn't there. Never raises."""
    try:
        header = file_facts(settings.models_dir / MEASURED_BESIDE).metadata
    except CoreError:
        return None
    own = header.get("specialist_for") == VARIANTS[RECOMMENDED].int8_sha256
    return read_card(header).measured if own else None


def _official(name: str, settings: Settings) -> Measured | None:
    known = _STANDS_FOR.get(name, name)
    found = official_figures(settings) if known == MEASURED_OFFICIAL else _RECORDED.get(known)
    if found is None or known == name:
        return found
    said, fed = "measured on its int8 form; ", found.direct_feed
    without = None if fed is None else replace(fed, protocol=said + fed.protocol)
    return replace(found, protocol=said + found.protocol, direct_feed=without)


def remark(sha256: str) -> str:
    """Return what was measured of a file after it was made, in words for the screen; "" for most files."""
    return REMARKS.get(sha256, "")


def keep_figures(settings: Settings, sha256: str, found: Measured) -> None:
    """Store an evaluation's figures of weights by their SHA-256; they replace earlier ones with the same upscaler.

    Raises StorageFailed.
    """
    others = [one for one in kept_figures(settings, sha256) if one.upscaler != found.upscaler]
    content = json.dumps([one.to_dict() for one in [*others, found]], indent=2)
    write_atomically(settings.data_dir / "figures" / f"{sha256}.json", content.encode())


def kept_figures(settings: Settings, sha256: str) -> list[Measured]:
    """Return the stored evaluations' figures of weights, the latest last; unreadable ones are ignored."""
    try:
        values = json.loads((settings.data_dir / "figures" / f"{sha256}.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    found = [read_figures(each) for each in values if isinstance(each, dict)] if isinstance(values, list) else []
    return [one for one in found if one is not None]
