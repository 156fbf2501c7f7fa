"""Thresholds: those that the gallery uses, the result of a calibration, and using or removing a run's thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.access.places import require_places
from core.evaluation.result import Evaluation
from core.evaluation.thresholds import ThresholdInUse, points_of, space_of, store_thresholds, thresholds_in_use
from core.gallery.operating_points import (
    OperatingPoint,
    operating_points,
    remove_operating_points,
    save_operating_point,
)
from core.gallery.records import Space
from core.gallery.template_mix import TemplateMix, describe_templates
from core.settings import UNCALIBRATED_THRESHOLD
from core.system.server_address import is_server, may_be_there
from core.system.text import count
from dashboard.accuracy.calibrate import calibration_form
from dashboard.accuracy.data import EvaluationEntry
from dashboard.accuracy.fields import evaluated_weights
from dashboard.accuracy.labels import interval, rate
from dashboard.runs.form import typed_path
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import gallery, settings, space_in_use
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import show_message
from dashboard.ui.figure_cells import Cell, cells_html
from dashboard.ui.markdown import nonbreaking, plain

if TYPE_CHECKING:
    from core.gallery.store import Gallery

_QUESTIONS = {"fpir": "Identify (1:N)", "far": "Compare (1:1)"}
_OUTCOMES = {"fpir": "FPIR", "dir": "DIR", "far": "FAR", "tar": "TAR", "failure_to_acquire": "Not acquired"}
_HINTS = {
    "FPIR": "share of strangers who are named",
    "DIR": "share of enrolled people who are named correctly",
    "FAR": "share of pairs of different people accepted",
    "TAR": "share of pairs of the same person accepted",
    "Not acquired": "share of images without a usable face",
}
_REMOVED = "accuracy_removed_thresholds"
_MESSAGE = "accuracy_message"


def thresholds_panel() -> None:
    """The thresholds in use, and the form that calibrates new ones."""
    weights = evaluated_weights()
    if weights is None:
        return
    st.subheader("Thresholds in use", anchor=False)
    show_message(_MESSAGE)
    store = gallery()
    space = space_in_use(weights)
    points, people, here = operating_points(store, space), store.size, store.population(space)
    used = [each for measure in _QUESTIONS for each in _in_force(points, here.size, measure, here.mix)]
    st.html(_in_use_html(used))
    for text in sorted({each.decision.warning for each in used} - {""}):
        st.warning(plain(text), icon=":material/warning:")
    enrolled = f"{count(people, 'person', 'people')} enrolled{f' with {here.mix}' if here.mix else ''}"
    calibrated = f"{count(len(points), 'threshold')} calibrated" if points else "no threshold calibrated yet"
    st.caption(
        f"For the weights and the upscaler in use: {enrolled}, {calibrated}. A face is accepted when its score reaches "
        "the threshold of its size."
    )
    if not allowed(Permission.RUN):
        not_yours("Calibrating thresholds")
        return
    _remove_or_restore(store, space, "all", "Remove thresholds")
    st.subheader("Calibrate thresholds on your own data", anchor=False)
    with st.container(border=True, key="accuracy_calibrate"):
        calibration_form(weights, people, here.mix or TemplateMix())


def calibration_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """The thresholds of a calibration, their rates on other people, and the button that uses them."""
    st.html(_outcome_html(evaluation))
    points = points_of(entry.run)
    st.caption(nonbreaking(plain(_outcome_text(evaluation, with_goal=bool(points)))))
    show_message(_MESSAGE)
    if not points:
        st.info(
            "No threshold was found, because there are too few people or impostor pairs for that rate. Choose a larger "
            "data set or a higher rate.",
            icon=":material/info:",
        )
        return
    if not allowed(Permission.WEIGHTS):
        not_yours("Changing thresholds", "admin")
        return
    with st.container(border=True, key="accuracy_use_box"):
        _use_box(evaluation, points)


def _in_use_html(used: list[ThresholdInUse]) -> str:
    """A row per probe size with the threshold of both questions and its origin."""
    rows: dict[str, dict[str, Cell]] = {}
    for each in used:
        cell = (f"{each.decision.threshold:.3f}", _origin(each))
        rows.setdefault(each.probe, {})[_QUESTIONS[each.measure]] = cell
    return cells_html("Probe", [((probe, ""), cells) for probe, cells in rows.items()])


def _in_force(points: list[OperatingPoint], people: int, measure: str, mix: TemplateMix | None) -> list[ThresholdInUse]:
    return thresholds_in_use(points, people, measure=measure, mix=mix)  # type: ignore[arg-type]


def _origin(each: ThresholdInUse) -> str:
    point = each.decision.point
    if point is None:
        return "uncalibrated default"
    if not each.decision.calibrated:
        return "uncalibrated: for another gallery"
    where = f" of {point.gallery_size:,}, {describe_templates(point.templates)}" if each.measure == "fpir" else ""
    sure = f", {point.confidence * 100:g} % confidence" if point.confidence else ", on its own data"
    when = f", {point.at.astimezone():%-d %b %Y}" if point.at is not None else ""
    return f"{each.measure.upper()} {point.target * 100:g} %{where}{sure}{when}"


def _outcome_html(evaluation: Evaluation) -> str:
    """A row per threshold: what it is for, and its rates on other people."""
    measured = evaluation.table("calibration")
    lines: list[tuple[Cell, dict[str, Cell]]] = []
    for row in evaluation.table("thresholds").to_dict("records"):
        heading = (str(row["probe"]), "" if row["pairing"] == "1:N" else str(row["pairing"]))
        if pd.isna(row["threshold"]) or measured.empty:
            lines.append((heading, {"Threshold": ("–", "too few pairs")}))
            continue
        same = (measured["probe"] == row["probe"]) & (measured["pairing"] == row["pairing"])
        found = measured[same].iloc[0].to_dict()
        cells: dict[str, Cell] = {"Threshold": (f"{row['threshold']:.3f}", "")}
        for name, title in _OUTCOMES.items():
            if name in found:
                cells[title] = (rate(found[name]), interval(found.get(f"{name}_low"), found.get(f"{name}_high")))
        lines.append((heading, cells))
    return cells_html("Probe", lines, _HINTS)


def _outcome_text(evaluation: Evaluation, *, with_goal: bool) -> str:
    """Who the thresholds were calibrated and measured on, and for `with_goal` what "at most" means for their rate."""
    from core.evaluation.goal import Goal, meaning

    protocol = evaluation.protocol
    calibrated, measured = protocol.get("calibrated_on") or {}, protocol.get("reported_on") or {}
    known = (
        f"{count(int(protocol.get('people_left_out', 0)), 'person', 'people')} in the training data were left out"
        if protocol.get("people_the_weights_know") == "left out"
        else "it isn't known whom the weights were trained on (official weights, or the data set isn't here)"
    )
    goal = protocol.get("goal") or {}
    at_most = f" {meaning(Goal(**{'confidence': 0.0, **goal}))}" if goal and with_goal else ""
    return (
        f"Calibrated on {count(int(calibrated.get('people', 0)), 'person', 'people')}, measured on "
        f"{count(int(measured.get('people', 0)), 'other')}; {known}. The rates are those of the others, with 95 % "
        f"intervals.{at_most}"
    )


def _use_box(evaluation: Evaluation, points: list[OperatingPoint]) -> None:
    st.markdown("**:material/deployed_code_update: Use these thresholds**")
    st.markdown(
        "Identification with the same weights and upscaler will use them, each for its own probe size. The gallery "
        "records the run they came from."
    )
    path = st.text_input("Gallery", value=str(settings().gallery_path), key="accuracy_gallery")
    used = _uses(path, evaluation, points)
    if used:
        st.markdown(":green[:material/verified:] This gallery uses them.")
    label = "Use them again" if used else "Use these thresholds"
    row = st.container(horizontal=True)
    with row:
        clicked = st.button(label, type="secondary" if used else "primary", icon=":material/check:", key="accuracy_use")
    if path == str(settings().gallery_path):
        with row:
            _remove_or_restore(gallery(), space_of(evaluation), points[0].run, "Remove these thresholds")
    if clicked:
        with feedback() as attempt:
            place: Path | str = path if is_server(path) else typed_path(path, "gallery")
            if isinstance(place, str):
                require_places(settings(), {"gallery": place})
            number = store_thresholds(place, evaluation, points)
            used_by = place if isinstance(place, str) else place.name
            st.session_state[_MESSAGE] = f"{used_by} now uses {count(number, 'threshold')} of this run."
        if attempt.ok:
            st.rerun()


def _uses(path: str, evaluation: Evaluation, points: list[OperatingPoint]) -> bool:
    """Whether the gallery in use has the thresholds of this run; False for another file, which isn't read."""
    if path != str(settings().gallery_path) or not may_be_there(path):
        return False
    kept = operating_points(gallery(), space_of(evaluation))
    return {(p.run, p.probe_px_min, p.threshold) for p in points} <= {
        (p.run, p.probe_px_min, p.threshold) for p in kept
    }


