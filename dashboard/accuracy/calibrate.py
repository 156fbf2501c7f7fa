"""Thresholds from one's own data: what the gallery uses now, choosing new ones, and putting a run's to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation import run_config
from core.evaluation.result import Evaluation
from core.evaluation.thresholds import InForce, in_force, points_of, put_to_use
from core.gallery.operating_points import OperatingPoint, operating_points
from core.gallery.template_mix import EVERY_KIND, HR, TemplateMix, templates_said
from core.jobs.launch import launch
from core.jobs.run_dir import Run
from core.system.text import count
from dashboard.accuracy.calibration_people import both_folds, choose_people
from dashboard.accuracy.data import KIND, Seen
from dashboard.accuracy.fields import (
    choose_sizes,
    choose_upscalers,
    choose_weights,
    weights_or_way,
)
from dashboard.accuracy.labels import DEGRADATIONS, data_name, interval, rate
from dashboard.accuracy.revoke import taking_back, told
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import gallery, settings, space_in_use
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.figure_cells import Cell, cells_html
from dashboard.ui.markdown import plain

MEASURES = {"fpir": "Identify: strangers who get a name (FPIR)", "far": "Compare two faces: strangers accepted (FAR)"}
_ASKED = {"fpir": "Identify (1:N)", "far": "Compare (1:1)"}
_SIZES = (None, 32, 24, 16)
_SURE = {0.9: "90 % sure for others", 0.95: "95 % sure for others", 0.0: "As met on the data"}
_OUTCOMES = {"fpir": "FPIR", "dir": "DIR", "far": "FAR", "tar": "TAR", "failure_to_acquire": "Not acquired"}
_HINTS = {
    "FPIR": "strangers who get a name",
    "DIR": "enrolled people who get their own name",
    "FAR": "pairs of strangers accepted",
    "TAR": "pairs of one person accepted",
    "Not acquired": "no usable face",
}


def thresholds_panel() -> None:
    """What is used now, and the form."""
    weights = weights_or_way()
    if weights is None:
        return
    st.subheader("Thresholds in use", anchor=False)
    told()
    store = gallery()
    space = space_in_use(weights)
    points, people, index = operating_points(store, space), store.size, store.index(space)
    mix = index.mix
    used = [each for measure in _ASKED for each in _in_force(points, index.size, measure, mix)]
    st.html(in_use_html(used))
    warnings = {each.decision.warning for each in used} - {""}
    for text in sorted(warnings):
        st.warning(plain(text), icon=":material/warning:")
    calibrated = f"{count(len(points), 'threshold')} calibrated" if points else "no threshold is calibrated yet"
    st.caption(
        f"For the weights and the upscaler in use, {count(people, 'person', 'people')} enrolled"
        f"{f' by {mix}' if mix else ''}: {calibrated}. A score that reaches the threshold of the probe's own size is "
        "accepted."
    )
    if not allowed(Permission.RUN):
        not_yours("Choosing thresholds")
        return
    taking_back(store, space, "all", "Take thresholds back")
    st.subheader("Choose thresholds from your own data", anchor=False)
    with st.container(border=True, key="accuracy_calibrate"):
        _form(weights, people, mix or TemplateMix())


def in_use_html(used: list[InForce]) -> str:
    """A line for each probe size: the threshold of both questions, and what each was chosen for."""
    rows: dict[str, dict[str, Cell]] = {}
    for each in used:
        cell = (f"{each.decision.threshold:.3f}", _chosen_for(each))
        rows.setdefault(each.probe, {})[_ASKED[each.measure]] = cell
    return cells_html("Probe", [((probe, ""), cells) for probe, cells in rows.items()])


def start(people: dict[str, Any], system: dict[str, Any], plan: dict[str, Any], goal: dict[str, Any]) -> Run:
    """Launch a calibration on the people that `choose_people` gave. It stores nothing by itself. Raises
    SettingsInvalid, PairsInvalid, JobError, StorageFailed."""
    if "pairs" in people:
        plan = {**plan, "modes": [people["mode"]]}
        config = run_config.calibration_folds_config(*both_folds(people), system, plan, goal)
    else:
        config = run_config.calibration_config(people["root"], system, plan, goal, split=people["split"])
    return launch(settings(), KIND, config, slug=f"calibrate-{goal['measure']}-{data_name(config)}")


def calibration_part(seen: Seen, evaluation: Evaluation) -> None:
    """A calibration's thresholds, what they give on other people, and the button that puts them to use."""
    st.html(outcome_html(evaluation))
    said = evaluation.protocol
    chosen, tried = said.get("calibrated_on") or {}, said.get("reported_on") or {}
    left_out = said.get("people_the_weights_know") == "left out"
    points = points_of(seen.run)
    known = (
        f"{count(int(said.get('people_left_out', 0)), 'person', 'people')} known from training left out"
        if left_out
        else "the people whom the weights were trained on aren't known (official files, or their data set isn't here)"
    )
    st.caption(
        plain(
            f"Chosen on {count(int(chosen.get('people', 0)), 'person', 'people')}, tried on "
            f"{count(int(tried.get('people', 0)), 'other')}; {known}. The rates are those of the others, "
            f"with 95 % intervals. {_meaning(said.get('goal') or {}) if points else ''}"
        )
    )
    told()
    if not points:
        st.info(
            "No threshold was found: there are too few people or impostor pairs for that rate. Choose a larger data "
            "set or a higher rate.",
            icon=":material/info:",
        )
        return
    if not allowed(Permission.WEIGHTS):
        not_yours("Putting thresholds to use", "admin")
        return
    with st.container(border=True, key="accuracy_use_box"):
        _use(evaluation, points)


