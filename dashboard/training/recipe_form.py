"""Form fields for the settings of a training: the main ones, a table of all others, and those of the run."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pandas as pd
import streamlit as st

from core.training.config import PRECISIONS, TrainingConfig
from core.training.overrides import settings_of
from core.training.recipe import Recipe
from dashboard.ui.markdown import plain

_FIELD_PX = 168
_PARTS = {"head": "Head", "encoder": "Encoder", "upscaler": "DSR"}
_DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(TrainingConfig)}
_DEVICES = ("auto", "cpu", "cuda", "mps")


def main_labels(recipe: Recipe) -> dict[str, str]:
    """The main settings of a recipe: full name to label."""
    several = len(recipe.stages) > 1
    found: dict[str, str] = {}
    for number, stage in enumerate(recipe.stages, start=1):
        found[f"{stage.name}.epochs"] = f"Epochs, stage {number}" if several else "Epochs"
    found["batch_size"] = "Batch size"
    for number, stage in enumerate(recipe.stages, start=1):
        where = f", stage {number}" if several else ""
        for part in stage.trains:
            found[f"{stage.name}.rates.{part}"] = f"{_PARTS[part]} rate{where}"
        if stage.losses.alignment:
            found[f"{stage.name}.losses.alignment"] = f"Alignment weight{where}"
        if stage.patience:
            found[f"{stage.name}.patience"] = f"Patience{where}"
    return found


def main_settings(recipe: Recipe, key: str) -> dict[str, Any]:
    """Fields for the main settings; returns the changed values by full name."""
    known, asked = settings_of(recipe), {}
    with st.container(horizontal=True, gap="small"):
        for name, label in main_labels(recipe).items():
            asked[name] = _field(label, known[name], f"{key}_{name}")
    return {name: value for name, value in asked.items() if value != known[name]}


def _field(label: str, value: Any, key: str) -> Any:
    if isinstance(value, int):
        return st.number_input(label, min_value=0, value=value, step=1, key=key, width=_FIELD_PX)
    small = 0 < value < 0.01
    step = 10.0 ** math.floor(math.log10(value)) if value > 0 else 0.1
    return st.number_input(
        label,
        min_value=0.0,
        value=float(value),
        step=step,
        format="%.1e" if small else "%.3g",
        key=key,
        width=_FIELD_PX,
    )


def other_settings(recipe: Recipe, key: str) -> dict[str, str]:
    """A table for all other settings; returns the changed values as text, by full name."""
    known = {name: _text(value) for name, value in settings_of(recipe).items() if name not in main_labels(recipe)}
    table = pd.DataFrame({"setting": list(known), "value": list(known.values())})
    st.caption("All other settings of the recipe. Double-click a value to change it; invalid values are rejected.")
    edited = st.data_editor(
        table,
        key=key,
        hide_index=True,
        disabled=["setting"],
        num_rows="fixed",
        height=300,
        column_config={"setting": st.column_config.TextColumn(width="medium"), "value": st.column_config.TextColumn()},
    )
    now = dict(zip(edited["setting"], edited["value"], strict=True))
    return {name: str(value or "") for name, value in now.items() if str(value or "") != known[str(name)]}


def run_settings(kind: str) -> dict[str, Any]:
    """Fields for the settings of the run rather than the recipe; returns those that differ from the defaults."""
    asked: dict[str, Any] = {}
    with st.container(horizontal=True, gap="small"):
        asked["device"] = st.selectbox("Device", _DEVICES, key="training_device", width=_FIELD_PX)
        asked["precision"] = st.selectbox("Precision", PRECISIONS, key="training_precision", width=_FIELD_PX)
        asked["seed"] = _whole("Seed", "seed", 0, "Runs with the same seed are identical, bit for bit on a CPU.")
        asked["accumulate"] = _whole("Parts per batch", "accumulate", 1, "More parts need less memory.")
        asked["num_workers"] = _whole(
            "Loading threads", "num_workers", 0, "0: batches are prepared between training steps."
        )
        asked["val_limit"] = _whole("Validation images", "val_limit", 0, "The maximum, in whole people. 0: all.")
    if kind == "dsr":
        with st.container(horizontal=True, gap="small"):
            asked["dsr_channels"] = _whole("DSR channels", "dsr_channels", 4, "")
            asked["dsr_blocks"] = _whole("DSR blocks", "dsr_blocks", 1, "")
    asked["full_check"] = st.checkbox(
        "Read and check every image first",
        key="training_full_check",
        help="Otherwise only the data set's table is checked, which is fast, and enough after a good check.",
    )
    lines = st.text_area(
        "Sources of the data, and their terms",
        key="training_terms",
        placeholder="LFW (University of Massachusetts): for research",
        height=80,
        max_chars=4000,
        help="One source a line. The cards of the trained networks name them.",
    )
    asked["terms"] = tuple(line.strip() for line in lines.splitlines() if line.strip())
    return {name: value for name, value in asked.items() if value != _DEFAULTS[name]}


def _whole(label: str, name: str, minimum: int, help: str) -> int:
    return int(
        st.number_input(
            label,
            min_value=minimum,
            value=int(_DEFAULTS[name]),
            step=1,
            key=f"training_{name}",
            width=_FIELD_PX,
            help=help or None,
        )
    )


def _text(value: Any) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def differences(changes: dict[str, Any]) -> str:
    """ "stage2.patience = 4, batch_size = 16": the changed settings on one line."""
    return ", ".join(f"{plain(name)} = {plain(_text(value))}" for name, value in changes.items())
