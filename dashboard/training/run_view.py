"""One training: its card with stages, figures and alarms, its charts, log, epochs and settings."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.csv_export import csv_bytes
from core.jobs.errors import RunNotFound
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run
from core.system.text import count
from core.training.run_events import Alarm
from dashboard.runs.card import RunCard, show_run_card
from dashboard.runs.list import show_list
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.training.actions import ran_out_of_memory, resume_buttons, use_panel
from dashboard.training.curve_panel import curves
from dashboard.training.data import TrainingEntry, best_row, epochs_done, read_entry
from dashboard.training.labels import FIGURES, STEPS, figure_text
from dashboard.training.log import log_panel
from dashboard.ui.markdown import duration, markup, plain

CURVES_TICK_S = 5.0
LOG_TICK_S = 2.0

_SEVERITY = {
    "error": (st.error, ":material/emergency_home:"),
    "warning": (st.warning, ":material/warning:"),
    "notice": (st.info, ":material/info:"),
}
_BIG = (
    "val.eer",
    "val.error_px",
    "val.missed",
    "val.psnr_db",
    "val.ssim",
    "val.similarity",
    "val.accuracy",
    "val.rank1",
)
_BIG_SHOWN = 4
_FALLS = frozenset({"val.eer", "val.eer_vlr_vlr", "val.error_px", "val.missed"})


def run_view(run: Run) -> None:
    """Draw one training. Its parts refresh automatically while it is queued or running."""
    entry = read_entry(run)
    live = entry.state.live
    show_run_card(
        run,
        RunCard(
            entry.title,
            body=_card_body,
            bar=lambda snapshot: progress_bar(read_entry(snapshot.run)),
            buttons=resume_buttons,
            on_remove=show_list,
            details=False,
            resume="secondary" if ran_out_of_memory(entry) else "primary",
            took=lambda snapshot: epochs_done(read_entry(snapshot.run)),
            removal="This deletes the run's folder with its checkpoints, log and report. Weights in use are kept.",
        ),
    )
    use_panel(entry)
    st.fragment(_curves, run_every=CURVES_TICK_S if live else None)(run)
    st.fragment(log_panel, run_every=LOG_TICK_S if live else None)(run)
    _epochs(entry)
    _settings(entry)


def progress_bar(entry: TrainingEntry) -> tuple[float, str] | None:
    """The share of the run that is done and its text; None before the first progress."""
    progress, plan = entry.history.progress, entry.history.plan
    if progress is None:
        return None
    parts = [STEPS.get(progress.step, progress.step.capitalize())]
    if progress.epoch and progress.epochs:
        parts[0] = f"Epoch {progress.epoch} of {progress.epochs}, {parts[0].lower() or 'running'}"
    if progress.total > 0:
        parts[0] += f" {progress.done:,.0f} of {progress.total:,.0f} images"
    if progress.per_second and entry.state.live:
        parts.append(f"{progress.per_second:,.0f} images per second")
    if progress.left_s is not None and entry.state.live:
        parts.append(f"about {duration(progress.left_s)} left")
    share = progress.share
    if share is None and plan is not None and plan.epochs and progress.epoch:
        share = min(1.0, (progress.epoch - 1) / plan.epochs)
    return share or 0.0, ", ".join(parts)


def _card_body(snapshot: Snapshot) -> None:
    entry = read_entry(snapshot.run)
    st.caption(plain(entry.settings_line))
    for alarm in entry.history.alarms:
        if not (entry.state.status == "failed" and alarm.what == entry.state.error):  # shown above already
            _alarm(alarm)
    _stages(entry)
    _figures(entry)


def _alarm(alarm: Alarm) -> None:
    show, icon = _SEVERITY[alarm.severity]
    again = f" ({alarm.times} times)" if alarm.times > 1 else ""
    parts = [f"**{plain(alarm.what)}**{again}", plain(alarm.cause)]
    parts.append(f"Next: {plain(alarm.next_step)}" if alarm.next_step else "")
    show("\n\n".join(filter(None, parts)), icon=icon)


def _stages(entry: TrainingEntry) -> None:
    plan = entry.history.plan
    if plan is None or not plan.stages:
        return
    names = [stage.name for stage in plan.stages]
    at = names.index(entry.history.stage) if entry.history.stage in names else 0
    if entry.state.status == "done":
        at = len(names)
    cells = []
    for place, stage in enumerate(plan.stages):
        state = "done" if place < at else "now" if place == at else "later"
        mark = {"done": "✓", "now": "●", "later": "○"}[state]
        text = f"{count(stage.epochs, 'epoch')}{', trains ' + ' and '.join(stage.trains) if stage.trains else ''}"
        cells.append(
            f"<div class='ef-stage ef-{state}'><span aria-hidden='true'>{mark}</span> <b>{place + 1}. "
            f"{markup(stage.title)}</b><div class='ef-quiet'>{markup(text)}</div></div>"
        )
    st.html(f"<div class='ef-stages'>{''.join(cells)}</div>")


def _figures(entry: TrainingEntry) -> None:
    epochs = entry.history.epochs()
    row = best_row(epochs)
    if row is None:
        return
    figures = entry.best_figures(_BIG)
    cells = "".join(
        _figure(column, value, entry.history.before.get(column)) for column, value in list(figures.items())[:_BIG_SHOWN]
    )
    st.html(f"<div class='ef-tiles'>{cells}</div>")
    by = FIGURES.get(f"val.{row.get('criterion.name')}")
    images = entry.history.plan.val_images if entry.history.plan else None
    of = f" on {count(images, 'validation image')}" if images else ""
    against = " Below each figure: the change since before training." if entry.history.before else ""
    best = f"the best{' so far' if entry.state.live else ''}{f' by {by[0]}' if by else ''}"
    if not row["best"]:
        best = "the last, because no epoch improved on the starting weights"
    st.caption(f"Epoch {row['step']:.0f}, {best}{of}.{_average_text(entry)}{against}")


def _average_text(entry: TrainingEntry) -> str:
    averaged = entry.averaged
    if averaged is None:
        return ""
    if averaged.share == 1:
        return " No average with the starting weights is better."
    return f" Then averaged with the starting weights ({averaged.percent} fine-tuned); these are the average's figures."


def _figure(column: str, value: float, before: float | None) -> str:
    name, scale, digits, unit = FIGURES[column]
    change = ""
    if before is not None:
        by = (value - before) * scale
        good = by < 0 if column in _FALLS else by > 0
        same = f"{abs(by):{digits}}" == f"{0:{digits}}"
        text = "no change" if same else f"{by:+{digits}}{' points' if unit == ' %' else unit}"
        change = f"<div class='ef-gain{' ef-up' if good and not same else ''}'>{text}</div>"
    return (
        f"<div><div class='ef-quiet'>{markup(name)}</div>"
        f"<div class='ef-value'>{markup(figure_text(column, value))}</div>{change}</div>"
    )


def _curves(run: Run) -> None:
    with feedback():
        try:
            curves(read_entry(run))
        except RunNotFound:
            return  # removed meanwhile, as the card shows


def _epochs(entry: TrainingEntry) -> None:
    epochs = entry.history.epochs()
    if not len(epochs):
        return
    with st.expander(f"Epochs ({len(epochs)})", icon=":material/table_rows:"):
        table = epochs.dropna(axis="columns", how="all").drop(columns=["line"], errors="ignore")
        st.dataframe(table, hide_index=True, height=min(420, 38 + 35 * len(table)))
        offer_download(
            "Epochs as CSV",
            partial(csv_bytes, table),
            f"{entry.run.name}-epochs.csv",
            "text/csv",
            key="training_epochs_csv",
            what=f"epochs of {entry.run.id}",
        )


def _settings(entry: TrainingEntry) -> None:
    with st.expander("Settings of this run", icon=":material/tune:"):
        rows = [{"setting": name, "value": value} for name, value in flat_settings(entry.config).items()]
        st.dataframe(pd.DataFrame(rows), hide_index=True, height=min(420, 38 + 35 * max(1, len(rows))))
        plan = entry.history.plan
        if plan is not None and plan.device:
            at = f"{plan.device}, {plan.precision}" + (f", {count(plan.threads, 'thread')}" if plan.threads else "")
            st.caption(f"Ran on {plain(at)}.")
        st.caption("From the command line:")
        command = str(entry.config.get("command") or "")
        lines = [*([command] if command else []), f"edgeface-studio runs log {entry.run.id} --follow"]
        st.code("\n".join(lines), language=None, wrap_lines=True)


def flat_settings(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The settings that have a value, by path ("batch_size"), those of a stage by its name ("stage1.epochs")."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found |= flat_settings(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            for place, each in enumerate(value, start=1):
                inner = {name: part for name, part in each.items() if name not in ("name", "title")}
                found |= flat_settings(inner, f"{prefix}{each.get('name', place)}.")
        elif value not in (None, "", []):
            found[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found
