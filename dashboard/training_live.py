"""One training run, live: where it is, alarms, stop and resume, charts as it goes, its log."""

from __future__ import annotations

import streamlit as st

from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run
from core.training.history import Alarm
from dashboard import training_charts as charts
from dashboard.feedback import feedback
from dashboard.text import markup, plain
from dashboard.training_actions import actions
from dashboard.training_queries import Seen, best_row, look
from dashboard.training_words import FIGURES, accuracy_words, duration, figure_text

TICK_S = 1.0
CHARTS_TICK_S = 4.0

_SEVERITY = {
    "error": (st.error, ":material/emergency_home:"),
    "warning": (st.warning, ":material/warning:"),
    "notice": (st.info, ":material/info:"),
}
_SHOWN_FIGURES = ("val.eer", "val.similarity", "val.accuracy", "val.psnr_db", "val.rank1", "val.ssim")


def run_view(run: Run) -> None:
    """The whole view of one run. Its parts look again by themselves for as long as the run is at work."""
    live = run.state().live
    tick, slow = (TICK_S, CHARTS_TICK_S) if live else (None, None)
    st.fragment(_standing, run_every=tick)(run, live)
    st.fragment(_charts, run_every=slow)(run)
