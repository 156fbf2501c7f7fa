"""The models section: what is loaded, key by key, and whether a similarity that is too high is to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.diagnostics.causes import Diagnosis, diagnosis_of
from core.encoder.registry import WeightsFile, scan
from core.errors import CoreError
from core.in_use import in_use
from core.jobs.run_dir import Run
from core.sr.registry import BICUBIC_UPSCALER, UpscalerFile, active_upscaler
from core.sr.registry import scan as scan_upscalers
from dashboard.components import empty_state
from dashboard.diagnostics_data import begin, choose_dataset, choose_split, latest_run, run_panel, source_for
from dashboard.diagnostics_report import report_card
from dashboard.feedback import feedback
from dashboard.navigation import go, link
from dashboard.resources import settings
from dashboard.text import count, plain, shorten

_CAUSE_WORDS = {True: ("found", "red"), False: ("not found", "green")}


def models_panel() -> None:
    """The section."""
    used = in_use(settings())
    stored: list[WeightsFile | UpscalerFile] = [*scan(settings()), *scan_upscalers(settings()), BICUBIC_UPSCALER]
    mine = [each for each in (used.encoder, used.upscaler) if each is not None]
    files = [*mine, *(each for each in stored if each not in mine)]
    if used.encoder is None and len(files) <= 1:
        problem = used.encoder_problem
        with empty_state("memory", "No weights are here", plain(problem.what) if problem else ""):
            if st.button("Get the weights on Home", type="primary", icon=":material/arrow_forward:"):
                go("home")
        return
    by_key = {_key(each): each for each in files}
    if st.session_state.get("diagnostics_model") not in by_key:
        st.session_state.pop("diagnostics_model", None)
    chosen = st.selectbox(
        "File", list(by_key), key="diagnostics_model", width=420,
        format_func=lambda each: _label(by_key[each], in_use=by_key[each] in mine),
    )  # fmt: skip
    with feedback():
        report_card(by_key[chosen])
    if used.encoder is not None:
        st.subheader("Is a high similarity to be believed?", anchor=False)
        st.markdown(
            "Small faces whose embeddings come very near their large ones may mean three things: **A** enlarging is "
            "really that good, **B** small and large images are the same, **C** the embeddings have collapsed. Each "
            "is tested on faces of a data set, with the weights and the upscaler in use."
        )
        with feedback():
            _causes(used.encoder)


def _key(file: WeightsFile | UpscalerFile) -> str:
    return f"{file.sha256} {file.path or ''}"


def _label(file: WeightsFile | UpscalerFile, *, in_use: bool) -> str:
    kind = "upscaler" if isinstance(file, UpscalerFile) else f"encoder, {file.origin}"
    return f"{shorten(file.name, 40)} ({kind}{', in use' if in_use else ''})"


def _causes(weights: WeightsFile) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom")
    dataset = choose_dataset(row)
    if dataset is None:
        return
    with row:
        split = choose_split(dataset)
    source = source_for(dataset, split, (), weights)
    upscaler = active_upscaler(settings())
    config = source.config(
        task="check", weights_sha256=weights.sha256, upscaler_sha256=upscaler.sha256, manifest=dataset.key
    )
    run = latest_run(config)
    facts = _facts(run)
    busy = run_panel(config, "Trying the weights on faces", unit="steps") if facts is None else False
    if not busy and st.button(
        "Test again" if facts else "Test the three causes", type="secondary" if facts else "primary",
        icon=":material/policy:", key="diagnostics_test",
    ):  # fmt: skip
        begin(config)
    if facts is not None:
        causes_card(facts)


def _facts(run: Run | None) -> Mapping[str, Any] | None:
    """A finished check's report, or None."""
    if run is None:
        return None
    try:
        done = run.state().status == "done"
    except CoreError:
        return None
    report = run.report if done else None
    return report if report and report.get("diagnosis") and report.get("check") else None


def causes_card(report: Mapping[str, Any]) -> None:
    """The verdict, the three answers with their evidence, and the figures that they come from."""
    try:
        found = diagnosis_of(report["diagnosis"])
    except (KeyError, TypeError, ValueError):
        st.info("The last test's report can't be read: test again.", icon=":material/refresh:")
        return
    _verdict(found)
    for answer in found.answers:
        good = answer.cause == "A"
        word, colour = _CAUSE_WORDS[answer.found]
        with st.container(border=True, key=f"diagnostics_cause_{answer.cause}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{answer.cause}: {answer.question}**", width="content")
                st.badge(word, color="green" if good and answer.found else "gray" if good else colour)  # type: ignore[arg-type]
            st.markdown(plain(answer.text))
    st.dataframe(_table(report["check"]), hide_index=True, width="stretch", column_config=_COLUMNS)
    st.caption(
        f"{plain(found.protocol)}. A sample to tell causes apart; figures to report come from `evaluate`. Ranges are "
        "95 % Wilson intervals; a face's own photograph is left out of the search."
    )
    link("help", "What the three causes mean", icon=":material/help:", topic="similarity")


def _verdict(found: Diagnosis) -> None:
    text = plain(found.text)
    if not found.ok:
        st.error(text, icon=":material/dangerous:")
    elif found.alarm is not None:
        st.info(text, icon=":material/info:")
    else:
        st.success(text, icon=":material/verified:")


def _table(check: Mapping[str, Any]) -> pd.DataFrame:
    """The check's figures, a row a size, full size first."""
    hr = check["hr"]
    rows: list[dict[str, Any]] = [
        {"size": "full size", "norm": hr["norm"], "norm_std": hr["norm_std"], "rank": hr["effective_rank"],
         "between": hr["mean_abs_cosine"]}
    ]  # fmt: skip
    for one in check["sizes"]:
        rows.append(
            {
                "size": f"{one['size_px']} px", "similarity": one["similarity"], "p5": one["p5"],
                "strangers": one["strangers"], "detail_db": one["detail_db"],
                "first": one["right"] / one["asked"] * 100 if one["asked"] else None,
                "of": count(one["asked"], "face"), "norm": one["norm"], "norm_std": one["norm_std"],
                "rank": one["effective_rank"], "between": one["mean_abs_cosine"],
            }
        )  # fmt: skip
    order = ["size", "similarity", "p5", "strangers", "first", "of", "detail_db", "norm", "norm_std", "rank", "between"]
    return pd.DataFrame(rows, columns=order)


_number = st.column_config.NumberColumn
_COLUMNS = {
    "size": "Face",
    "similarity": _number("To own HR", format="%.3f", help="Mean cosine of the small face with its own large one."),
    "p5": _number("5th percentile", format="%.3f"),
    "strangers": _number("To others' HR", format="%.3f", help="Mean cosine with somebody else's large face."),
    "first": _number("Right first, %", format="%.1f", help="The right person first among all of the sample's."),
    "of": "of",
    "detail_db": _number("VLR to HR, dB", format="%.1f", help="Enlarged by bicubic; from 40 dB on they are the same."),
    "norm": _number("Length", format="%.2f", help="Of the embedding before it is normalised, the mean."),
    "norm_std": _number("± std", format="%.2f"),
    "rank": _number("Effective rank", format="%.0f", help="How many directions are really used, of 512."),
    "between": _number("Between people", format="%.3f", help="Mean absolute cosine of different people; up to 0.30."),
}
