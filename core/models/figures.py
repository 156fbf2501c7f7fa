"""Accuracy figures of weights: those of the published files, recorded here; a trained file's own, from its header; and
those of evaluations in this installation, stored in data/figures.

The README's table is this data (a test holds them together). To measure again:
`edgeface-studio evaluate pairs lfw/images lfw/pairs.txt --folds 5-7 --weights edgeface_xxs_q --upscaler bicubic
--upscaler data/models/edgeface-dsr.safetensors`.
"""

from __future__ import annotations

import json
from dataclasses import replace

from core.models.files import WeightsFile
from core.models.header import read_card
from core.models.measured import BICUBIC, Measured, Rate, read_figures, through_bicubic
from core.settings import Settings
from core.system.atomic_file import write_atomically

SHIPPED_DSR = "d830e0a18f8a146c606b85633482a04afa74f2e47cabbb3df977bf752d463c9b"
"""SHA-256 of data/models/edgeface-dsr.safetensors, which the official files are measured with."""

REMARKS = {
    SHIPPED_DSR: "Helps on faces shrunk by bicubic, not on camera images. Equal error rate with the official "
    "EdgeFace-XXS, both faces small, fed directly and through this network: bicubic 16 px 4.07 and 3.26 %, 24 px 0.91 "
    "and 0.79 %, 32 px 0.41 and 0.35 %; camera 16 px 19.59 and 19.88 %, 24 px 7.02 and 8.21 %, 32 px 3.78 and 4.32 % "
    "(LFW fold 4, 1,181 aligned crops, all pairs, flip TTA off). So it is used only where it is chosen."
}
"""What was measured of files after they were made, by their SHA-256 (docs/measurements.md, "The shipped DSR")."""

_PROTOCOL = "lfw/pairs.txt, folds 5, 6, 7, 1,800 pairs of 1,284 people, {mode}, flip TTA off, upscaler edgeface-dsr"
"""The protocol of the shipped weights: no identity of these folds is in their training data."""


def _rates(*cells: tuple[str, float, float, float]) -> dict[str, Rate]:
    return {size: Rate(value / 100, low / 100, high / 100) for size, value, low, high in cells}


def _measured(
    mode: str, dsr: tuple[dict[str, Rate], dict[str, Rate]], bicubic: tuple[dict[str, Rate], dict[str, Rate]]
) -> Measured:
    protocol = _PROTOCOL.format(mode=mode)
    without = Measured(through_bicubic(protocol, "edgeface-dsr"), *bicubic, upscaler=BICUBIC, upscaler_name=BICUBIC)
    return Measured(protocol, *dsr, direct_feed=without, upscaler=SHIPPED_DSR, upscaler_name="edgeface-dsr")


_XXS_ALIGNED = _measured(
    "aligned",
    (
        _rates(("HR", 0.67, 0.22, 1.47), ("32", 1.11, 0.52, 2.02), ("24", 2.00, 1.14, 2.99), ("16", 6.11, 4.58, 7.65)),
        _rates(("32", 1.11, 0.46, 1.79), ("24", 1.50, 0.79, 2.28), ("16", 4.06, 3.03, 5.18)),
    ),
    (
        _rates(("HR", 0.67, 0.22, 1.47), ("32", 1.33, 0.59, 2.11), ("24", 2.56, 1.49, 3.60), ("16", 7.22, 5.40, 8.58)),
        _rates(("32", 1.11, 0.51, 1.94), ("24", 1.56, 0.87, 2.41), ("16", 5.22, 4.06, 6.41)),
    ),
)
_XXS_END_TO_END = _measured(
    "end to end",
    (
        _rates(("HR", 0.67, 0.22, 1.47), ("32", 1.11, 0.47, 1.92), ("24", 2.44, 1.49, 3.40), ("16", 7.01, 5.31, 8.70)),
        _rates(("32", 1.06, 0.45, 1.72), ("24", 1.78, 1.03, 2.52), ("16", 4.44, 3.48, 5.52)),
    ),
    (
        _rates(("HR", 0.67, 0.22, 1.47), ("32", 1.00, 0.44, 1.86), ("24", 2.78, 1.70, 3.85), ("16", 7.22, 5.43, 9.02)),
        _rates(("32", 1.06, 0.48, 1.78), ("24", 1.89, 1.19, 2.82), ("16", 5.11, 3.97, 6.17)),
    ),
)
OFFICIAL: dict[str, tuple[Measured, Measured]] = {"edgeface_xxs_q": (_XXS_ALIGNED, _XXS_END_TO_END)}
"""Official variants that were measured: aligned, and end to end."""

_STANDS_FOR = {"edgeface_xxs": "edgeface_xxs_q"}
"""Weights whose int8 version was measured instead."""


def measured(file: WeightsFile, settings: Settings, upscaler_sha256: str = "") -> Measured | None:
    """Return the aligned figures of a file; None when it was never measured.

    Figures of the project or of the file's header come first, unless they are a training's validation: then those of an
    evaluation here do. Of several the one with the upscaler of that SHA-256 (or "bicubic") is returned, else the
    latest; its `upscaler` says which. Never raises: stored figures that can't be read are ignored.
    """
    own = _official(file.official.name) if file.official is not None else read_card(file.metadata).measured
    found = [own] if own is not None and own.source == "evaluation" else kept_figures(settings, file.sha256)
    found = found or ([] if own is None else [own])
    every = [each for one in found for each in (one, one.direct_feed) if each is not None]
    fitting = [one for one in every if upscaler_sha256 and one.upscaler == upscaler_sha256]
    return next(reversed(fitting or found), None)


def _official(name: str) -> Measured | None:
    known = _STANDS_FOR.get(name, name)
    if known not in OFFICIAL:
        return None
    aligned = OFFICIAL[known][0]
    if known == name:
        return aligned
    said, bicubic = "measured on its int8 form; ", aligned.direct_feed
    without = None if bicubic is None else replace(bicubic, protocol=said + bicubic.protocol)
    return replace(aligned, protocol=said + aligned.protocol, direct_feed=without)


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