def _remove_or_restore(store: Gallery, space: Space, which: str, label: str) -> None:
    """A button that removes the gallery's thresholds for `space`, those of the run `which` or "all"; afterwards, until
    the visit ends, one that restores them."""
    if not allowed(Permission.WEIGHTS):
        return
    run = None if which == "all" else which
    present = [point for point in operating_points(store, space) if run is None or point.run == run]
    removed: dict[str, list[OperatingPoint]] = st.session_state.setdefault(_REMOVED, {})
    if present:
        with st.popover(label, icon=":material/undo:"):
            st.markdown(
                f"{count(len(present), 'threshold')} will be removed from the gallery. Identification then uses the "
                f"uncalibrated default, {UNCALIBRATED_THRESHOLD:.2f}, where no other threshold is set."
            )
            if st.button("Remove", icon=":material/undo:", type="primary", key=f"accuracy_take_back_{which}"):
                with feedback() as attempt:
                    removed[which] = remove_operating_points(store, space, run=run, actor="dashboard")
                    st.session_state[_MESSAGE] = f"{count(len(removed[which]), 'threshold')} removed."
                if attempt.ok:
                    st.rerun()
    elif removed.get(which) and st.button(
        "Restore thresholds", icon=":material/redo:", key=f"accuracy_put_back_{which}"
    ):
        with feedback() as attempt:
            for point in removed[which]:
                save_operating_point(store, space, point, actor="dashboard")
            st.session_state[_MESSAGE] = f"{count(len(removed.pop(which)), 'threshold')} restored."
        if attempt.ok:
            st.rerun()
