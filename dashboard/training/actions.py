"""Actions on a training: resume with half the batch after running out of memory, and use its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import streamlit as st

from core.errors import CoreError
from core.jobs.launch import resume
from core.jobs.reader import Snapshot
from core.models import encoders, landmark_networks, upscalers
from core.training.batch_split import halve_batch
from dashboard.runs.reembed import reembed_offer
from dashboard.shell.error_display import feedback
from dashboard.shell.readiness import readiness
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.training.data import TrainingEntry, read_entry
from dashboard.training.labels import FIGURES, figure_text
from dashboard.ui.components import show_message

_PARTS = {
    "encoder": "the encoder",
    "upscaler": "the super-resolution network",
    "specialist": "the specialist for small faces",
    "landmarks": "the landmark network",
}
_ENCODER_FIGURES = ("val.eer", "val.similarity", "val.rank1")
_DSR_FIGURES = ("val.psnr_db", "val.ssim", "val.eer")
_FIGURES = {"dsr": _DSR_FIGURES, "landmarks": ("val.error_px", "val.missed")}


def ran_out_of_memory(entry: TrainingEntry) -> bool:
    """Whether the last attempt ended because a batch didn't fit into memory."""
    return entry.state.resumable and any(alarm.code == "out_of_memory" for alarm in entry.history.alarms)


def resume_buttons(snapshot: Snapshot) -> None:
    """The button "Resume with half the batch", after a run ran out of memory."""
    entry = read_entry(snapshot.run)
    if not ran_out_of_memory(entry) or not allowed(Permission.RUN):
        return
    if st.button("Resume with half the batch", type="primary", icon=":material/splitscreen:", key="training_half"):
        with feedback() as attempt:
            resume_with_half(entry)
        if attempt.ok:
            st.rerun()


def resume_with_half(entry: TrainingEntry) -> None:
    """Resume with each batch split into twice as many parts, so that half as many images are in memory at once.

    The effective batch size stays the same. Raises SettingsInvalid when it can't be halved any further, JobError,
    StorageFailed.
    """
    config = entry.config
    halve_batch(
        entry.run.checkpoints,
        batch_size=int(config.get("batch_size", 0)),
        processes=int(config.get("processes", 1)),
        configured=int(config.get("accumulate", 1)),
    )
    resume(entry.run, settings())


def use_panel(entry: TrainingEntry) -> None:
    """Offer to use the run's weights in the whole application; once they are in use, offer to re-embed the gallery."""
    from core.training.activate import trained_files

    show_message("training_message")
    if entry.state.live:
        return
    files = trained_files(entry.run)
    for found in (files, trained_files(entry.run, "last")):
        if found and are_in_use(found):
            _in_use(found)
            return
    if files:
        columns = _FIGURES.get(entry.run.kind, _ENCODER_FIGURES)
        figures = entry.best_figures(columns)
        listed = ", ".join(f"{FIGURES[column][0]} {figure_text(column, value)}" for column, value in figures.items())
        back = "`edgeface-studio weights use`" if "landmarks" in files else "Home"
        text = (
            f"The whole application will use {_parts_text(files)} of {_epoch_text(entry)}"
            f"{f' (validation: {listed})' if listed else ''}. The weights in use now are kept, and you can switch back "
            f"to them {'with' if 'landmarks' in files else 'on'} {back}."
        )
        _use_box(entry, text, "Use these weights", "best", primary=entry.state.status == "done")
    elif last := trained_files(entry.run, "last"):
        text = f"No epoch improved on the starting weights. You can still use {_parts_text(last)} of the last epoch."
        _use_box(entry, text, "Use the last epoch's weights", "last", primary=False)


def _epoch_text(entry: TrainingEntry) -> str:
    averaged = entry.averaged
    if averaged is None or averaged.share == 1:
        return "the best epoch"
    return f"the best epoch, averaged with the starting weights ({averaged.percent} fine-tuned)"


def _parts_text(files: Mapping[str, Path]) -> str:
    return " and ".join(_PARTS[part] for part in files)


def _use_box(entry: TrainingEntry, text: str, label: str, which: Literal["best", "last"], *, primary: bool) -> None:
    if not allowed(Permission.WEIGHTS):
        not_yours("Changing the weights in use", "admin")
        return
    with st.container(border=True, key="training_use_box"):
        st.markdown("**:material/deployed_code_update: Use the trained weights**")
        st.markdown(text)
        kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
        if st.button(label, type=kind, icon=":material/check:", key="training_use"):
            with feedback() as attempt, st.spinner("Checking that the weights distinguish real faces"):
                st.session_state["training_message"] = use_weights_of(entry, which)
            if attempt.ok:
                st.rerun()


def use_weights_of(entry: TrainingEntry, which: Literal["best", "last"] = "best") -> str:
    """Use the run's weights and return a sentence about it. Raises as `use_run_weights` does."""
    from core.training.activate import use_run_weights

    return use_run_weights(settings(), entry.run, which).text


def are_in_use(files: Mapping[str, Path]) -> bool:
    """Whether the application uses these weights: the encoder, or what takes the upscaler's place where the run trained
    that alone."""
    here = settings()
    try:
        if "encoder" in files:
            return encoders.active_weights(here).sha256 == encoders.describe(files["encoder"]).sha256
        if "landmarks" in files:
            stored = landmark_networks.describe(files["landmarks"])
            return landmark_networks.active_landmarks(here).sha256 == stored.sha256
        stored_upscaler = upscalers.describe(files.get("upscaler") or files["specialist"])
        return upscalers.active_upscaler(here).sha256 == stored_upscaler.sha256
    except CoreError:  # none in use, or removed meanwhile
        return False


def _in_use(files: Mapping[str, Path]) -> None:
    """Show that the weights are in use, and offer to re-embed people who were enrolled with others."""
    with st.container(border=True, key="training_use_box"):
        st.markdown(f"**:green[:material/verified:] In use**: {_parts_text(files)} of this run.")
    if "landmarks" in files:
        return  # stored crops stay as they were aligned
    ready = readiness()
    if ready.gallery_problem is None:
        reembed_offer(ready, key="training")
