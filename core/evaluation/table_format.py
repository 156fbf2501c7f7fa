"""Tables as text: rates in percent with their interval in brackets, without columns that repeat one value."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

_PERCENT = (
    "eer",
    "rank1",
    "rank5",
    "rank10",
    "accuracy",
    "accuracy_at_threshold",
    "failure_to_acquire",
    "no_face",
    "fnir",
    "dir",
    "fpir",
    "far",
    "frr",
    "tar",
    "accepted",
    "wrong",
    "rejected",
    "rate",
    "target",
    "fpir_target",
    "value",
    "acquired_only",
    "wrongly_accepted",
)
_NAMES = {
    "eer_alike": "EER, people alike",
    "tar_alike": "TAR, people alike",
    "genuine_alike": "people with genuine pairs",
    "impostor_alike": "pairs of two people",
    "eer": "EER",
    "auc": "AUC",
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "fnir": "FNIR",
    "dir": "DIR",
    "fpir": "FPIR",
    "far": "FAR",
    "frr": "FRR",
    "tar": "TAR",
    "psnr_db": "PSNR dB",
    "ssim": "SSIM",
    "size_px": "px",
    "failure_to_acquire": "not acquired",
    "fpir_target": "target FPIR",
    "eer_with_failures": "EER, those rejected",
    "accuracy_with_failures": "accuracy, those rejected",
    "accuracy_with_failures_se": "its ±",
    "accuracy_se": "accuracy ±",
    "value_se": "±",
    "acquired_only": "of those acquired",
}
_SMALL = ("far", "target")
"""Shares far below a percent, which are shown with three decimals."""
_TAR_ENDS = {"with_failures": ", those rejected", "alike": ", people alike"}
_SUFFIXES = re.compile("(_se|_with_failures|_alike|_before|_after|_change)+$")
_LEFT_OUT = frozenset({"sha256", "people_in_several_folds"})


def screen(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """`table` (of that name in an evaluation) as text cells, in its order of columns."""
    shown: dict[str, list[str]] = {}
    bounds = {column for column in table.columns if column.endswith(("_low", "_high"))}
    for column in table.columns:
        base = column.rsplit("_", 1)[0]
        if column in _LEFT_OUT or (column in bounds and base in table.columns):
            continue
        if column == "size_px" and "probe" in table.columns:
            continue
        cell = _cell(column)
        values = [cell(value) for value in table[column]]
        if f"{column}_low" in bounds:
            pairs = zip(table[f"{column}_low"], table[f"{column}_high"], strict=True)
            values = [
                text if _missing(low) or text == "-" else f"{text} [{cell(low)}, {cell(high)}]"
                for text, (low, high) in zip(values, pairs, strict=True)
            ]
        shown[_title(column)] = values
    return pd.DataFrame(shown)


def compact(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """`screen` for a terminal: columns with the same value everywhere are left out, where others stay; measured rates
    stay in any case, but those with failures only where there are some."""
    shown = screen(name, table.drop(columns=_repeated(table)))
    if len(shown) < 2:
        return shown
    measured = {_title(column.removesuffix("_low")) for column in table.columns if column.endswith("_low")}
    always = {"probe", "pairing", *measured}
    kept = [column for column in shown.columns if shown[column].nunique() > 1 or column in always]
    return shown[kept] if kept else shown


def _repeated(table: pd.DataFrame) -> list[str]:
    """Columns with failures that equal those without, and their intervals."""
    bases = [column for column in table.columns if f"{column}_with_failures" in table.columns]
    same = [f"{base}_with_failures" for base in bases if table[base].equals(table[f"{base}_with_failures"])]
    return [column for column in table.columns if column.startswith(tuple(same))] if same else []


def _title(column: str) -> str:
    if column in _NAMES:
        return _NAMES[column]
    if column.startswith("tar_at_far_"):
        level, _, rest = column.removeprefix("tar_at_far_").partition("_")
        return f"TAR at FAR {float(level) * 100:g}{_TAR_ENDS.get(rest, rest)}"
    for known, said in _NAMES.items():
        if column.startswith(f"{known}_"):
            return f"{said} {column.removeprefix(f'{known}_').replace('_', ' ')}"
    return column.replace("_", " ")


def is_rate(column: str) -> bool:
    """Whether a column holds fractions that are shown in percent."""
    base = _SUFFIXES.sub("", column)
    return base in _PERCENT or base.startswith("tar_at_far_")


def _cell(column: str) -> Callable[[object], str]:
    base = _SUFFIXES.sub("", column)
    percent = is_rate(column)

    def cell(value: object) -> str:
        if _missing(value):
            return "-"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return value
        number = float(value)  # type: ignore[arg-type]
        if percent:
            return f"{number * 100:.{3 if base in _SMALL else 2}f}"
        if number == round(number) and abs(number) >= 1 and column not in ("threshold",):
            return f"{round(number):,}"
        return "0" if number == 0 else f"{number:.3f}" if abs(number) < 10 else f"{number:.2f}"

    return cell


def _missing(value: object) -> bool:
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]
