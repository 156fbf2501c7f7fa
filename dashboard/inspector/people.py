"""The people among whom a face is searched: those of the gallery, or those of a data set once it is embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import streamlit as st

from core.evaluation.pictures import Picture
from core.system.text import count
from dashboard.inspector.data import dataset_reference, gallery_reference
from dashboard.shell.error_display import feedback
from dashboard.shell.readiness import readiness, say_who_is_not_found
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.markdown import plain

if TYPE_CHECKING:
    from core.inspection.reference import Reference
    from core.pipeline import Pipeline

AT_ONCE = 400
"""Up to this many images are embedded without asking, in a second or two."""

EMBEDDED_PER_S = 200


class People(Protocol):
    """People among whom a face is searched, for any pipeline."""

    def reference(self, pipeline: Pipeline) -> Reference | None:
        """Their embeddings by this pipeline; None where there are none yet."""

    def choose(self) -> None:
        """Show the choice between several groups of people, where there is one."""

    def offer(self, pipeline: Pipeline) -> None:
        """Show the next step where there are no embeddings yet."""


class GalleryPeople:
    """The people of the gallery."""

    def reference(self, pipeline: Pipeline) -> Reference | None:
        found = gallery_reference(pipeline)
        return found if found.size else None

    def choose(self) -> None:
        return None

    def offer(self, pipeline: Pipeline) -> None:
        say_who_is_not_found(readiness())


class DatasetPeople(GalleryPeople):
    """The people of a data set, or of the gallery where the visitor chooses it."""

    def __init__(self, pipeline: Pipeline, pictures: Sequence[Picture], label: str) -> None:
        self._pictures, self._label = pictures, label
        self._enrolled = gallery_reference(pipeline).size
        self._gallery = bool(self._enrolled) and st.session_state.get("inspector_among") == "gallery"

    def reference(self, pipeline: Pipeline) -> Reference | None:
        if self._gallery:
            return super().reference(pipeline)
        kept = dataset_reference(pipeline, self._pictures, self._label)
        if kept is None and len(self._pictures) <= AT_ONCE:
            return embed_pictures(pipeline, self._pictures, self._label)
        return kept

    def choose(self) -> None:
        if self._enrolled:
            enrolled = f"the gallery, {count(self._enrolled, 'person', 'people')}"
            words = {"set": f"everyone in {self._label}", "gallery": enrolled}
            st.selectbox(
                "Search among",
                list(words),
                key="inspector_among",
                format_func=words.__getitem__,
                label_visibility="collapsed",
                width=320,
            )

    def offer(self, pipeline: Pipeline) -> None:
        if self._gallery:
            super().offer(pipeline)
            return
        seconds = max(1, len(self._pictures) // EMBEDDED_PER_S)
        st.markdown(
            f"To find the people whom this face resembles, the {len(self._pictures):,} HR images of "
            f"{plain(self._label)} must be embedded once (about {seconds:,} s). Evaluations with these weights use the "
            "same embeddings."
        )
        if not allowed(Permission.RUN):
            not_yours("Embedding them")
            return
        key = f"inspector_embed_{pipeline.encoder.weights_sha256[:8]}_{pipeline.upscaler.id[:8]}"
        if st.button("Embed the images", icon=":material/groups:", key=key):
            with feedback() as attempt:
                embed_pictures(pipeline, self._pictures, self._label)
            if attempt.ok:
                st.rerun()


def embed_pictures(pipeline: Pipeline, pictures: Sequence[Picture], label: str) -> Reference | None:
    """Embed the pictures with a progress bar, and return their people."""
    with progress_bar("Embedding image") as on_progress:
        return dataset_reference(pipeline, pictures, label, on_progress)


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that disappears at the end; yields `on_progress(done, total)`."""
    bar = st.empty()

    def on_progress(done: int, total: int) -> None:
        bar.progress(done / total, f"{text} {done:,} of {total:,}")

    try:
        yield on_progress
    finally:
        bar.empty()
