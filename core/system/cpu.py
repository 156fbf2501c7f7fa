"""The processor's model and its support of bfloat16, and OpenCV's threads."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BFLOAT16 = "EDGEFACE_BFLOAT16"
"""Environment variable: "off" computes in float32 also where the CPU has bfloat16."""


def cpu_has_bfloat16() -> bool:
    """True where the CPU has bfloat16 instructions (AVX-512 BF16 or AMX); elsewhere bfloat16 is emulated and slow.
    False where EDGEFACE_BFLOAT16 is "off"."""
    import torch

    if os.environ.get(BFLOAT16, "").lower() in ("off", "0", "no", "false"):
        return False
    read = getattr(torch.cpu, "get_capabilities", None)  # absent before torch 2.10
    capabilities = read() if read is not None else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def processor_name() -> str:
    """The processor's model as the system reports it, or ""."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """OpenCV's own threads off meanwhile, for work in a pool of threads."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
