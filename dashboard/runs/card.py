"""A run on the screen: where it stands, how far it is, its last lines, and stop, resume and remove.

    run_status(run, Shown("Reading photographs", unit="photographs"))

Everything is read from the run's folder, so any browser sees the same, also after a reload or a restart of the
dashboard. It redraws itself once a second while the run is at work or waits, and not at all afterwards.
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
from dashboard.ui.markdown import duration, plain, shorten

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
    "queued": ("Waits for its turn", ":material/hourglass_top:", "gray"),
    "running": ("At work", ":material/autorenew:", "blue"),
    "done": ("Done", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
    "stopped": ("Stopped", ":material/stop_circle:", "orange"),
    "interrupted": ("Interrupted", ":material/bolt:", "orange"),
}


@dataclass(frozen=True)
class Shown:
    """How a kind of run is shown. `unit` is what its progress counts, in the plural; `steps` the words for the steps
    that a job names, beside STEPS. `body` draws more below the bar, at each look (a chart of losses). `on_end` is
    called once when this visitor has seen the run end, before the page is drawn anew; `on_remove` after a removal.
    `bar` gives the bar's share in [0, 1] and its text where progress alone doesn't say them; `buttons` draws further
    buttons before Resume and Remove; `resume` is the type of the button of that name; without `details` the page shows
    events and log itself. `took` says in words how long an ended run has worked, where its last attempt isn't all."""

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
    removal: str = "Its folder with checkpoints and report goes. What it made elsewhere stays."


def run_status(run: Run, shown: Shown) -> None:
    """Show a run; live while it is at work or waits. A run that was removed shows nothing."""
    try:
        live = run.state().live
    except RunNotFound:
        return
    st.fragment(status_body, run_every=POLL_S if live else None)(run, shown, live)


def status_body(run: Run, shown: Shown, was_live: bool) -> None:
    """One look at the run, drawn. When a run that was live has ended, the whole page is run again."""
    try:
        snapshot = reader_of(run).look()
    except RunNotFound:
        forget_reader(run)
        if was_live:
            st.rerun()
        return
    if was_live and not snapshot.state.live:
        if shown.on_end is not None:
            shown.on_end(snapshot)
        st.rerun()
    with st.container(border=True, key=f"run_{_slug(run)}"):
        _head(snapshot, shown)
        _state(snapshot, shown)
        if shown.body is not None:
            shown.body(snapshot)
        _actions(snapshot, shown)
        if shown.details:
            _details(snapshot)


def reader_of(run: Run) -> RunReader:
    """This visitor's reader of the run: it goes on where its last look ended."""
    readers: dict[str, RunReader] = st.session_state.setdefault("run_readers", {})
    if run.id not in readers or readers[run.id].run != run:
        readers[run.id] = RunReader(run)
    return readers[run.id]


def forget_reader(run: Run) -> None:
    """The run is gone, or begins anew for this visitor."""
    st.session_state.get("run_readers", {}).pop(run.id, None)


def progress_text(progress: Progress, shown: Shown) -> str:
    """ "Checking: 1,200 of 9,502 images, 105 a second, 1 min 20 s left"."""
    word = {**STEPS, **shown.steps}.get(progress.step, "")
    counted = f"{progress.done:,} of {progress.total:,} {shown.unit}" if progress.total else f"{progress.done:,}"
    parts = [f"{word}: {counted}" if word else counted]
    rejected = progress.data.get("rejected")
    if isinstance(rejected, int) and rejected:
        parts.append(f"{rejected:,} rejected")
    if progress.per_s:
        parts.append(
            f"{progress.per_s:,.0f} a second" if progress.per_s >= 1 else f"{60 * progress.per_s:.1f} a minute"
        )
    if progress.left_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.left_s)} left")
    return ", ".join(parts)


def event_line(event: Event) -> str:
    """An event as a line of text: its time, its kind and what it said."""
    told = ", ".join(f"{key} {_short(value)}" for key, value in event.data.items())
    return f"{event.at.astimezone():%H:%M:%S}  {event.kind}{f': {told}' if told else ''}"


