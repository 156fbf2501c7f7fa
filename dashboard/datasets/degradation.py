"""One face degraded both ways: bicubic, and by a simulated camera whose parameters can be sampled again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.dataset.degrade import METHODS, degrade
from core.dataset.manifest import Dataset
from core.images import RGB, encode_image, read_image, resize
from core.settings import CROP_PX, VLR_SIZES_PX
from dashboard.datasets.data import pair_table
from dashboard.shell.datasets import SYNTHETIC
from dashboard.shell.error_display import feedback
from dashboard.ui.markdown import markup, shorten
from dashboard.ui.pictures import image_address


def degrade_panel(dataset: Dataset) -> None:
    """Show a face, both degradations at each VLR size, and the camera's parameters."""
    table = pair_table(dataset)
    if table.empty:
        st.info("The data set lists no HR images, so there is nothing to degrade.", icon=":material/hide_image:")
        return
    place = int(st.session_state.get("dataset_face", 0)) % len(table)
    seed = int(st.session_state.get("dataset_camera_seed", 0))
    row = table.iloc[place]
    st.markdown(
        "**Bicubic** is clean downsampling, as used in papers. **Camera** simulates lens blur, sensor noise and JPEG "
        "compression, with parameters sampled from published ranges."
    )
    with feedback():
        hr = read_image(dataset.file(str(row["hr"])))
        hr = hr if hr.shape[0] == hr.shape[1] else resize(hr, CROP_PX)
        html, recipe = degradations_html(hr, seed, str(row["identity"]))
        st.html(html)
        synthetic = f" {SYNTHETIC}." if dataset.info.synthetic else ""
        st.caption(f"Camera shown: {recipe_text(recipe)} (seed {seed}).{synthetic}")
    with st.container(horizontal=True):
        if st.button("Sample another camera", icon=":material/casino:", key="dataset_draw"):
            st.session_state["dataset_camera_seed"] = seed + 1
            st.rerun()
        if st.button("Another face", icon=":material/face:", key="dataset_another"):
            st.session_state["dataset_face"] = random.randrange(len(table))
            st.rerun()


def degradations_html(hr: RGB, seed: int, name: str) -> tuple[str, dict[str, Any]]:
    """HR, uint8 (s, s, 3), beside both degradations at every VLR size; and the camera's parameters (equal for all)."""
    source = image_address(encode_image(hr, quality=90))
    who = markup(shorten(name, 30))
    parts = [f"<span class='ef-source'><img src='{source}' alt='HR'><small>HR, {who}</small></span>"]
    recipe: dict[str, Any] = {}
    for method in METHODS:
        for size in VLR_SIZES_PX:
            small, recipe = degrade(hr, size, method, seed=seed)
            address, label = image_address(encode_image(small, "png")), f"{method} {size} px"
            parts.append(f"<span><img src='{address}' alt='{label}'><small>{label}</small></span>")
    return f"<div class='ef-degrade'>{''.join(parts)}</div>", recipe


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """A camera's parameters in words."""
    along, across = recipe["blur_px"]
    return (
        f"blur {along:.1f} × {across:.1f} px of {CROP_PX}, {recipe['kernel']} downsampling, shot noise "
        f"{recipe['shot']:.4f}, gamma {recipe['gamma']:.1f}, JPEG quality {recipe['quality']}"
    )