def _meaning(goal: dict[str, Any]) -> str:
    """What "at most" means for a run's thresholds; one from before that was asked for met its rate on its data."""
    from core.evaluation.goal import Goal, meaning

    return meaning(Goal(**{"confidence": 0.0, **goal})) if goal else ""


def outcome_html(evaluation: Evaluation) -> str:
    """A line for each threshold: what it was chosen for, and what it gives on other people."""
    measured = evaluation.table("calibration")
    lines: list[tuple[Cell, dict[str, Cell]]] = []
    for row in evaluation.table("thresholds").to_dict("records"):
        named = (str(row["probe"]), "" if row["pairing"] == "1:N" else str(row["pairing"]))
        if pd.isna(row["threshold"]) or measured.empty:
            lines.append((named, {"Threshold": ("–", "too few to tell")}))
            continue
        same = (measured["probe"] == row["probe"]) & (measured["pairing"] == row["pairing"])
        found = measured[same].iloc[0].to_dict()
        cells: dict[str, Cell] = {"Threshold": (f"{row['threshold']:.3f}", "")}
        for name, title in _OUTCOMES.items():
            if name in found:
                cells[title] = (rate(found[name]), interval(found.get(f"{name}_low"), found.get(f"{name}_high")))
        lines.append((named, cells))
    return cells_html("Probe", lines, _HINTS)


def _use(evaluation: Evaluation, points: list[OperatingPoint]) -> None:
    st.markdown("**:material/deployed_code_update: Put them to use**")
    st.markdown(
        "Identification with the same weights and upscaler then goes by these thresholds, each for its own probe size. "
        "The gallery keeps which run they came from."
    )
    path = st.text_input("Gallery", value=str(settings().gallery_path), key="accuracy_gallery")
    used = _used(Path(path), evaluation, points)
    if used:
        st.markdown(":green[:material/verified:] This gallery uses them.")
    label = "Put them in again" if used else "Use these thresholds"
    row = st.container(horizontal=True)
    with row:
        clicked = st.button(label, type="secondary" if used else "primary", icon=":material/check:", key="accuracy_use")
    if path == str(settings().gallery_path):
        from core.evaluation.thresholds import space_of

        with row:
            taking_back(gallery(), space_of(evaluation), points[0].run, "Take them back")
    if clicked:
        with feedback() as attempt:
            number = put_to_use(Path(path).expanduser(), evaluation, points)
            st.session_state["accuracy_said"] = f"{count(number, 'threshold')} put into {Path(path).name}."
        if attempt.ok:
            st.rerun()


def _used(path: Path, evaluation: Evaluation, points: list[OperatingPoint]) -> bool:
    """Whether this installation's gallery holds the thresholds of this run; of another file it isn't asked."""
    from core.evaluation.thresholds import space_of

    if path != settings().gallery_path or not path.is_file():
        return False
    kept = operating_points(gallery(), space_of(evaluation))
    return {(p.run, p.probe_px_min, p.threshold) for p in points} <= {
        (p.run, p.probe_px_min, p.threshold) for p in kept
    }


