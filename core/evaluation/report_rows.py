"""A report's values, and how they are written: text for the screen, JSON, CSV."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from core.csv_export import csv_bytes
from core.evaluation.embedding import Mode, Size
from core.evaluation.intervals import Interval
from core.evaluation.metrics import Figures
from core.evaluation.verification import FARS
from core.system.atomic_file import write_atomically

Pairing = Literal["HR-HR", "VLR-VLR", "VLR-HR"]
Protocol = Literal["pairs file", "all pairs"]


@dataclass(frozen=True)
class Row:
    """The figures of one table row.

    `figures` leave out pairs with a failure to acquire; `with_failures` count them as rejected at every threshold: an
    error where the pair is genuine. `failure_to_acquire` is the share of photographs that gave no usable face (with
    its 95 % interval over people; over photographs where nothing is resampled), `no_face` the part of it in which no
    face was found at all.
    """

    protocol: Protocol
    mode: Mode
    size_px: Size
    pairing: Pairing
    failure_to_acquire: float
    failure_interval: Interval
    no_face: float
    figures: Figures
    with_failures: Figures

    @property
    def probe(self) -> str:
        return "HR" if self.size_px is None else f"{self.size_px} px"


@dataclass(frozen=True)
class PairsReport:
    """All rows, and what a reader needs to make them again."""

    protocol: dict[str, Any]
    rows: tuple[Row, ...]

    def frame(self) -> pd.DataFrame:
        """One row a line, rates as fractions, each interval in two columns (_low, _high)."""
        folds = " ".join(map(str, self.protocol["folds"]))
        return pd.DataFrame([row_values(row, folds) for row in self.rows])

    def screen(self) -> pd.DataFrame:
        """One row a line for reading: rates in percent, intervals in brackets."""
        return pd.DataFrame([_cells(row) for row in self.rows])

    def head(self) -> str:
        """The protocol in a sentence."""
        p = self.protocol
        return (
            f"{p['encoder']} ({p['weights_sha256'][:12]}), upscaler {p['upscaler']}, "
            f"flip TTA {'on' if p['flip_tta'] else 'off'}; {p['data']}/{p['pairs_file']}, "
            f"folds {', '.join(map(str, p['folds']))}: {p['pairs']:,} pairs, {p['photographs']:,} photographs of "
            f"{p['people']:,} people; rates in percent, 95 % intervals over {p['bootstrap']:,} resamples of people"
        )

    def table(self) -> str:
        """The protocol, and a table for listed pairs and for all pairs, as text."""
        blocks = [self.head()]
        for protocol, rows in self.screen().groupby("protocol", sort=False):
            title = str(protocol).capitalize()
            blocks.append(f"{title}\n{rows.drop(columns='protocol').to_string(index=False)}")
        return "\n\n".join(blocks)

    def to_json(self) -> str:
        return json.dumps({"protocol": self.protocol, "rows": [asdict(row) for row in self.rows]}, indent=2)

    def write(self, folder: Path) -> None:
        """report.json and report.csv into `folder`. Raises StorageFailed."""
        write_atomically(folder / "report.json", self.to_json().encode())
        write_atomically(folder / "report.csv", csv_bytes(self.frame()))


def row_values(row: Row, folds: str) -> dict[str, Any]:
    """The cells of a row in a frame: rates as fractions, each interval in two columns (_low, _high)."""
    f = row.figures
    values: dict[str, Any] = {
        "protocol": row.protocol,
        "mode": row.mode,
        "probe": row.probe,
        "pairing": row.pairing,
        "folds": folds,
        "genuine": f.genuine,
        "impostor": f.impostor,
        "eer": f.eer,
        **_bounds("eer", f.eer_interval),
        "auc": f.auc,
        **_bounds("auc", f.auc_interval),
        "accuracy": f.accuracy,
        **_bounds("accuracy", f.accuracy_interval),
        "accuracy_se": f.accuracy_se,
        "accuracy_with_failures": row.with_failures.accuracy,
        **_bounds("accuracy_with_failures", row.with_failures.accuracy_interval),
        "accuracy_with_failures_se": row.with_failures.accuracy_se,
    }
    for far in FARS:
        value, interval = f.tar[far]
        values |= {f"tar_at_far_{far:g}": value, **_bounds(f"tar_at_far_{far:g}", interval)}
    return values | {
        "failure_to_acquire": row.failure_to_acquire,
        **_bounds("failure_to_acquire", row.failure_interval),
        "no_face": row.no_face,
        "eer_with_failures": row.with_failures.eer,
        **{f"tar_at_far_{far:g}_with_failures": row.with_failures.tar[far][0] for far in FARS},
    }


def _bounds(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _cells(row: Row) -> dict[str, str]:
    f = row.figures
    cells = {
        "protocol": row.protocol,
        "mode": row.mode,
        "probe": row.probe,
        "pairing": row.pairing,
        "genuine": f"{f.genuine:,}",
        "impostor": f"{f.impostor:,}",
        "EER": _percent(f.eer, f.eer_interval),
        "AUC": f"{f.auc:.4f}",
        "accuracy": _mean(f.accuracy, f.accuracy_se),
    }
    for far in FARS:
        cells[f"TAR at FAR {far * 100:g}"] = _percent(*f.tar[far])
    cells["not acquired"] = f"{row.failure_to_acquire * 100:.2f}"
    cells["EER, those rejected"] = f"{row.with_failures.eer * 100:.2f}"
    return cells


def _mean(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 100:.2f}" if error is None else f"{value * 100:.2f} ± {error * 100:.2f}"


def _percent(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "-"
    text = f"{value * 100:.2f}"
    return text if interval is None else f"{text} [{interval[0] * 100:.2f}, {interval[1] * 100:.2f}]"
