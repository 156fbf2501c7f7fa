"""The models section: the report on a file of weights, and tests of the causes of a very high similarity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.diagnostics.causes import Diagnosis, diagnosis_of
from core.diagnostics.source import diagnose_config
from core.errors import CoreError
from core.evaluation.intervals import wilson
from core.jobs.run_dir import Run
from core.models.active import active_models
from core.models.encoders import WeightsFile, scan
from core.models.upscalers import BICUBIC_UPSCALER, UpscalerFile, active_upscaler
from core.models.upscalers import scan as scan_upscalers
from dashboard.diagnostics.data import begin, choose_dataset, choose_split, latest_run, run_panel, source_for
from dashboard.diagnostics.weights_report import report_card
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link, step_button
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten

_CAUSE_WORDS = {True: ("found", "red"), False: ("not found", "green")}


def models_panel() -> None:
    """Show the models section."""
    used = active_models(settings())
    stored: list[WeightsFile | UpscalerFile] = [*scan(settings()), *scan_upscalers(settings()), BICUBIC_UPSCALER]
    mine = [each for each in (used.encoder, used.upscaler) if each is not None]
    files = [*mine, *(each for each in stored if each not in mine)]
    if used.encoder is None and len(files) <= 1:
        problem = used.encoder_problem
        with empty_state("memory", "No weights are stored", plain(problem.what) if problem else ""):
            step_button("home", "Get the weights on Home")
        return
    by_key = {_key(each): each for each in files}
    if st.session_state.get("diagnostics_model") not in by_key:
        st.session_state.pop("diagnostics_model", None)
    chosen = st.selectbox(
        "File",
        list(by_key),
        key="diagnostics_model",
        width=420,
        format_func=lambda each: _label(by_key[each], in_use=by_key[each] in mine),
    )
    with feedback():
        report_card(by_key[chosen])
    if used.encoder is not None:
        st.subheader("Can you trust a high similarity?", anchor=False)
        st.markdown(
            "A very high similarity between small and large faces can have three causes: **A** enlarging works that "
            "well, **B** the small and large images are the same, **C** the embeddings have collapsed. Each is "
            "tested on faces of a data set, with the weights and the upscaler in use."
        )
        with feedback():
            _causes(used.encoder)


def _key(file: WeightsFile | UpscalerFile) -> str:
    return f"{file.sha256} {file.path or ''}"


def _label(file: WeightsFile | UpscalerFile, *, in_use: bool) -> str:
    if isinstance(file, UpscalerFile):
        kind = "upscaler" if file.specialist is None else "specialist"
    else:
        kind = f"encoder, {file.origin}"
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
    config = diagnose_config(
        "check", source, weights_sha256=weights.sha256, upscaler_sha256=upscaler.sha256, manifest=dataset.key
    )
    run = latest_run(config)
    facts = _facts(run)
    busy = run_panel(config, "Testing the weights on faces", unit="steps") if facts is None else False
    if not allowed(Permission.RUN):
        not_yours("Testing them")
    elif not busy and st.button(
        "Test again" if facts else "Test the three causes",
        type="secondary" if facts else "primary",
        icon=":material/policy:",
        key="diagnostics_test",
    ):
        begin(config)
    if facts is not None:
        causes_card(facts)


def _facts(run: Run | None) -> Mapping[str, Any] | None:
    """The report of a finished check, or None."""
    if run is None:
        return None
    try:
        done = run.state().status == "done"
    except CoreError:
        return None
    report = run.report if done else None
    return report if report and report.get("diagnosis") and report.get("check") else None


def causes_card(report: Mapping[str, Any]) -> None:
    """Show the verdict, the three answers with their evidence, and the figures behind them."""
    try:
        found = diagnosis_of(report["diagnosis"])
    except (KeyError, TypeError, ValueError):
        st.info("The report of the last test can't be read. Test again.", icon=":material/refresh:")
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
        f"{plain(found.protocol)}. This sample serves to tell the causes apart; for figures to report use `evaluate`. "
        "Ranges are 95 % intervals over people. A face's own photograph is left out of the search."
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
    """The check's figures as text, one row per size, full size first; "" where there is no figure."""
    hr = check["hr"]
    rows = [
        {
            "size": "full size",
            "norm": f"{_figure(hr['norm'], 2)} ± {_figure(hr['norm_std'], 2)}",
            "rank": _figure(hr["effective_rank"], 0),
            "between": _figure(hr["mean_abs_cosine"]),
        }
    ]
    for one in check["sizes"]:
        first = ""
        if one["asked"]:
            low, high = one.get("right_interval") or wilson(
                one["right"], one["asked"]
            )  # older reports have no interval
            first = f"{one['right'] / one['asked'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}] of {one['asked']:,}"
        rows.append(
            {
                "size": f"{one['size_px']} px",
                "similarity": _figure(one["similarity"]),
                "p5": _figure(one["p5"]),
                "strangers": _figure(one["strangers"]),
                "first": first,
                "detail_db": _figure(one["detail_db"], 1),
                "norm": f"{_figure(one['norm'], 2)} ± {_figure(one['norm_std'], 2)}",
                "rank": _figure(one["effective_rank"], 0),
                "between": _figure(one["mean_abs_cosine"]),
            }
        )
    return pd.DataFrame(rows, columns=list(_COLUMNS)).fillna("")


def _figure(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _column(label: str, about: str = "") -> Any:
    return st.column_config.TextColumn(label, help=about or None, alignment="right")


_COLUMNS = {
    "size": st.column_config.TextColumn("Face"),
    "similarity": _column("To own HR", "Mean cosine of the small face to its own HR image."),
    "p5": _column("5th percentile", "Of the cosines to the face's own HR image."),
    "strangers": _column("To others' HR", "Mean cosine to the HR images of other people."),
    "first": _column("Right person first, %", "Among all of the sample's people, with the 95 % interval."),
    "detail_db": _column("VLR to HR, dB", "Enlarged by bicubic. From 40 dB on, both images are the same."),
    "norm": _column("Length", "Of the embedding before it is normalised: mean and standard deviation."),
    "rank": _column("Effective rank", "Number of directions in use, of 512."),
    "between": _column("Between people", "Mean absolute cosine of different people. Healthy up to 0.30."),
}
