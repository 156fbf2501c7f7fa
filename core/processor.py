"""What this machine's processor computes in."""

from __future__ import annotations


def cpu_has_bfloat16() -> bool:
    """True where the CPU has bfloat16 instructions (AVX-512 BF16 or AMX); elsewhere bfloat16 is emulated and slow."""
    import torch

    read = getattr(torch.cpu, "get_capabilities", None)  # absent before torch 2.10
    capabilities = read() if read is not None else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
