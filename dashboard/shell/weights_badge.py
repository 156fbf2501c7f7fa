"""The weights in use, in the sidebar of every page: their origin and their equal error rates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from core.models.active import ActiveModels, active_models
from core.models.files import Origin, WeightsFile, is_shipped
from core.models.measured import Measured, Rate, size_name
from core.models.upscalers import UpscalerFile
from dashboard.shell.resources import settings
from dashboard.ui.markdown import nonbreaking, plain


@dataclass(frozen=True)
class Badge:
    """The origin of weights on screen: the badge's words, colour and icon, and the words of Home's status cell."""

    words: str
    colour: Literal["green", "orange", "blue"]
    icon: str
    detail: str

    def show(self) -> None:
        st.badge(self.words, icon=self.icon, color=self.colour)


_BADGES: dict[Origin, Badge] = {
    "official": Badge("Official weights", "green", ":material/verified:", "official file"),
    "starter": Badge("Starter weights", "orange", ":material/warning:", "trained from scratch: limited accuracy"),
    "fine-tuned": Badge("Fine-tuned weights", "blue", ":material/tune:", "fine-tuned by this project"),
    "other": Badge("Not an official file", "orange", ":material/help:", "not an official file"),
}


def badge_of(weights: WeightsFile) -> Badge:
    """The badge of weights. Those that ship are called so, unless they were trained from scratch."""
    found = _BADGES[weights.origin]
    if weights.origin != "fine-tuned" or not is_shipped(settings(), weights):
        return found
    return Badge("Shipped weights", "green", ":material/inventory_2:", f"{weights.product_name}, fine-tuned")


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
    badge_of(weights).show()
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
