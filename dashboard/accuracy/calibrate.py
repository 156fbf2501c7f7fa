"""The form that calibrates thresholds: for which question, on whose faces, for which gallery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.evaluation import run_config
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.pairs import folds_of
from core.gallery.template_mix import EVERY_KIND, HR, TemplateMix, describe_templates
from core.jobs.launch import launch
from core.jobs.run_dir import Run
from core.models.encoders import WeightsFile
from dashboard.accuracy.data import KIND
from dashboard.accuracy.fields import (
    choose_dataset,
    choose_sizes,
    choose_upscalers,
    choose_weights,
    evaluation_datasets,
    photographs_and_pairs,
)
from dashboard.accuracy.labels import DEGRADATIONS, MODE_HELP, MODES, data_name
from dashboard.runs.form import typed_path
from dashboard.runs.list import show_run
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.ui.components import choose_one

_MEASURES = {"fpir": "Identify: strangers who are named (FPIR)", "far": "Compare two faces: strangers accepted (FAR)"}
_SIZES = (None, 32, 24, 16)
_CONFIDENCES = {
    0.9: "With 90 % confidence for other people",
    0.95: "With 95 % confidence for other people",
    0.0: "For the people in the data only",
}
_SOURCES = {"dataset": "A data set", "pairs": "Folds of a pairs file"}


def calibration_form(weights: WeightsFile, people: int, mix: TemplateMix) -> None:
    """The form. `people` and `mix` are those of the gallery, the defaults of what a threshold is for."""
    measure = str(st.radio("Question", list(_MEASURES), format_func=_MEASURES.__getitem__, key="accuracy_goal"))
    chosen = _choose_people()
    if chosen is None:
        return
    left, right = st.columns(2, gap="medium")
    target = left.number_input(
        "Maximum rate, %",
        0.001,
        50.0,
        1.0 if measure == "fpir" else 0.1,
        0.1,
        format="%.3f",
        key=f"accuracy_target_{measure}",
        help="The share of strangers' searches, or of pairs of different people, that may be accepted.",
    )
    goal: dict[str, Any] = {"measure": measure, "target": round(target / 100, 8)}
    goal["confidence"] = right.selectbox(
        "The rate holds",
        list(_CONFIDENCES),
        format_func=_CONFIDENCES.__getitem__,
        key="accuracy_confidence",
        help="People who aren't in the data may be accepted more often than those who are. With a confidence, the "
        "threshold is strict enough for them too.",
    )
    if measure == "fpir":
        goal |= _gallery_fields(people, mix)
    left, right = st.columns(2, gap="medium")
    with left:
        encoder = choose_weights(weights, "accuracy_calibrate", several=False)
    with right:
        upscaler = choose_upscalers("accuracy_calibrate", several=False)
    sizes = choose_sizes("accuracy_calibrate", _SIZES)
    reductions = dict(list(DEGRADATIONS.items())[:2])
    degradation = choose_one("Degradation", reductions, "accuracy_calibrate_degradation")
    halves = (
        "The thresholds are calibrated on the people of some folds and measured on those of the others."
        if "pairs" in chosen
        else "The thresholds are calibrated on half of the people and measured on the other half."
    )
    st.caption(
        f"{halves} People whom the weights were trained on are left out if they are known. The gallery doesn't change "
        "until you use the thresholds."
    )
    clicked = st.button("Calibrate thresholds", type="primary", icon=":material/tune:", key="accuracy_calibrate_start")
    link("help", "How to choose a threshold", icon=":material/help:", topic="accuracy")
    if clicked:
        _launch(chosen, encoder, upscaler, {"sizes": sizes, "degradations": [degradation]}, goal)


def start(people: dict[str, Any], system: SystemSpec, plan: dict[str, Any], goal: dict[str, Any]) -> Run:
    """Launch a calibration on the chosen `people`. It changes no gallery.

    Raises SettingsInvalid, PairsInvalid, JobError, StorageFailed.
    """
    if "pairs" in people:
        plan = {**plan, "modes": [people["mode"]]}
        config = run_config.calibration_folds_config(*both_folds(people), system, plan, goal)
    else:
        config = run_config.calibration_config(people["root"], system, plan, goal, split=people["split"])
    return launch(settings(), KIND, config, slug=f"calibrate-{goal['measure']}-{data_name(config)}")


def both_folds(people: Mapping[str, Any]) -> tuple[Path, Path, tuple[list[int], list[int]]]:
    """The images, the pairs file and the folds to calibrate and to measure on, parsed from the text that was typed.

    Raises SettingsInvalid, and what `typed_path` raises.
    """
    calibrate, measure = (folds_of(str(people[name])) or [] for name in ("calibrate_folds", "report_folds"))
    return typed_path(people["images"]), typed_path(people["pairs"], "pairs file"), (calibrate, measure)


def _launch(
    chosen: dict[str, Any], encoder: list[str], upscaler: list[str], plan: dict[str, Any], goal: dict[str, Any]
) -> None:
    from core.evaluation.systems import every_system

    with feedback() as attempt:
        [system] = every_system(settings(), encoder, upscaler)
        run = start(chosen, system, plan, goal)
    if attempt.ok:
        show_run(run)


def _choose_people() -> dict[str, Any] | None:
    """`root` and `split` of a data set, or `images`, `pairs`, `calibrate_folds`, `report_folds` as typed, and `mode`;
    None where there is no data set or it can't be read."""
    source = choose_one("People from", _SOURCES, "accuracy_people_from")
    if source == "pairs":
        return _fold_fields()
    sets = evaluation_datasets()
    chosen = choose_dataset(sets, "accuracy_calibrate") if sets else None
    return None if chosen is None else {"root": chosen[0].root, "split": chosen[1]}


