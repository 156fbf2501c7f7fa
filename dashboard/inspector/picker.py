"""A face out of a data set: which set, whose, in which order; the next one and the one before by a key."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.dataset.library import Listed, datasets_root, list_datasets
from core.dataset.manifest import Dataset
from core.evaluation.pictures import Picture
from core.inspection.survey import NEED_DSR, ORDERS, ordered, spread
from core.system.text import count
from dashboard.inspector.contact_sheet import SORT_KEPT, many_view, sorted_as_asked
from dashboard.inspector.data import dataset_reference, gallery_reference, pictures_in, survey_of
from dashboard.inspector.face import face_view
from dashboard.inspector.lab import lab
from dashboard.shell.datasets import SYNTHETIC, open_dataset
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go
from dashboard.shell.readiness import readiness, say_who_is_not_found
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten

if TYPE_CHECKING:
    from core.inspection.reference import Reference
    from core.inspection.subject import Reduction
    from core.pipeline import Pipeline

AT_ONCE = 400
"""So many images are embedded without being asked for: a second or two."""

_AMONG = {200: "200 faces", 1000: "1,000 faces", 0: "all faces"}
_FACES_A_SECOND = 25  # enlarged twice, measured and embedded three times, on two cores
_EMBEDDED_A_SECOND = 200
_LARGE = 1000


def set_view(pipeline: Pipeline) -> None:
    """The data set's part of the page."""
    sets = [each for each in list_datasets(datasets_root(settings())) if each.info is not None]
    if not sets:
        text = "A data set holds each face large and small. Drawn people are ready in under a minute; or upload a face."
        with empty_state("dataset", "No data set yet", text):
            if st.button(
                "Make one on Data sets", type="primary", icon=":material/arrow_forward:", key="inspector_make"
            ):
                go("dataset")
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
        st.caption(f"{SYNTHETIC}: figures on them say that things work, not how well.")
    stored = sorted(set.intersection(*(set(picture.vlr) for picture in pictures[:50]))) if pictures else []
    reduction = lab([px for px in stored if 8 <= px <= 64])
    label = f"{dataset.info.name}{f' {split}' if split else ''}"
    mine = [picture for picture in pictures if picture.identity == who] if who else pictures
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
    if st.session_state.setdefault("inspector_asked", asked) != asked:  # another list begins with its first face
        st.session_state["inspector_asked"] = asked
        for key in ("inspector_face", SORT_KEPT, "inspector_sort"):
            st.session_state.pop(key, None)
    table = None
    if order != "listed" or many or SORT_KEPT in st.session_state:
        table = _surveyed(pipeline, mine, pictures, label, reduction, order, _command(listed.name, split, reduction))
        if table is None:
            return
        table = sorted_as_asked(table, row if many else None)
    if many and table is not None:
        many_view(pipeline, mine, table, reduction, ORDERS[order], label)
    else:
        _one(pipeline, _in_order(mine, table), reduction, _Whom(pipeline, pictures, label), row)


def _listed(sets: Sequence[Listed], column: DeltaGenerator) -> Listed:
    names = {each.name: each for each in sets}
    wanted = st.session_state.get("inspector_set")
    if wanted not in names:
        st.session_state.pop("inspector_set", None)
    with column:
        name = st.selectbox("Data set", list(names), key="inspector_set", format_func=lambda each: shorten(each, 60))
    return names[str(name)]


def _filters(dataset: Dataset, name: str, columns: Sequence[DeltaGenerator]) -> tuple[str | None, str, str]:
    """The split (None: everything), the person ("": everybody) and the order."""
    splits = dataset.info.counts.get("splits", {})
    there = [side for side in ("test", "val", "train") if splits.get(side, {}).get("hr")]
    first, second, third = columns
    with first:
        split = st.selectbox(
            "Split", [*there, ""], key=f"inspector_split_{name}", format_func=lambda side: side or "everything"
        )
    with second:
        names = sorted({picture.identity for picture in pictures_in(dataset, split or None)})
        who = st.selectbox(
            "Person",
            names,
            index=None,
            placeholder="Everybody",
            key=f"inspector_person_{name}_{split}",
            format_func=lambda each: shorten(str(each), 60),
        )
    with third:
        order = st.selectbox("Which first", list(ORDERS), key="inspector_order", format_func=lambda each: ORDERS[each])
    return split or None, str(who or ""), str(order)


