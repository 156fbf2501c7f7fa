"""Many faces at once: a contact sheet whose faces open on a click, with downloads as PNG and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.csv_export import csv_bytes
from core.evaluation.pictures import Picture
from core.images import encode_image
from core.inspection.contact import MOST_FACES, Tile, contact_png, figures_line
from core.inspection.survey import FIGURES, figures_of, sorted_by
from core.inspection.values import INVENTED
from core.sr.upscale import BICUBIC
from core.system.text import count
from dashboard.inspector.data import tiles_of
from dashboard.shell.downloads import offer_download
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import image_address

if TYPE_CHECKING:
    from core.inspection.subject import Reduction
    from core.pipeline import Pipeline

SORT_KEPT = "inspector_sort_kept"

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "edgeface_inspector_many",
    html="<div class='ef-sheet'></div>",
    css=(_HERE / "contact_sheet.css").read_text(encoding="utf-8"),
    js=(_HERE / "contact_sheet.js").read_text(encoding="utf-8"),
)


def sorted_as_asked(rows: pd.DataFrame, place: DeltaGenerator | None) -> pd.DataFrame:
    """The rows sorted by the selected figure; `place` shows the selection.

    Viewing one face after the other uses the same order, so the selection is kept apart from its widgets, whose state
    is dropped while they aren't shown.
    """
    kept: tuple[str, bool] | None = st.session_state.get(SORT_KEPT)
    if place is not None:
        columns = figures_of(rows)
        st.session_state.setdefault("inspector_sort", kept[0] if kept and kept[0] in columns else None)
        st.session_state.setdefault("inspector_sort_down", bool(kept and kept[1]))
        with place:
            column = st.selectbox(
                "Sort by",
                columns,
                index=None,
                placeholder="Sort by a figure",
                key="inspector_sort",
                width=300,
                format_func=lambda each: FIGURES[each],
                label_visibility="collapsed",
            )
            down = st.toggle("Largest first", key="inspector_sort_down", disabled=column is None)
        kept = (str(column), down) if column is not None else None
        if kept is None:
            st.session_state.pop(SORT_KEPT, None)
        else:
            st.session_state[SORT_KEPT] = kept
    return rows if kept is None else sorted_by(rows, kept[0], largest_first=kept[1])


def many_view(
    pipeline: Pipeline, pictures: Sequence[Picture], rows: pd.DataFrame, reduction: Reduction, order: str, label: str
) -> None:
    """The sheet of the first 200 rows of a survey; `order` describes their order."""
    shown = rows.head(MOST_FACES)
    by_hash = {picture.sha256: picture for picture in pictures}
    tiles = tiles_of(pipeline, [by_hash[sha256] for sha256 in shown["sha256"]], reduction)
    name = pipeline.upscaler.name
    invented = not pipeline.upscaler.interpolates
    middle = f"{plain(name)} ({INVENTED})" if invented else f"{BICUBIC}, which adds no detail"
    network = "DSR" if invented else plain(name)
    compared = f", bicubic → {network}" if pipeline.upscaler.id != BICUBIC else ""
    st.markdown(f"Each face: VLR, {middle}, HR. Below: cosine to HR{compared}. Click to open.")
    _component(key="inspector_contact", data={"faces": contact_data(tiles, shown, name)}, on_chosen_change=_open_chosen)
    protocol = (
        f"{len(shown)} of {count(len(rows), 'face')} of {label}, {reduction.size_px} px by {reduction.degradation}; "
        f"encoder {pipeline.encoder.info.path.stem}, upscaler {name}"
    )
    kept: tuple[str, bool] | None = st.session_state.get(SORT_KEPT)
    title = order if kept is None else f"{FIGURES[kept[0]]}, {'largest' if kept[1] else 'smallest'} first"
    with st.container(horizontal=True):
        offer_download(
            "Contact sheet as PNG",
            lambda: contact_png(tiles, shown, title, protocol),
            "contact-sheet.png",
            "image/png",
            key="inspector_contact_png",
        )
        offer_download(
            "All figures as CSV",
            lambda: csv_bytes(rows),
            "inspected.csv",
            "text/csv",
            icon=":material/table:",
            key="inspector_csv",
            what="inspected figures",
        )


def contact_data(tiles: Sequence[Tile], rows: pd.DataFrame, upscaler: str) -> list[dict[str, Any]]:
    """The component's data, one entry per face. Every invented picture is labelled as such."""
    faces = []
    for tile, (_, row) in zip(tiles, rows.iterrows(), strict=True):
        faces.append(
            {
                "id": str(row["sha256"]),
                "name": shorten(str(row["identity"]), 40),
                "line": figures_line(row),
                "label": f"{upscaler} ({INVENTED})" if tile.invented else BICUBIC,
                "vlr": image_address(encode_image(tile.vlr, "png")),
                "made": image_address(encode_image(tile.enlarged, quality=82)),
                "hr": image_address(encode_image(tile.hr, quality=82)),
            }
        )
    return faces


def open_face(sha256: str) -> None:
    """Show one face of the sheet."""
    st.session_state["inspector_face"] = sha256
    st.session_state["inspector_show"] = "One face"


def _open_chosen() -> None:
    state = st.session_state.get("inspector_contact")
    chosen = state.get("chosen") if state is not None else None
    if chosen:
        open_face(str(chosen))
