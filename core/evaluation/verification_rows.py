"""One row of a verification table: its figures and the columns that they fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.evaluation.intervals import Interval, share_interval, wilson
from core.evaluation.metrics import Figures
from core.evaluation.scores import Ints
from core.evaluation.verification import FARS
from core.evaluation.views import Mode, Size

Pairing = Literal["HR-HR", "VLR-VLR", "VLR-HR"]
Protocol = Literal["pairs file", "all pairs"]


@dataclass(frozen=True)
class Row:
    """The figures of one table row.

    `figures` leave out pairs with a failure to acquire; `with_failures` count them as rejected at every threshold: an
    error where the pair is genuine. `alike` are those of all pairs with people alike, without failures to acquire; None
    for listed pairs. `failure_to_acquire` is the share of photographs that gave no usable face (with
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
    alike: Figures | None = None

    @property
    def probe(self) -> str:
        return "HR" if self.size_px is None else f"{self.size_px} px"


def failures(
    acquired: NDArray[np.bool_], found: NDArray[np.bool_], people: Ints, *, resamples: int, seed: int
) -> tuple[float, Interval, float]:
    """The `failure_to_acquire` of a row with its interval, and its `no_face`, of photographs (N,) of these people."""
    missed = ~acquired
    interval = share_interval(missed, people, resamples=resamples, seed=seed)
    return float(missed.mean()), interval or wilson(int(missed.sum()), len(missed)), float(1 - found.mean())


def row_values(row: Row, folds: str) -> dict[str, Any]:
    """The cells of a row in a frame: rates as fractions, each interval in two columns (_low, _high).

    With people alike ("_alike"), `genuine_alike` people have genuine pairs, and `impostor_alike` pairs of two people
    have impostor pairs.
    """
    f, alike = row.figures, row.alike
    values: dict[str, Any] = {
        "protocol": row.protocol,
        "mode": row.mode,
        "probe": row.probe,
        "pairing": row.pairing,
        "folds": folds,
        "genuine": f.genuine,
        "impostor": f.impostor,
        "genuine_alike": alike.genuine if alike is not None else None,
        "impostor_alike": alike.impostor if alike is not None else None,
        "eer": f.eer,
        **_bounds("eer", f.eer_interval),
        "eer_alike": alike.eer if alike is not None else None,
        **_bounds("eer_alike", alike.eer_interval if alike is not None else None),
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
        for end, figures in (("", f), ("_alike", alike)):
            value, interval = figures.tar[far] if figures is not None else (None, None)
            name = f"tar_at_far_{far:g}{end}"
            values |= {name: value, **_bounds(name, interval)}
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
