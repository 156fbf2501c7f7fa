"""The choice of a training's data set, with the result of its check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.dataset.check_cache import stored_verdict
from core.dataset.library import Listed
from core.dataset.manifest import DatasetInfo
from core.dataset.run_config import CheckConfig
from core.system.text import count
from dashboard.runs.datasets import check_running, start_dataset_run
from dashboard.runs.form import SYNTHETIC_HINT
from dashboard.shell.datasets import open_dataset
from dashboard.shell.error_display import feedback, show_error
from dashboard.shell.navigation import go
from dashboard.shell.resources import settings
from dashboard.ui.markdown import plain, shorten


@dataclass(frozen=True)
class ChosenSet:
    """`fit`: a run may start on it; `forced`: the user wants to train although the check found errors."""

    root: Path
    info: DatasetInfo | None
    fit: bool
    forced: bool = False


def choose_dataset(sets: list[Listed]) -> ChosenSet:
    """The select box, data sets with a split first, and below it the result of the check."""
    order = sorted(sets, key=lambda each: (not images_in(each.info)[0], each.name))
    by_name = {each.name: each for each in order}
    if st.session_state.get("training_dataset") not in by_name:
        st.session_state["training_dataset"] = order[0].name
    name = st.selectbox("Data set", list(by_name), key="training_dataset", format_func=lambda n: _label(by_name[n]))
    listed = by_name[str(name)]
    if listed.info is None:
        if listed.problem is not None:
            show_error(listed.problem)
        return ChosenSet(listed.root, None, fit=False)
    if not images_in(listed.info)[0]:
        st.warning("This data set isn't split into train and val yet.", icon=":material/call_split:")
        _to_datasets(listed.name, "Build a split")
        return ChosenSet(listed.root, listed.info, fit=False)
    forced = fit = False
    with feedback() as attempt:
        fit, forced = _verdict(listed)
    return ChosenSet(listed.root, listed.info, fit=attempt.ok and fit, forced=forced)


def _verdict(listed: Listed) -> tuple[bool, bool]:
    """Show the result of the check; returns whether a run may start, and whether it was forced."""
    dataset = open_dataset(listed.root)
    kept = stored_verdict(settings(), dataset)
    if dataset.info.synthetic:
        st.caption(SYNTHETIC_HINT)
    if kept is None:
        if check_running(listed.root):
            st.info(
                "The check of this data set is running. Training can start anyway.",
                icon=":material/policy:",
            )
        else:
            st.warning(
                "Not checked yet. Check this data set before you train on it.", icon=":material/unknown_document:"
            )
            if st.button("Check data set", icon=":material/policy:", key="training_check", type="tertiary"):
                with feedback() as attempt:
                    start_dataset_run(CheckConfig(root=listed.root))
                if attempt.ok:
                    st.rerun()
        return True, False
    if kept.verdict.ok:
        found = "no problems found" if kept.verdict.clean else plain(shorten(kept.verdict.text, 160))
        icon, colour = ("verified", "green") if kept.verdict.clean else ("warning", "orange")
        st.caption(f":{colour}[:material/{icon}: Checked: {found}.]")
        return True, False
    st.error(
        f"**Don't train on this data set: its figures would be misleading.** {plain(kept.verdict.text)}",
        icon=":material/dangerous:",
    )
    _to_datasets(listed.name, "Open data set")
    forced = st.checkbox("Train anyway", key="training_force", help="The figures of the training can't be trusted.")
    return forced, forced


def images_in(info: DatasetInfo | None) -> tuple[int, int]:
    """The number of pairs in train and in val."""
    splits = info.counts.get("splits", {}) if info is not None else {}
    return tuple(int(splits.get(side, {}).get("hr", 0)) for side in ("train", "val"))  # type: ignore[return-value]


def _label(listed: Listed) -> str:
    if listed.info is None:
        return f"{shorten(listed.name, 40)} (can't be read)"
    train, _ = images_in(listed.info)
    people = count(int(listed.info.counts.get("identities", 0)), "person", "people")
    return f"{shorten(listed.name, 40)} ({listed.info.mode}, {people}{f', {train:,} to train' if train else ''})"


def _to_datasets(name: str, label: str) -> None:
    if st.button(label, icon=":material/arrow_forward:", key="training_to_datasets", type="tertiary"):
        st.session_state["dataset_next"] = name
        go("dataset")
