"""What can be done with a run beyond stop and resume: half the batch where memory ran out, use of its weights."""

from __future__ import annotations

import streamlit as st

from dashboard.feedback import feedback
from dashboard.resources import settings
from dashboard.run_reader import Snapshot
from dashboard.training_queries import Seen, best_figures
from dashboard.training_words import FIGURES, figure_text


def resume_buttons(snapshot: Snapshot) -> None:
    """Beside Resume, where a run ended because memory didn't hold its batch: the same in smaller pieces."""
    return


def use_panel(seen: Seen) -> None:
    """Take the run's best weights into use, for the whole application; then offer to embed the gallery anew."""
    report = seen.run.report or {}
    weights = report.get("weights") or {}
    if not weights:
        return
    with st.container(border=True):
        st.markdown("#### :material/check_circle: Use these weights")
        what = " and ".join({"encoder": "the encoder", "upscaler": "the DSR"}.get(part, part) for part in weights)
        figures = best_figures(seen.history.epochs())
        told = ", ".join(f"{FIGURES[c][0]} {figure_text(c, v)}" for c, v in list(figures.items())[:3])
        st.markdown(
            f"The whole application then uses {what} of the best epoch{f': {told} in validation' if told else ''}. "
            "The weights in use now stay here, and can be put back on Home."
        )
        if st.button("Use these weights", type="primary", icon=":material/check:", key="training_use"):
            with feedback() as attempt, st.spinner("Checking that they tell faces apart"):
                use(seen)
            if attempt.ok:
                st.rerun()


def use(seen: Seen) -> None:
    from core.training.adopt import use_run_weights

    use_run_weights(settings(), seen.run)
