"""The images of a data set: faces in pages, degradations of one face, and the photographs rejected on import."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.dataset.degrade import METHODS, degrade
from core.dataset.manifest import Dataset
from core.dataset.photograph import NO_FACE, UNREADABLE
from core.images import RGB, encode_image, read_image, resize
from core.settings import CROP_PX, VLR_SIZES_PX
from core.system.text import count
from dashboard.datasets.data import choices, pair_table, rejected_picture, vlr_sizes
from dashboard.shell.datasets import SYNTHETIC
from dashboard.shell.error_display import feedback
from dashboard.ui.markdown import markup, shorten
from dashboard.ui.pictures import image_address, picture_of_file

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
    with st.container(horizontal=True, vertical_alignment="top"):
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
    """HR, uint8 (s, s, 3), next to both degradations at every VLR size; and the camera's parameters (equal for all)."""
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


REJECTED_PER_PAGE = 12

_REASONS = {
    NO_FACE: "no face found",
    UNREADABLE: "can't be read",
}


def rejected_panel(rows: pd.DataFrame) -> None:
    """Show the rejected photographs: the rows of core.dataset.rejects.read_rejects, at least one."""
    codes = rows["code"].value_counts()
    st.markdown(f"{count(len(rows), 'photograph')} couldn't be used, listed in `rejected.csv`.")
    code = None
    if len(codes) > 1:
        code = st.segmented_control(
            "Reason",
            list(codes.index),
            key="dataset_reason",
            format_func=lambda each: f"{_REASONS.get(each, each.replace('_', ' '))} ({codes[each]:,})",
        )
    shown = rows if code is None else rows[rows["code"] == code]
    pages = -(-len(shown) // REJECTED_PER_PAGE)
    page = st.pagination(pages, key=f"dataset_rejected_{code}_{pages}", max_visible_pages=5) if pages > 1 else 1
    st.html(rejects_html(shown.iloc[(page - 1) * REJECTED_PER_PAGE : page * REJECTED_PER_PAGE]))


def rejects_html(rows: pd.DataFrame) -> str:
    """Rejected photographs as cards; file names and reasons are escaped."""
    cards: list[str] = []
    for row in rows.to_dict("records"):
        address = rejected_picture(str(row["file"]))
        image = (
            f"<img src='{address}' alt='Rejected photograph'>"
            if address
            else "<div class='ef-noface'>can't be shown</div>"
        )
        where = markup(shorten(str(row["identity"]), 40))
        name = markup(shorten(Path(str(row["source"])).name, 40))
        cards.append(
            f"<figure title='{markup(row['source'])}'>{image}<figcaption>{markup(row['reason'])}"
            f"<div class='ef-quiet'>{where}, {name}</div></figcaption></figure>"
        )
    return f"<div class='ef-rejects'>{''.join(cards)}</div>"
