"""The faces of a data set in pages: VLR, enlarged by bicubic, and HR in one row; filtered by person and split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.dataset.manifest import Dataset
from core.settings import CROP_PX
from core.system.text import count
from dashboard.datasets.data import choices, pair_table, vlr_sizes
from dashboard.shell.datasets import SYNTHETIC
from dashboard.ui.markdown import markup, shorten
from dashboard.ui.pictures import picture_of_file

PER_PAGE = 24


def faces_panel(dataset: Dataset) -> None:
    """Show the grid with its filters."""
    table, sizes = pair_table(dataset), vlr_sizes(dataset)
    if table.empty:
        st.info("The data set lists no HR images, so there is nothing to show.", icon=":material/hide_image:")
        return
    chosen, size = _filters(table, sizes)
    rows = filtered(table, chosen)
    of = "" if len(rows) == len(table) else f" of {len(table):,}"
    synthetic = f" {SYNTHETIC}." if dataset.info.synthetic else ""
    people = count(int(rows["identity"].nunique()), "person", "people")
    st.caption(f"{len(rows):,}{of} {'image' if len(rows) == 1 else 'images'} of {people}.{synthetic}")
    if rows.empty:
        st.info("No images match these filters.", icon=":material/search_off:")
        return
    pages = -(-len(rows) // PER_PAGE)
    page = 1
    if pages > 1:
        page = st.pagination(pages, key=f"dataset_page_{pages}_{sorted(chosen.items())}", max_visible_pages=5)
    part = rows.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    st.html(triples_html(dataset, part, size))


def filtered(table: pd.DataFrame, chosen: Mapping[str, str]) -> pd.DataFrame:
    """The rows whose columns have the selected values."""
    keep = pd.Series(True, index=table.index)
    for column, value in chosen.items():
        keep &= table[column] == value
    return table[keep]


def triples_html(dataset: Dataset, rows: pd.DataFrame, size_px: int | None) -> str:
    """The rows of a pair table as a grid. Names are escaped; unreadable images are marked."""
    return f"<div class='ef-triples'>{''.join(_triple(dataset, row, size_px) for row in rows.to_dict('records'))}</div>"


def _filters(table: pd.DataFrame, sizes: list[int]) -> tuple[dict[str, str], int | None]:
    """The selected values by column, and the VLR size to show."""
    chosen: dict[str, str] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        identity = st.selectbox(
            "Person",
            sorted(table["identity"].unique()),
            index=None,
            placeholder="Everyone",
            key="dataset_person",
            width=240,
            format_func=lambda name: shorten(str(name), 60),
        )
        sides = [side for side in ("train", "val", "test", "") if (table["split"] == side).any()]
        side = None
        if len(sides) > 1:
            side = st.segmented_control("Split", sides, key="dataset_split", format_func=lambda each: each or "none")
        size = _size(sizes)
        for column, values in choices(table).items():
            value = st.selectbox(
                column.replace("_", " ").capitalize(),
                values,
                index=None,
                placeholder="any",
                key=f"dataset_only_{column}",
                width=130,
            )
            if value is not None:
                chosen[column] = value
    if identity is not None:
        chosen["identity"] = identity
    if side is not None:
        chosen["split"] = side
    return chosen, size


def _size(sizes: list[int]) -> int | None:
    if len(sizes) < 2:
        return sizes[0] if sizes else None
    return st.segmented_control(
        "VLR size", sizes, default=sizes[0], required=True, key="dataset_size", format_func=lambda px: f"{px} px"
    )


def _triple(dataset: Dataset, row: Mapping[Any, Any], size_px: int | None) -> str:
    small = str(row.get(f"vlr_{size_px}") or "") if size_px is not None else ""
    cells = [
        _cell(
            picture_of_file(dataset.file(small)) if small else None,
            f"VLR {size_px} px" if size_px else "VLR",
            pixels=True,
        ),
        _cell(picture_of_file(dataset.file(small), CROP_PX) if small else None, "bicubic"),
        _cell(picture_of_file(dataset.file(str(row["hr"]))), "HR"),
    ]
    facts = [str(row["split"] or ""), *(f"{name} {row[name]}" for name in ("session", "camera") if row.get(name))]
    quiet = " · ".join(markup(each) for each in facts if each)
    name = markup(shorten(str(row["identity"]), 60))
    below = f" <span class='ef-quiet'>{quiet}</span>" if quiet else ""
    title = f"<figcaption>{name}{below}</figcaption>"
    return f"<figure title='{markup(row['pair'])}'><div>{''.join(cells)}</div>{title}</figure>"


def _cell(address: str | None, label: str, *, pixels: bool = False) -> str:
    if address is None:
        return f"<span><span class='ef-noface'>none</span><small>{markup(label)}</small></span>"
    kind = " class='ef-pixels'" if pixels else ""
    return f"<span><img{kind} src='{address}' alt='{markup(label)}'><small>{markup(label)}</small></span>"