def _fold_fields() -> dict[str, Any]:
    left, right = st.columns([3, 1], gap="medium")
    images, pairs = photographs_and_pairs(
        left, photographs_key="accuracy_calibrate_images", pairs_key="accuracy_calibrate_pairs"
    )
    calibrate = right.text_input("Folds to calibrate on", "1-4", key="accuracy_choose_folds")
    measure = right.text_input("Folds to measure on", "5-7", key="accuracy_try_folds")
    mode = choose_one("Mode", MODES, "accuracy_calibrate_mode", help=MODE_HELP)
    return {
        "images": images,
        "pairs": pairs,
        "calibrate_folds": calibrate,
        "report_folds": measure,
        "mode": mode,
    }


def _gallery_fields(people: int, mix: TemplateMix) -> dict[str, Any]:
    """The gallery and the probes that the threshold is for; the defaults are those of the gallery in use."""
    left, right = st.columns(2, gap="medium")
    size = left.number_input(
        "People in the gallery",
        1,
        1_000_000,
        people or 100,
        key="accuracy_gallery_size",
        help="More people cause more false alarms, so a threshold is valid for one gallery size.",
    )
    offered = list(dict.fromkeys([mix.templates, HR, EVERY_KIND]))
    templates = right.selectbox(
        "Enrolled with",
        offered,
        format_func=lambda kinds: _capitalised(describe_templates(kinds)),
        key="accuracy_templates",
        help="Matched templates raise strangers' scores, so a threshold is valid for the same kinds of templates only.",
    )
    photographs = left.number_input(
        "Photographs per person",
        1,
        100,
        mix.photographs,
        key="accuracy_enrol",
        help="The number that each person is enrolled with.",
    )
    frames = right.number_input(
        "Frames pooled",
        1,
        15,
        1,
        key="accuracy_frames",
        help="1 for photographs. Video is identified by up to 15 frames together and needs its own thresholds, from "
        "people with that many images.",
    )
    return {"gallery_size": int(size), "templates": templates, "enrol": int(photographs), "frames": int(frames)}


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
