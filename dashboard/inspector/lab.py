"""The degradation controls: the size of the small face and the method, with sampled or manual camera parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.dataset.degrade import GAMMA, KERNELS, SHOT, draw
from core.settings import VLR_SIZES_PX

if TYPE_CHECKING:
    from core.inspection.subject import Reduction

_WORDS = {"stored": "Stored images", "bicubic": "Bicubic", "camera": "Camera"}
_READ = (1e-7, 1e-2)


def lab(stored_px: Sequence[int] = ()) -> Reduction:
    """Show the controls and return their values. `stored_px`: sizes of the data set's own VLR images, if any."""
    from core.inspection.subject import SIZES_PX, Reduction

    ways = [way for way in _WORDS if way != "stored" or stored_px]
    if st.session_state.get("inspector_way") not in ways:
        st.session_state.pop("inspector_way", None)
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with right:
        way = st.segmented_control(
            "Degradation",
            ways,
            default="bicubic",
            required=True,
            key="inspector_way",
            format_func=lambda each: _WORDS[each],
            help="Bicubic is clean downsampling, as used in papers. Camera simulates lens blur, sensor noise and JPEG.",
        )
    with left:
        if way == "stored":
            size = st.segmented_control(
                "Size of the small face",
                list(stored_px),
                default=stored_px[0],
                required=True,
                key="inspector_stored_size",
                format_func=lambda px: f"{px} px",
            )
        else:
            low, high = SIZES_PX
            size = st.slider("Size of the small face", low, high, VLR_SIZES_PX[1], format="%d px", key="inspector_size")
    if way != "camera":
        return Reduction(int(size), "stored" if way == "stored" else "bicubic")
    seed = int(st.session_state.get("inspector_seed", 0))
    with st.container(border=True, key="inspector_lab"):
        with st.container(horizontal=True, vertical_alignment="center"):
            by_hand = st.toggle("Set the camera parameters manually", key="inspector_by_hand")
            if not by_hand and st.button("Sample again", icon=":material/casino:", key="inspector_draw"):
                st.session_state["inspector_seed"] = seed + 1
                st.rerun()
        params = _knobs(seed) if by_hand else None
    return Reduction(int(size), "camera", seed, params)


def _knobs(seed: int) -> dict[str, Any]:
    """A control for every camera parameter, starting at the sampled values."""
    at = draw(seed)
    first, second, third = st.columns(3, gap="medium")
    with first:
        along = st.slider("Blur along (px of 112)", 0.2, 8.0, float(at["blur_px"][0]), 0.1, key="inspector_blur_a")
        across = st.slider("Blur across (px of 112)", 0.2, 8.0, float(at["blur_px"][1]), 0.1, key="inspector_blur_b")
        angle = st.slider("Angle of the blur", 0, 180, round(at["angle_deg"]), format="%d°", key="inspector_angle")
    with second:
        shot = _powers("Shot noise", SHOT[0] / 10, SHOT[1] * 5, float(at["shot"]), "inspector_shot")
        read = _powers("Read noise", *_READ, float(at["read"]), "inspector_read")
        kernels = sorted(KERNELS)
        kernel = st.selectbox("Downsampling", kernels, kernels.index(at["kernel"]), key="inspector_kernel")
    with third:
        low, high = GAMMA[0] - 0.8, GAMMA[1] + 0.6
        gamma = st.slider("Gamma", low, high, float(at["gamma"]), 0.05, key="inspector_gamma")
        quality = st.slider("JPEG quality", 5, 100, int(at["quality"]), key="inspector_quality")
    return {
        "blur_px": [along, across],
        "angle_deg": float(angle),
        "kernel": kernel,
        "shot": shot,
        "read": read,
        "gamma": gamma,
        "quality": quality,
    }


def _powers(label: str, low: float, high: float, value: float, key: str) -> float:
    """A slider over powers of ten: the order of magnitude of noise matters."""
    at = min(math.log10(high), max(math.log10(low), math.log10(value)))
    power = st.slider(
        f"{label} (power of ten)",
        math.log10(low),
        math.log10(high),
        at,
        0.05,
        format="%.2f",
        key=key,
        help="Variance of light in [0, 1]: -2 is strong, -5 hardly visible.",
    )
    return float(10**power)