def _head(snapshot: Snapshot, shown: Shown) -> None:
    word, icon, colour = STATES[snapshot.state.status]
    if snapshot.asked_to_stop:
        word, icon, colour = "Stopping", ":material/stop_circle:", "orange"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(shown.title)}**", width="content")
        st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]
        told = [f"attempt {snapshot.state.attempts}"] if snapshot.state.attempts > 1 else []
        spent = spent_s(snapshot.state)
        if shown.took is not None and not snapshot.state.live:
            told += filter(None, [shown.took(snapshot)])
        elif spent is not None:
            told.append(f"for {duration(spent)}" if snapshot.state.live else f"took {duration(spent)}")
        if told:
            st.caption(", ".join(told), width="content")


def spent_s(state: State, at: datetime | None = None) -> float | None:
    """Seconds that the last attempt has worked until now (`at`), or did until its end; None where that isn't known."""
    if state.started is None or state.status == "interrupted":
        return None
    end = state.ended or (at or now() if state.live else None)
    return None if end is None else max(0.0, (end - state.started).total_seconds())


def _state(snapshot: Snapshot, shown: Shown) -> None:
    state, progress = snapshot.state, snapshot.progress
    if state.status == "queued":
        wait = f"{count(snapshot.ahead, 'run')} before it." if snapshot.ahead else "It begins in a moment."
        st.progress(0.0, text=wait)
    elif state.status == "running":
        told = _told(snapshot, shown)
        if told is not None:
            st.progress(told[0], text=plain(told[1]))
        elif progress is None:
            st.progress(0.0, text=_last_word(snapshot) or "It has begun.")
        else:
            st.progress(progress.share, text=plain(progress_text(progress, shown)))
    elif state.status == "failed":
        st.error(
            f"**{plain(state.error, links=True)}**\n\n{plain(state.next_step, links=True)}", icon=":material/error:"
        )
    elif state.status == "done":
        report = snapshot.run.report or {}
        if report.get("text"):
            st.markdown(plain(report["text"]))
    else:
        said = "Its process ended without a word: the machine was switched off, or the process was killed."
        told = _told(snapshot, shown)
        text = told[1] if told else progress_text(progress, shown) if progress else ""
        far = f" It was at {plain(text)}." if text else ""
        st.markdown(f"{said if state.status == 'interrupted' else 'It was stopped.'}{far} Resume it to go on.")
    for event in snapshot.events:
        if event.kind == "warning" and event.data.get("text"):
            st.warning(plain(event.data["text"]), icon=":material/warning:")


def _told(snapshot: Snapshot, shown: Shown) -> tuple[float, str] | None:
    return None if shown.bar is None else shown.bar(snapshot)


def _last_word(snapshot: Snapshot) -> str:
    """What the job said last in words, where it has no progress to tell yet."""
    for event in reversed(snapshot.events):
        if event.data.get("title"):
            return f"{STEPS.get(event.kind, event.kind.capitalize())}: {plain(event.data['title'])}"
    return ""


def _actions(snapshot: Snapshot, shown: Shown) -> None:
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
        if shown.buttons is not None:
            shown.buttons(snapshot)
        if state.resumable and st.button(
            "Resume", icon=":material/play_arrow:", key=f"run_resume_{key}", type=shown.resume
        ):
            with feedback() as attempt:
                resume(run, settings())
            if attempt.ok:
                st.rerun()
        with st.popover("Remove", icon=":material/delete:"):
            st.markdown(f"Remove this run for good? {plain(shown.removal)}")
            if st.button("Remove the run", key=f"run_remove_{key}"):
                with feedback() as attempt:
                    delete_run(run)
                    forget_reader(run)
                    if shown.on_remove is not None:
                        shown.on_remove(run)
                if attempt.ok:
                    st.rerun()


def _details(snapshot: Snapshot) -> None:
    with st.expander("Details", icon=":material/list:", key=f"run_details_{_slug(snapshot.run)}"):
        st.caption(f"Run {plain(snapshot.run.id)}, begun {snapshot.run.created.astimezone():%-d %B %Y, %H:%M}.")
        lines = [event_line(event) for event in snapshot.events[-EVENTS_SHOWN:]]
        st.code("\n".join(lines) or "Nothing yet.", language=None, wrap_lines=True)
        if snapshot.log.strip():
            st.caption("What its process printed:")
            st.code(snapshot.log[-4_000:], language=None, wrap_lines=True, height=220)


def _slug(run: Run) -> str:
    return run.id.replace("/", "_")


def _short(value: object) -> str:
    return shorten(f"{value:.4g}" if isinstance(value, float) else str(value), 200)
