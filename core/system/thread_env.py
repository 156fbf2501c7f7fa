"""How the threads of numeric libraries wait for work."""

from __future__ import annotations

import os

_WAITING = {
    "OMP_WAIT_POLICY": "PASSIVE",
    # Some microseconds, as long as the next layer of a network lets them wait. None at all, and every layer wakes them.
    "GOMP_SPINCOUNT": "3000",
    # 2^18 instead of 2^26 cycles: after a search numpy's thread would hold its core for as long as a network takes.
    "OPENBLAS_THREAD_TIMEOUT": "18",
}


def let_threads_wait() -> None:
    """Have threads that wait for work soon sleep instead of spin, where the user hasn't chosen otherwise. Call it
    before numpy and torch are imported.

    Spinning threads take the cores from those that have work: detection, networks and search take turns, each with
    threads of its own. The figures are in docs/measurements.md.
    """
    for name, value in _WAITING.items():
        os.environ.setdefault(name, value)