def _form(weights: Any, people: int, mix: TemplateMix) -> None:
    measure = str(st.radio("For which question", list(MEASURES), format_func=MEASURES.__getitem__, key="accuracy_goal"))
    chosen = choose_people()
    if chosen is None:
        return
    left, right = st.columns(2, gap="medium")
    default = 1.0 if measure == "fpir" else 0.1
    target = left.number_input(
        "At most, %",
        0.001,
        50.0,
        default,
        0.1,
        format="%.3f",
        key=f"accuracy_target_{measure}",
        help="The share of strangers' searches, or of pairs of different people, that may be accepted.",
    )
    goal: dict[str, Any] = {"measure": measure, "target": round(target / 100, 8)}
    goal["confidence"] = right.selectbox(
        "How sure",
        list(_SURE),
        format_func=_SURE.__getitem__,
        key="accuracy_confidence",
        help="People who aren't in the data may be accepted more often than those who are. With a confidence the "
        "threshold is strict enough for them too.",
    )
    if measure == "fpir":
        goal |= _gallery_asked(people, mix)
    left, right = st.columns(2, gap="medium")
    with left:
        encoder = choose_weights(weights, "accuracy_calibrate", several=False)
    with right:
        upscaler = choose_upscalers("accuracy_calibrate", several=False)
    sizes = choose_sizes("accuracy_calibrate", _SIZES)
    degradation = st.segmented_control(
        "Degradation",
        list(DEGRADATIONS)[:2],
        default="bicubic",
        required=True,
        format_func=DEGRADATIONS.__getitem__,
        key="accuracy_calibrate_degradation",
    )
    halves = (
        "The people of some folds choose the thresholds, those of the others"
        if "pairs" in chosen
        else "Half of the people choose the thresholds, the other half"
    )
    st.caption(
        f"{halves} measure them. People whom the weights were trained on are left out where they are known. "
        "Nothing changes until you put the thresholds to use."
    )
    clicked = st.button("Choose thresholds", type="primary", icon=":material/tune:", key="accuracy_calibrate_start")
    link("help", "What a threshold is chosen for", icon=":material/help:", topic="accuracy")
    if clicked:
        _start(chosen, encoder, upscaler, {"sizes": sizes, "degradations": [degradation]}, goal)


def _gallery_asked(people: int, mix: TemplateMix) -> dict[str, Any]:
    """The gallery and the probes that a threshold for strangers is for; as the gallery is, unless it is changed."""
    left, right = st.columns(2, gap="medium")
    size = left.number_input(
        "People in the gallery",
        1,
        1_000_000,
        people or 100,
        key="accuracy_gallery_size",
        help="More people, more false alarms: a threshold belongs to a gallery's size.",
    )
    offered = list(dict.fromkeys([mix.templates, HR, EVERY_KIND]))
    templates = right.selectbox(
        "Enrolled by",
        offered,
        format_func=lambda text: _capital(templates_said(text)),
        key="accuracy_templates",
        help="Matched templates let strangers score higher: a threshold belongs to the kinds of templates.",
    )
    photographs = left.number_input(
        "Photographs a person",
        1,
        100,
        mix.photographs,
        key="accuracy_enrol",
        help="As many as each person is enrolled by.",
    )
    frames = right.number_input(
        "Frames pooled",
        1,
        15,
        1,
        key="accuracy_frames",
        help="1 for photographs. Video is judged by up to 15 frames together and needs thresholds of its own, from "
        "people with as many pictures.",
    )
    return {"gallery_size": int(size), "templates": templates, "enrol": int(photographs), "frames": int(frames)}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _start(
    chosen: dict[str, Any], encoder: list[str], upscaler: list[str], plan: dict[str, Any], goal: dict[str, Any]
) -> None:
    from core.evaluation.systems import every_system

    with feedback() as attempt:
        [system] = every_system(settings(), encoder, upscaler)
        run = start(chosen, system, plan, goal)
    if attempt.ok:
        st.query_params["run"] = run.id
        st.rerun()


def _in_force(points: list[OperatingPoint], people: int, measure: str, mix: TemplateMix | None) -> list[InForce]:
    return in_force(points, people, measure=measure, mix=mix)  # type: ignore[arg-type]


def _chosen_for(each: InForce) -> str:
    point = each.decision.point
    if point is None:
        return "uncalibrated default"
    if not each.decision.calibrated:
        return "uncalibrated: chosen for another gallery"
    where = f" of {point.gallery_size:,}, {templates_said(point.templates)}" if each.measure == "fpir" else ""
    sure = f", {point.confidence * 100:g} % sure" if point.confidence else ", on its data"
    when = f", {point.at.astimezone():%-d %b %Y}" if point.at is not None else ""
    return f"{each.measure.upper()} {point.target * 100:g} %{where}{sure}{when}"
