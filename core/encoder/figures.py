"""How well weights measure: the published files', measured once and kept here, and a trained file's own figures.

The README's table is this data (a test holds them together). To measure again:
`edgeface-studio evaluate pairs lfw/images lfw/pairs.txt --folds 1-7 --use-tta --weights edgeface_xxs_q --skip-dsr`.
"""

from __future__ import annotations

from dataclasses import replace

from core.encoder.registry import WeightsFile
from core.weight_card import Measured, Rate, read_card

_LFW = (
    "Labeled Faces in the Wild, view 2, folds 1 to 7, 2,100 + 2,100 pairs, {mode}, flip TTA on, bicubic enlargement; "
    "nobody was trained on"
)


def _rates(*cells: tuple[str, float, float, float]) -> dict[str, Rate]:
    return {size: Rate(value / 100, low / 100, high / 100) for size, value, low, high in cells}


_XXS_ALIGNED = Measured(
    _LFW.format(mode="aligned"),
    _rates(("HR", 0.76, 0.43, 1.15), ("32", 1.24, 0.76, 1.67), ("24", 2.33, 1.79, 3.02), ("16", 7.00, 5.92, 8.08)),
    _rates(("32", 1.07, 0.65, 1.44), ("24", 1.67, 1.24, 2.13), ("16", 4.88, 4.26, 5.72)),
)
_XXS_END_TO_END = Measured(
    _LFW.format(mode="end to end"),
    _rates(("HR", 0.76, 0.44, 1.15), ("32", 1.05, 0.68, 1.52), ("24", 2.57, 1.92, 3.25), ("16", 7.05, 5.99, 8.23)),
    _rates(("32", 0.93, 0.62, 1.36), ("24", 1.81, 1.37, 2.27), ("16", 5.07, 4.42, 5.79)),
)
OFFICIAL: dict[str, tuple[Measured, Measured]] = {"edgeface_xxs_q": (_XXS_ALIGNED, _XXS_END_TO_END)}
"""Official variants that were measured: aligned, and end to end."""

_STANDS_FOR = {"edgeface_xxs": "edgeface_xxs_q"}
"""The same weights before they were rounded to int8."""


def measured(file: WeightsFile) -> Measured | None:
    """The aligned figures of a file, None when it was never measured."""
    if file.official is not None:
        name = file.official.name
        known = _STANDS_FOR.get(name, name)
        if known not in OFFICIAL:
            return None
        aligned = OFFICIAL[known][0]
        return aligned if known == name else replace(aligned, protocol=f"measured on its int8 form; {aligned.protocol}")
    return read_card(file.metadata).measured
