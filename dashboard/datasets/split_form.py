"""The form that builds a split: the mode first, everything else folded away."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.dataset.library import checked_name, datasets_root, free_name
from core.dataset.split import DISJOINT_SHARES, MIN_IMAGES, TEST, TRAIN, VAL, VAL_SHARE
from core.errors import SettingsInvalid
from dashboard.runs.datasets import start_dataset_run
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import settings

MODES = {
    "closed-set": "The same people in train and val",
    "identity-disjoint": "Different people in train and val",
    "both": "Both, without a leak between them",
}

_CAPTIONS = [
    "Different images of them. Validation accuracy means something: for training a classification head.",
    "Measures how well strangers are told apart: for super-resolution and honest figures.",
    "Two data sets from one source: no image validated in one is trained on in the other.",
]

_LINKS = {"auto": "Hard links, copies where those can't be", "hard": "Hard links only", "copy": "Copies"}


def build_form(
    source: Path,
    columns: dict[str, list[str]],
    name: str,
    *,
    key: str,
    read: dict[str, object] | None = None,
    primary: bool = True,
) -> None:
    """Build from `source` (a scanned folder or a data set). `columns` are those one may filter by, with their values;
    `name` is what the new data set's begins with; `read` says how the source is read (layout, pattern, columns)."""
    root = datasets_root(settings())
    with st.form(f"dataset_build_{key}", border=False):
        mode = st.radio(
            "Who is in train and val",
            list(MODES),
            format_func=MODES.__getitem__,
            captions=_CAPTIONS,
            key=f"dataset_mode_{key}",
        )
        with st.expander("Options", icon=":material/tune:", key=f"dataset_options_{key}"):
            called = st.text_input(
                "Name",
                value="",
                placeholder=f"{name}, then who is in it",
                key=f"dataset_called_{key}",
                max_chars=80,
                help="Left empty, it is called after its source and mode.",
            )
            with st.container(horizontal=True):
                seed = st.number_input("Seed", 0, 2**31 - 1, 0, key=f"dataset_seed_{key}", width=120)
                least = st.number_input(
                    "Least images a person",
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
            by_session = st.checkbox("Hold out whole sessions where known", value=True, key=f"dataset_session_{key}")
            only = _only(columns, key)
            link = st.selectbox("Files", list(_LINKS), format_func=_LINKS.__getitem__, key=f"dataset_link_{key}")
            update = st.checkbox(
                "Add new images to an earlier build of that name; none of its images moves", key=f"dataset_update_{key}"
            )
        asked = st.form_submit_button("Build", type="primary" if primary else "secondary", icon=":material/call_split:")
    if not asked:
        return
    with feedback() as attempt:
        wanted = f"{name}-{mode}"
        chosen = checked_name(called or (wanted if update else free_name(root, wanted)))
        config = {
            **(read or {}),
            "source": str(source),
            "out": str(root / chosen),
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
        start_dataset_run("build", config)
    if attempt.ok:
        st.rerun()


def shares_of(val: int, test: int) -> dict[str, float]:
    """People's shares of an identity-disjoint split from percentages. Raises SettingsInvalid when nobody is left."""
    if not 0 < val + test < 100:
        raise SettingsInvalid(
            f"{val} % of the people for val and {test} % for test leave nobody on one side.",
            "Choose numbers between 1 and 99 together.",
        )
    return {TRAIN: round(1 - val / 100 - test / 100, 4), VAL: val / 100, TEST: test / 100}


def _only(columns: dict[str, list[str]], key: str) -> dict[str, str]:
    """A filter by columns: camera 051 alone is "frontal only"."""
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
