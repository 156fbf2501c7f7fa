"""The weights in use, in the sidebar of every page: their origin and their equal error rates."""

from __future__ import annotations

import re
from collections.abc import Mapping

import streamlit as st

from core.models.active import ActiveModels, active_models
from core.models.files import Origin, WeightsFile
from core.models.measured import Measured, Rate, size_name
from core.models.upscalers import UpscalerFile
from dashboard.shell.resources import settings
from dashboard.ui.markdown import nonbreaking, plain

ORIGINS: dict[Origin, tuple[str, str, str]] = {
    "official": ("Official weights", "green", "official file"),
    "starter": ("Starter weights", "orange", "starter: limited accuracy"),
    "fine-tuned": ("Fine-tuned weights", "blue", "fine-tuned by this project"),
    "other": ("Not an official file", "orange", "not an official file"),
}
"""By origin: the badge, its colour, and the text of Home's status cell."""

ORIGIN_ICONS: dict[Origin, str] = {
    "official": ":material/verified:",
    "starter": ":material/warning:",
    "fine-tuned": ":material/tune:",
    "other": ":material/help:",
}

_SHORT = {"evaluation": "EER", "validation": "EER, own validation:"}
"""Label of figures by their source."""


def sidebar_status() -> None:
    """The encoder and the upscaler in use, with their equal error rates, in the sidebar."""
    used = active_models(settings())
    with st.sidebar:
        _encoder_badge(used)
        if used.upscaler_problem is not None:
            st.badge("Upscaler missing", icon=":material/warning:", color="orange")
            st.caption(plain(used.upscaler_problem.what))
        elif used.upscaler is not None and used.encoder is not None:
            st.caption(f"Small faces: {plain(upscaler_words(used.upscaler))}")


def _encoder_badge(used: ActiveModels) -> None:
    weights = used.encoder
    if weights is None:
        st.badge("No weights in use", icon=":material/warning:", color="orange")
        if used.encoder_problem is not None:
            st.caption(plain(used.encoder_problem.what))
        return
    words, colour, _ = ORIGINS[weights.origin]
    st.badge(words, icon=ORIGIN_ICONS[weights.origin], color=colour)  # type: ignore[arg-type]
    if weights.official is not None:
        st.caption(f"{plain(weights.official.name)}, identical to the published file")
    else:
        st.caption(f"{plain(weights.name)}, SHA-256 {weights.sha256[:10]}…")
    figures = used.figures
    if figures is not None and figures.eer:
        about = " ".join(filter(None, [f"{protocol_words(figures, weights)}.", used.figures_pair]))
        lines = [f"{_SHORT[figures.source]} {_rates(figures.eer)}"]
        lines += [f"As by a camera: {_rates(figures.camera.eer)}"] if figures.camera.eer else []
        st.caption("  \n".join(nonbreaking(line) for line in lines), help=plain(about))
    else:
        st.caption("Not measured yet")


def _rates(eer: Mapping[str, Rate]) -> str:
    return ", ".join(f"{size_name(size)} {rate.value * 100:.1f} %" for size, rate in eer.items())


def protocol_words(figures: Measured, weights: WeightsFile) -> str:
    """The protocol of `figures`, without the hash of a file that was measured before its header was written."""
    return re.sub(r" \(([0-9a-f]{8,})\)", lambda m: m[0] if weights.sha256.startswith(m[1]) else "", figures.protocol)


def upscaler_words(upscaler: UpscalerFile) -> str:
    """The upscaler in a few words."""
    if upscaler.path is None:
        return "bicubic"
    if upscaler.specialist is not None:
        return f"{upscaler.name}, an encoder for faces up to {upscaler.specialist.max_px} px"
    left = " and ".join(str(px) for px in upscaler.bicubic_px)
    return f"{upscaler.name}{f'; bicubic at {left} px, where it is more accurate' if left else ''}"
