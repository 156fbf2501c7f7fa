"""The photographs rejected on import, by reason."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.dataset.photograph import NO_FACE, UNREADABLE
from core.system.text import count
from dashboard.datasets.data import rejected_picture
from dashboard.ui.markdown import markup, shorten

PER_PAGE = 12

_WORDS = {
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
            format_func=lambda each: f"{_WORDS.get(each, each.replace('_', ' '))} ({codes[each]:,})",
        )
    shown = rows if code is None else rows[rows["code"] == code]
    pages = -(-len(shown) // PER_PAGE)
    page = st.pagination(pages, key=f"dataset_rejected_{code}_{pages}", max_visible_pages=5) if pages > 1 else 1
    st.html(rejects_html(shown.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]))


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
