"""What can be done with a run beyond stop and resume: half the batch where memory ran out, use of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import streamlit as st

from core.errors import CoreError
from core.jobs.launch import resume
from core.jobs.reader import Snapshot
from core.models import encoders, upscalers
from core.training.batch_split import halve_batch
from dashboard.runs.reembed import reembed_offer
from dashboard.shell.error_display import feedback
from dashboard.shell.readiness import readiness
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.training.data import Seen, best_figures, look
from dashboard.training.labels import FIGURES, figure_text
from dashboard.ui.markdown import plain

_PARTS = {"encoder": "the encoder", "upscaler": "the super-resolution network"}
_TOLD = {"dsr": ("val.psnr_db", "val.ssim", "val.eer")}
_TOLD_ELSE = ("val.eer", "val.similarity", "val.rank1")


def ran_out_of_memory(seen: Seen) -> bool:
    """Whether the last attempt ended because a batch didn't fit."""
    return seen.state.resumable and any(alarm.code == "out_of_memory" for alarm in seen.history.alarms)


def resume_buttons(snapshot: Snapshot) -> None:
    """Beside Resume, where a batch didn't fit into memory: the same batch in twice as many parts."""
    seen = look(snapshot.run)
    if not ran_out_of_memory(seen) or not allowed(Permission.RUN):
        return
    if st.button("Resume with half the batch", type="primary", icon=":material/splitscreen:", key="training_half"):
        with feedback() as attempt:
            resume_with_half(seen)
        if attempt.ok:
            st.rerun()


def resume_with_half(seen: Seen) -> None:
    """Go on with half as many images in memory at once; the batch that the network sees stays as large as it was.

    Raises SettingsInvalid when it can't be halved any more, JobError, StorageFailed.
    """
    config = seen.config
    halve_batch(
        seen.run.checkpoints,
        batch_size=int(config.get("batch_size", 0)),
        processes=int(config.get("processes", 1)),
        configured=int(config.get("accumulate", 1)),
    )
    resume(seen.run, settings())


def use_panel(seen: Seen) -> None:
    """Take the run's weights into use, for the whole application; once they are, offer to embed the gallery anew."""
    from core.training.activate import trained_files

    said = st.session_state.pop("training_said", "")
    if said:
        st.success(plain(said), icon=":material/check_circle:")
    if seen.state.live:
        return
    files = trained_files(seen.run)
    for found in (files, trained_files(seen.run, "last")):
        if found and are_in_use(found):
            _in_use(found)
            return
    if files:
        figures = best_figures(seen.history.epochs(), _TOLD.get(seen.run.kind, _TOLD_ELSE))
        told = ", ".join(f"{FIGURES[column][0]} {figure_text(column, value)}" for column, value in figures.items())
        text = (
            f"The whole application then uses {_words(files)} of the best epoch"
            f"{f' (validation: {told})' if told else ''}. What is in use now stays here; Home puts it back."
        )
        _use_box(seen, text, "Use these weights", "best", primary=seen.state.status == "done")
    elif last := trained_files(seen.run, "last"):
        text = (
            "No epoch of this run measured better than what it began with. "
            f"{_words(last).capitalize()} of the last epoch can be used all the same."
        )
        _use_box(seen, text, "Use the last epoch's weights", "last", primary=False)


def _words(files: Mapping[str, Path]) -> str:
    return " and ".join(_PARTS[part] for part in files)


def _use_box(seen: Seen, text: str, label: str, which: Literal["best", "last"], *, primary: bool) -> None:
    if not allowed(Permission.WEIGHTS):
        not_yours("Taking weights into use", "admin")
        return
    with st.container(border=True, key="training_use_box"):
        st.markdown("**:material/deployed_code_update: Put it to use**")
        st.markdown(text)
        kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
        if st.button(label, type=kind, icon=":material/check:", key="training_use"):
            with feedback() as attempt, st.spinner("Checking on real faces that they tell people apart"):
                st.session_state["training_said"] = use_weights_of(seen, which)
            if attempt.ok:
                st.rerun()


def use_weights_of(seen: Seen, which: Literal["best", "last"] = "best") -> str:
    """Take them into use; a sentence on what is in use now. Raises what `use_run_weights` raises."""
    from core.training.activate import use_run_weights

    return use_run_weights(settings(), seen.run, which).text


def are_in_use(files: Mapping[str, Path]) -> bool:
    """Whether the application uses these weights: the encoder, or the upscaler where the run trained that alone."""
    here = settings()
    try:
        if "encoder" in files:
            return encoders.active_weights(here).sha256 == encoders.describe(files["encoder"]).sha256
        return upscalers.active_upscaler(here).sha256 == upscalers.describe(files["upscaler"]).sha256
    except CoreError:  # none in use, or gone meanwhile
        return False


def _in_use(files: Mapping[str, Path]) -> None:
    """Say so, and offer what follows: people enrolled with other weights are searched once they are embedded anew."""
    with st.container(border=True, key="training_use_box"):
        st.markdown(f"**:green[:material/verified:] In use**: {_words(files)} of this run.")
    ready = readiness()
    if ready.gallery_problem is None:
        reembed_offer(ready, key="training")
