"""Learning rate schedules, as a factor of each part's peak. No torch."""

from __future__ import annotations

import math

RISES_FROM = 1 / 25
"""Start of a warm-up, as a share of the peak, as in PyTorch's OneCycleLR."""
CYCLE_ENDS_AT = 1e-4


def factor(schedule: str, step: int, steps: int, *, warmup: float = 0.0, floor: float = 0.0) -> float:
    """Return the share of the peak at `step` (from 0) of `steps`.

    constant   1 (after the warm-up)
    cosine     floor + (1 - floor) (1 + cos(pi t)) / 2, t from 0 to 1 over the steps after the warm-up
               (SGDR, Loshchilov and Hutter, ICLR 2017)
    one-cycle  a half cosine up over the warm-up, a half cosine down to max(floor, 1e-4) (Smith and Topin, 2018)

    A warm-up rises from a 25th: linearly, in a one-cycle by a half cosine.
    """
    rise = round(warmup * steps)
    if step < rise:
        done = step / rise
        share = (1 - math.cos(math.pi * done)) / 2 if schedule == "one-cycle" else done
        return RISES_FROM + (1 - RISES_FROM) * share
    if schedule == "constant":
        return 1.0
    after = max(1, steps - rise)
    done = min(1.0, (step - rise) / after)
    end = max(floor, CYCLE_ENDS_AT) if schedule == "one-cycle" else floor
    return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2
