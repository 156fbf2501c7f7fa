"""A run as a card: its state, its progress, its last events, and buttons to stop, resume and remove it.

    show_run_card(run, RunCard("Reading photographs", unit="photographs"))

Everything is read from the run's folder, so every browser shows the same, also after a reload or a restart of the
dashboard. The card is redrawn once per second while the run is queued or running, and not afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import streamlit as st

from core.jobs.errors import RunNotFound
from core.jobs.events import Event
from core.jobs.launch import resume, stop
from core.jobs.permissions import permission_for
from core.jobs.reader import Progress, RunReader, Snapshot
from core.jobs.run_dir import Run, delete_run
from core.jobs.state import State, now
from core.system.text import count
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import settings
from dashboard.shell.session import allowed
from dashboard.ui.markdown import duration, nonbreaking, plain, shorten

POLL_S = 1.0
EVENTS_SHOWN = 30

STEPS = {
    "read": "Reading",
    "compare": "Comparing pictures",
    "place": "Placing",
    "write": "Writing the table",
    "check": "Checking",
    "download": "Downloading",
}

STATES: dict[str, tuple[str, str, str]] = {
    "queued": ("Queued", ":material/hourglass_top:", "gray"),
    "running": ("Running", ":material/autorenew:", "blue"),
    "done": ("Done", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
    "stopped": ("Stopped", ":material/stop_circle:", "orange"),
    "interrupted": ("Interrupted", ":material/bolt:", "orange"),
}

_ENDS = {
    "interrupted": "The process ended unexpectedly: it was killed, or the machine was switched off.",
    "stopped": "The run was stopped.",
}


@dataclass(frozen=True)
class RunCard:
    """How a kind of run is shown. `unit` is what its progress counts, in the plural; `steps` are the labels of the
    job's steps, in addition to STEPS. `body` draws more below the bar at each refresh (a chart of losses). `on_end` is
    called once when this visitor has seen the run end, before the page is run again; `on_remove` after a removal. `bar`
    returns the bar's share in [0, 1] and its text, instead of those of the progress events; `buttons` draws further
    buttons before Resume and Remove; `resume` is the type of the Resume button; without `details` the page shows events
    and log itself. `took` returns the duration of an ended run as text, where it has more than its last attempt."""

    title: str
    unit: str = "images"
    steps: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[Snapshot], None] | None = None
    on_end: Callable[[Snapshot], None] | None = None
    on_remove: Callable[[Run], None] | None = None
    bar: Callable[[Snapshot], tuple[float, str] | None] | None = None
    buttons: Callable[[Snapshot], None] | None = None
    resume: Literal["primary", "secondary"] = "secondary"
    details: bool = True
    took: Callable[[Snapshot], str] | None = None
    removal: str = "This deletes the run's folder with its checkpoints and report. Anything it saved elsewhere is kept."


def show_run_card(run: Run, card: RunCard) -> None:
    """Show a run, refreshed while it is queued or running. A run that was removed shows nothing."""
    try:
        live = run.state().live
    except RunNotFound:
        return
    st.fragment(draw_run_card, run_every=POLL_S if live else None)(run, card, live)


def draw_run_card(run: Run, card: RunCard, was_live: bool) -> None:
    """Draw the run as it is now. When a live run has ended, run the whole page again."""
    try:
        snapshot = reader_of(run).look()
    except RunNotFound:
        forget_reader(run)
        if was_live:
            st.rerun()
        return
    if was_live and not snapshot.state.live:
        if card.on_end is not None:
            card.on_end(snapshot)
        st.rerun()
    with st.container(border=True, key=f"run_{_slug(run)}"):
        _head(snapshot, card)
        _state(snapshot, card)
        if card.body is not None:
            card.body(snapshot)
        _actions(snapshot, card)
        if card.details:
            _details(snapshot)


def reader_of(run: Run) -> RunReader:
    """This visitor's reader of the run, which continues where its last read ended."""
    readers: dict[str, RunReader] = st.session_state.setdefault("run_readers", {})
    if run.id not in readers or readers[run.id].run != run:
        readers[run.id] = RunReader(run)
    return readers[run.id]


def forget_reader(run: Run) -> None:
    """Drop this visitor's reader of a run that was removed."""
    st.session_state.get("run_readers", {}).pop(run.id, None)


def progress_text(progress: Progress, card: RunCard) -> str:
    """ "Checking: 1,200 of 9,502 images, 105 per second, 1 min 20 s left"."""
    word = {**STEPS, **card.steps}.get(progress.step, "")
    counted = f"{progress.done:,} of {progress.total:,} {card.unit}" if progress.total else f"{progress.done:,}"
    parts = [f"{word}: {counted}" if word else counted]
    rejected = progress.data.get("rejected")
    if isinstance(rejected, int) and rejected:
        parts.append(f"{rejected:,} rejected")
    if progress.per_s:
        parts.append(
            f"{progress.per_s:,.0f} per second" if progress.per_s >= 1 else f"{60 * progress.per_s:.1f} per minute"
        )
    if progress.left_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.left_s)} left")
    return ", ".join(parts)