class _Whom:
    """Among whom a face is searched, for any pipeline: the gallery, or the data set once its images are embedded."""

    def __init__(self, pipeline: Pipeline, pictures: Sequence[Picture], label: str) -> None:
        self._pictures, self._label = pictures, label
        self._enrolled = gallery_reference(pipeline).size
        self._gallery = bool(self._enrolled) and st.session_state.get("inspector_among") == "gallery"

    def reference(self, pipeline: Pipeline) -> Reference | None:
        """The people, or None where nobody is enrolled or embedded yet."""
        if self._gallery:
            found = gallery_reference(pipeline)
            return found if found.size else None
        kept = dataset_reference(pipeline, self._pictures, self._label)
        if kept is None and len(self._pictures) <= AT_ONCE:
            return _embedded(pipeline, self._pictures, self._label)
        return kept

    def choose(self) -> None:
        """The choice between the two, where somebody is enrolled."""
        if self._enrolled:
            enrolled = f"the gallery, {count(self._enrolled, 'person', 'people')}"
            words = {"set": f"everybody in {self._label}", "gallery": enrolled}
            st.selectbox(
                "Search among",
                list(words),
                key="inspector_among",
                format_func=lambda each: words[each],
                label_visibility="collapsed",
                width=320,
            )

    def offer(self, pipeline: Pipeline) -> None:
        """A button that embeds the data set's HR images; once done, they stay embedded for these weights."""
        if self._gallery:
            say_who_is_not_found(readiness())
            return
        seconds = max(1, len(self._pictures) // _EMBEDDED_A_SECOND)
        st.markdown(
            f"To see whom this face resembles, the {len(self._pictures):,} HR images of {plain(self._label)} are "
            f"embedded once (about {seconds:,} s); evaluations with these weights share them."
        )
        if not allowed(Permission.RUN):
            not_yours("Embedding them")
            return
        key = f"inspector_embed_{pipeline.encoder.weights_sha256[:8]}_{pipeline.upscaler.id[:8]}"
        if st.button("Embed them", icon=":material/groups:", key=key):
            with feedback() as attempt:
                _embedded(pipeline, self._pictures, self._label)
            if attempt.ok:
                st.rerun()


def _embedded(pipeline: Pipeline, pictures: Sequence[Picture], label: str) -> Reference | None:
    with _progress("Embedding image") as on_progress:
        return dataset_reference(pipeline, pictures, label, on_progress)


@contextmanager
def _progress(words: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while something is at work."""
    bar = st.empty()

    def on_progress(done: int, total: int) -> None:
        bar.progress(done / total, f"{words} {done:,} of {total:,}")

    try:
        yield on_progress
    finally:
        bar.empty()


def _surveyed(
    pipeline: Pipeline,
    mine: Sequence[Picture],
    pictures: Sequence[Picture],
    label: str,
    reduction: Reduction,
    order: str,
    command: str,
) -> pd.DataFrame | None:
    """The figures of many faces; where they aren't known yet, what it takes to measure them, and None."""
    if order in NEED_DSR and pipeline.upscaler.interpolates:
        st.info(
            "Gain and loss compare bicubic with a super-resolution network, and none is in use. Train one, or choose "
            "one on Home.",
            icon=":material/compare:",
        )
        return None
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with row:
        most = _among(len(mine))
    chosen = spread(mine, most or None)
    reference = dataset_reference(pipeline, pictures, label)
    table = survey_of(pipeline, chosen, reduction, reference) if reference is not None else None
    if table is None:
        seconds = max(
            2, len(chosen) // _FACES_A_SECOND + (len(pictures) // _EMBEDDED_A_SECOND if reference is None else 0)
        )
        st.markdown(
            f"This needs the figures of {len(chosen):,} faces at {reduction.size_px} px. They are measured once (about "
            f"{seconds:,} s here) and kept; when you leave, what is done stays done."
        )
        if len(chosen) > _LARGE and not reduction.params:
            st.caption("So many are better measured by a command, which needs no open page:")
            st.code(command, language=None, wrap_lines=True)
        if not allowed(Permission.RUN):
            not_yours("Measuring them")
            return None
        if not st.button("Measure them", type="primary", icon=":material/speed:", key="inspector_measure"):
            return None
        reference = reference or _embedded(pipeline, pictures, label)
        if reference is None:
            return None
        with _progress("Measuring face") as on_progress:
            survey_of(pipeline, chosen, reduction, reference, on_progress)
        st.rerun()
    rows = ordered(table, order)
    row.caption(
        f"{count(len(rows), 'face')} of {len(table):,} measured ({len(mine):,} fit), {reduction.size_px} px by "
        f"{reduction.degradation}, searched among {plain(reference.label if reference else '')}.",
        width="stretch",
    )
    if rows.empty:
        st.success("Not one of them is wrongly identified.", icon=":material/check_circle:")
        return None
    return rows


def _command(name: str, split: str | None, reduction: Reduction) -> str:
    """The command that measures every face of a set and keeps the same figures."""
    which = f"--dataset {shlex.quote(name)}{f' --split {split}' if split else ''}"
    seed = f" --seed {reduction.seed}" if reduction.degradation == "camera" else ""
    return f"edgeface-studio inspect {which} --size {reduction.size_px} --degradation {reduction.degradation}{seed}"


def _among(available: int) -> int:
    options = [most for most in _AMONG if most == 0 or most < available]
    if len(options) < 2:
        return 0
    return st.segmented_control(
        "Among",
        options,
        default=options[0],
        required=True,
        key=f"inspector_most_{len(options)}",
        format_func=lambda most: _AMONG[most],
        label_visibility="collapsed",
    )


def _in_order(mine: Sequence[Picture], table: pd.DataFrame | None) -> list[Picture]:
    if table is None:
        return list(mine)
    by_hash = {picture.sha256: picture for picture in mine}
    return [by_hash[sha256] for sha256 in table["sha256"]]


def _one(
    pipeline: Pipeline, faces: Sequence[Picture], reduction: Reduction, people: _Whom, row: DeltaGenerator
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
    """The buttons that go back and on, with their keys, and where one stands."""
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
