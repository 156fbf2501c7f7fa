"""The form that builds a split: the mode, with all other options in an expander."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.dataset.library import checked_name, datasets_root, free_name
from core.dataset.run_config import DISJOINT_SHARES, MIN_IMAGES, VAL_SHARE, BuildConfig, configured
from core.dataset.split import TEST, TRAIN, VAL
from core.errors import SettingsInvalid
from dashboard.runs.datasets import start_dataset_run
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import settings

MODES = {
    "closed-set": "The same people in train and val",
    "identity-disjoint": "Different people in train and val",
    "both": "Both, without leaks between them",
}

_CAPTIONS = [
    "Different images of each person. For training a classification head, whose validation accuracy needs known "
    "people.",
    "Measures how well unseen people are distinguished. For super-resolution and unbiased figures.",
    "Two data sets from one source. No validation image of one is a training image of the other.",
]

_LINKS = {"auto": "Hard links, or copies where links aren't possible", "hard": "Hard links only", "copy": "Copies"}


def build_form(
    source: Path,
    columns: dict[str, list[str]],
    name: str,
    *,
    key: str,
    read: dict[str, object] | None = None,
    primary: bool = True,
) -> None:
    """Show the form that builds from `source` (a scanned folder or a data set).

    `columns` can be filtered by, with their values; `name` is the prefix of the new data set's name; `read` holds the
    options for reading the source (layout, pattern, columns).
    """
    root = datasets_root(settings())
    with st.form(f"dataset_build_{key}", border=False):
        mode = st.radio(
            "People in train and val",
            list(MODES),
            format_func=MODES.__getitem__,
            captions=_CAPTIONS,
            key=f"dataset_mode_{key}",
        )
        with st.expander("Options", icon=":material/tune:", key=f"dataset_options_{key}"):
            called = st.text_input(
                "Name",
                value="",
                placeholder=f"{name}, followed by the mode",
                key=f"dataset_called_{key}",
                max_chars=80,
                help="If empty, the name is made from the source and the mode.",
            )
            with st.container(horizontal=True):
                seed = st.number_input("Seed", 0, 2**31 - 1, 0, key=f"dataset_seed_{key}", width=120)
                least = st.number_input(
                    "Minimum images per person",
                    2,
                    1000,
                    MIN_IMAGES,
                    key=f"dataset_least_{key}",
                    width=180,
                    help="People with fewer are left out of a closed set.",
                )
            with st.container(horizontal=True):
                share = st.number_input(
                    "Images for val (%)",
                    1,
                    90,
                    round(100 * VAL_SHARE),
                    key=f"dataset_share_{key}",
                    width=180,
                    help="Of each person's images, in a closed set.",
                )
                val, test = (
                    st.number_input(
                        f"People for {side} (%)",
                        0,
                        80,
                        round(100 * DISJOINT_SHARES[side]),
                        width=180,
                        key=f"dataset_people_{side}_{key}",
                        help="Of all people, in an identity-disjoint set.",
                    )
                    for side in (VAL, TEST)
                )
            by_session = st.checkbox(
                "Hold out whole sessions where they are known", value=True, key=f"dataset_session_{key}"
            )
            only = _only(columns, key)
            link = st.selectbox("Files", list(_LINKS), format_func=_LINKS.__getitem__, key=f"dataset_link_{key}")
            update = st.checkbox(
                "Add new images to an earlier build of this name, without moving any of its images",
                key=f"dataset_update_{key}",
            )
        asked = st.form_submit_button(
            "Build the split", type="primary" if primary else "secondary", icon=":material/call_split:"
        )
    if not asked:
        return
    with feedback() as attempt:
        wanted = f"{name}-{mode}"
        chosen = checked_name(called or (wanted if update else free_name(root, wanted)))
        config = {
            **(read or {}),
            "source": source,
            "out": root / chosen,
            "mode": mode,
            "seed": int(seed),
            "val_share": share / 100,
            "min_images": int(least),
            "by_session": by_session,
            "only": only or None,
            "link": link,
            "update": update,
            "shares": None if mode == "closed-set" else shares_of(val, test),
        }
        start_dataset_run(configured(BuildConfig, config))
    if attempt.ok:
        st.rerun()


def shares_of(val: int, test: int) -> dict[str, float]:
    """Shares of people in an identity-disjoint split, from percentages. Raises SettingsInvalid where one is empty."""
    if not 0 < val + test < 100:
        raise SettingsInvalid(
            f"{val} % of the people for val and {test} % for test leave one side empty.",
            "Choose percentages that add up to between 1 and 99.",
        )
    return {TRAIN: round(1 - val / 100 - test / 100, 4), VAL: val / 100, TEST: test / 100}


def _only(columns: dict[str, list[str]], key: str) -> dict[str, str]:
    """A filter by columns, such as camera 051 for frontal images only."""
    chosen: dict[str, str] = {}
    if columns:
        with st.container(horizontal=True):
            for column, values in columns.items():
                value = st.selectbox(
                    f"Only {column.replace('_', ' ')}",
                    values,
                    index=None,
                    placeholder="any",
                    width=150,
                    key=f"dataset_build_{key}_{column}",
                )
                if value is not None:
                    chosen[column] = value
    return chosen