def event_line(event: Event) -> str:
    """An event as a line of text: its time, its kind and its data."""
    data = ", ".join(f"{key} {_short(value)}" for key, value in event.data.items())
    return f"{event.at.astimezone():%H:%M:%S}  {event.kind}{f': {data}' if data else ''}"


def _head(snapshot: Snapshot, card: RunCard) -> None:
    word, icon, colour = STATES[snapshot.state.status]
    if snapshot.asked_to_stop:
        word, icon, colour = "Stopping", ":material/stop_circle:", "orange"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(card.title)}**", width="content")
        st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]
        facts = [f"attempt {snapshot.state.attempts}"] if snapshot.state.attempts > 1 else []
        spent = spent_s(snapshot.state)
        if card.took is not None and not snapshot.state.live:
            facts += filter(None, [card.took(snapshot)])
        elif spent is not None:
            facts.append(f"for {duration(spent)}" if snapshot.state.live else f"took {duration(spent)}")
        if facts:
            st.caption(", ".join(facts), width="content")


def spent_s(state: State, at: datetime | None = None) -> float | None:
    """Seconds that the last attempt has run until now (`at`) or ran until its end; None where that isn't known."""
    if state.started is None or state.status == "interrupted":
        return None
    end = state.ended or (at or now() if state.live else None)
    return None if end is None else max(0.0, (end - state.started).total_seconds())


def _state(snapshot: Snapshot, card: RunCard) -> None:
    state, progress = snapshot.state, snapshot.progress
    if state.status == "queued":
        wait = f"{count(snapshot.ahead, 'run')} ahead of it." if snapshot.ahead else "Starts in a moment."
        st.progress(0.0, text=wait)
    elif state.status == "running":
        bar = _bar(snapshot, card)
        if bar is not None:
            st.progress(bar[0], text=plain(bar[1]))
        elif progress is None:
            st.progress(0.0, text=_last_title(snapshot) or "Started.")
        else:
            st.progress(progress.share, text=plain(progress_text(progress, card)))
    elif state.status == "failed":
        st.error(
            f"**{plain(state.error, links=True)}**\n\n{plain(state.next_step, links=True)}", icon=":material/error:"
        )
    elif state.status == "done":
        report = snapshot.run.report or {}
        if report.get("text"):
            st.markdown(nonbreaking(plain(report["text"])))
    else:
        bar = _bar(snapshot, card)
        text = bar[1] if bar else progress_text(progress, card) if progress else ""
        reached = f" Last progress: {plain(text)}." if text else ""
        st.markdown(f"{_ENDS[state.status]}{reached} Resume it to continue.")
    for event in snapshot.events:
        if event.kind == "warning" and event.data.get("text"):
            st.warning(plain(event.data["text"]), icon=":material/warning:")


def _bar(snapshot: Snapshot, card: RunCard) -> tuple[float, str] | None:
    return None if card.bar is None else card.bar(snapshot)


def _last_title(snapshot: Snapshot) -> str:
    """The step that the job named last, where it has reported no progress yet."""
    for event in reversed(snapshot.events):
        if event.data.get("title"):
            return f"{STEPS.get(event.kind, event.kind.capitalize())}: {plain(event.data['title'])}"
    return ""


def _actions(snapshot: Snapshot, card: RunCard) -> None:
    run, state, key = snapshot.run, snapshot.state, _slug(snapshot.run)
    if not allowed(permission_for(run.kind)):
        return
    with st.container(horizontal=True):
        if state.live:
            stopping = snapshot.asked_to_stop
            if st.button("Stop", icon=":material/stop:", disabled=stopping, key=f"run_stop_{key}"):
                with feedback() as attempt:
                    stop(run)
                if attempt.ok:
                    st.rerun()
            return
        if card.buttons is not None:
            card.buttons(snapshot)
        if state.resumable and st.button(
            "Resume", icon=":material/play_arrow:", key=f"run_resume_{key}", type=card.resume
        ):
            with feedback() as attempt:
                resume(run, settings())
            if attempt.ok:
                st.rerun()
        with st.popover("Remove", icon=":material/delete:"):
            st.markdown(f"Remove this run permanently? {plain(card.removal)}")
            if st.button("Remove the run", key=f"run_remove_{key}"):
                with feedback() as attempt:
                    delete_run(run)
                    forget_reader(run)
                    if card.on_remove is not None:
                        card.on_remove(run)
                if attempt.ok:
                    st.rerun()


def _details(snapshot: Snapshot) -> None:
    with st.expander("Details", icon=":material/list:", key=f"run_details_{_slug(snapshot.run)}"):
        st.caption(f"Run {plain(snapshot.run.id)}, created {snapshot.run.created.astimezone():%-d %B %Y, %H:%M}.")
        lines = [event_line(event) for event in snapshot.events[-EVENTS_SHOWN:]]
        st.code("\n".join(lines) or "No events yet.", language=None, wrap_lines=True)
        if snapshot.log.strip():
            st.caption("Output of the process:")
            st.code(snapshot.log[-4_000:], language=None, wrap_lines=True, height=220)


def _slug(run: Run) -> str:
    return run.id.replace("/", "_")


def _short(value: object) -> str:
    return shorten(f"{value:.4g}" if isinstance(value, float) else str(value), 200)
