"""The Inspector's data set part: the filters, one face after the other, or many faces at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.dataset.library import Listed, datasets_root, list_datasets
from core.dataset.manifest import Dataset
from core.evaluation.pictures import Picture
from core.inspection.survey import ORDERS
from dashboard.inspector.contact_sheet import SORT_KEPT, many_view, sorted_as_asked
from dashboard.inspector.data import pictures_in
from dashboard.inspector.face import face_view
from dashboard.inspector.lab import lab
from dashboard.inspector.people import DatasetPeople, People
from dashboard.inspector.survey_panel import Selection, survey_panel
from dashboard.runs.form import SYNTHETIC_HINT
from dashboard.shell.datasets import open_dataset
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import step_button
from dashboard.shell.resources import settings
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten

if TYPE_CHECKING:
    from core.inspection.subject import Reduction
    from core.pipeline import Pipeline


def set_view(pipeline: Pipeline) -> None:
    """Show the data set part of the page."""
    sets = [each for each in list_datasets(datasets_root(settings())) if each.info is not None]
    if not sets:
        text = (
            "A data set contains every face large and small. Synthetic people are ready in under a minute. You can "
            "also upload a photograph."
        )
        with empty_state("dataset", "No data set yet", text):
            step_button("dataset", "Create a data set", key="inspector_make")
        return
    columns = st.columns([3, 2, 3, 3], gap="small", vertical_alignment="bottom")
    listed = _listed(sets, columns[0])
    with feedback() as attempt:
        dataset = open_dataset(listed.root)
        split, who, order = _filters(dataset, listed.name, columns[1:])
        pictures = pictures_in(dataset, split)
    if not attempt.ok:
        return
    if dataset.info.synthetic:
        st.caption(SYNTHETIC_HINT)
    stored = sorted(set.intersection(*(set(picture.vlr) for picture in pictures[:50]))) if pictures else []
    reduction = lab([px for px in stored if 8 <= px <= 64])
    label = f"{dataset.info.name}{f' {split}' if split else ''}"
    selected = [picture for picture in pictures if picture.identity == who] if who else pictures
    faces = Selection(listed.name, label, split, pictures, selected)
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium", key="inspector_walk")
    with row:
        show = st.segmented_control(
            "Show",
            ["One face", "Many faces"],
            default="One face",
            required=True,
            key="inspector_show",
            label_visibility="collapsed",
        )
    many = show == "Many faces"
    asked = (listed.name, split, who, order)
    if st.session_state.setdefault("inspector_asked", asked) != asked:  # another list starts with its first face
        st.session_state["inspector_asked"] = asked
        for key in ("inspector_face", SORT_KEPT, "inspector_sort"):
            st.session_state.pop(key, None)
    table = None
    if order != "listed" or many or SORT_KEPT in st.session_state:
        table = survey_panel(pipeline, faces, reduction, order)
        if table is None:
            return
        table = sorted_as_asked(table, row if many else None)
    if many and table is not None:
        many_view(pipeline, selected, table, reduction, ORDERS[order], label)
    else:
        _one(pipeline, _in_order(selected, table), reduction, DatasetPeople(pipeline, pictures, label), row)


def _listed(sets: Sequence[Listed], column: DeltaGenerator) -> Listed:
    names = {each.name: each for each in sets}
    wanted = st.session_state.get("inspector_set")
    if wanted not in names:
        st.session_state.pop("inspector_set", None)
    with column:
        name = st.selectbox("Data set", list(names), key="inspector_set", format_func=lambda each: shorten(each, 60))
    return names[str(name)]


def _filters(dataset: Dataset, name: str, columns: Sequence[DeltaGenerator]) -> tuple[str | None, str, str]:
    """The split (None: all), the person ("": everyone) and the order."""
    splits = dataset.info.counts.get("splits", {})
    there = [side for side in ("test", "val", "train") if splits.get(side, {}).get("hr")]
    first, second, third = columns
    with first:
        split = st.selectbox(
            "Split", [*there, ""], key=f"inspector_split_{name}", format_func=lambda side: side or "all"
        )
    with second:
        names = sorted({picture.identity for picture in pictures_in(dataset, split or None)})
        who = st.selectbox(
            "Person",
            names,
            index=None,
            placeholder="Everyone",
            key=f"inspector_person_{name}_{split}",
            format_func=lambda each: shorten(str(each), 60),
        )
    with third:
        order = st.selectbox("Order", list(ORDERS), key="inspector_order", format_func=ORDERS.__getitem__)
    return split or None, str(who or ""), str(order)


def _in_order(selected: Sequence[Picture], table: pd.DataFrame | None) -> list[Picture]:
    if table is None:
        return list(selected)
    by_hash = {picture.sha256: picture for picture in selected}
    return [by_hash[sha256] for sha256 in table["sha256"]]


def _one(
    pipeline: Pipeline, faces: Sequence[Picture], reduction: Reduction, people: People, row: DeltaGenerator
) -> None:
    from core.inspection.subject import subject_of_picture

    places = {picture.sha256: place for place, picture in enumerate(faces)}
    at = places.get(st.session_state.get("inspector_face", ""), 0)
    picture = faces[at]
    st.session_state["inspector_face"] = picture.sha256
    with row:
        _walk(at, faces)
    with feedback() as attempt:
        subject = subject_of_picture(picture, reduction)
    if attempt.ok:
        with feedback():
            face_view(pipeline, subject, people)


def _walk(at: int, faces: Sequence[Picture]) -> None:
    """The buttons to the previous and the next face, with their keys, and the position in the list."""
    for label, icon, key, to in (
        ("Previous", ":material/chevron_left:", "P", at - 1),
        ("Next", ":material/chevron_right:", "N", at + 1),
    ):
        there = 0 <= to < len(faces)
        st.button(
            label,
            icon=icon,
            shortcut=key,
            disabled=not there,
            key=f"inspector_{label.lower()}",
            on_click=_show,
            args=(faces[to].sha256 if there else "",),
        )
    st.markdown(
        f"**{plain(shorten(faces[at].identity, 50))}**, {at + 1:,} of {len(faces):,}",
        width="content",
        help=plain(faces[at].name),
    )


def _show(sha256: str) -> None:
    st.session_state["inspector_face"] = sha256
