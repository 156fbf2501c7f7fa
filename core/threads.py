"""How the threads of numeric libraries wait for work."""

from __future__ import annotations

import os


def let_threads_wait() -> None:
    """Have threads that wait for work sleep instead of spin, unless the user chose. Call it before torch is imported.

    Spinning threads take the cores from those that have some: photographs are read and searched beside the networks.
    On 2 cores, spinning and not: a photograph at four sizes 26.4 and 20.3 ms; live video with one face 19 and 24
    results a second; one crop from 32 px to its name at the 99th percentile 115 and 16 ms.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
