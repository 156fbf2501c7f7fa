"""The log of a run: its last lines, followed as it grows and searched, with a download of all of it."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from pathlib import Path

import streamlit as st

from core.jobs.events import tail_text
from core.jobs.run_dir import Run
from core.system.text import count
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.ui.markdown import plain

MOST_LINES = 2_000
"""The latest lines, which are kept for display."""
_FIRST_BYTES = 400_000
_HEIGHT_PX = 320


class LogTail:
    """The last lines of a log, read incrementally by `lines`. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._offset = 0
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._open = ""

    def lines(self) -> list[str]:
        """The lines so far, including an unfinished last one. Raises StorageFailed."""
        with self._lock:
            text, offset = tail_text(self.path, self._offset, most_bytes=_FIRST_BYTES)
            if offset < self._offset:  # the file was replaced
                self._lines.clear()
                self._open = ""
            self._offset = offset
            *whole, self._open = (self._open + text).split("\n")
            self._lines.extend(line.rpartition("\r")[2] for line in whole)
            return [*self._lines, *([self._open] if self._open else [])]


def matching(lines: list[str], query: str) -> list[str]:
    """The lines that contain every word of `query`, ignoring case; all lines for an empty query."""
    words = query.casefold().split()
    return [line for line in lines if all(word in line.casefold() for word in words)]


def log_panel(run: Run) -> None:
    """Show the log with a search field; it follows the end while the run is live, unless that is switched off."""
    with feedback(), st.expander("Log", icon=":material/terminal:", expanded=True):
        lines = _tail(str(run.log_path)).lines()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            query = st.text_input(
                "Search the log",
                key="training_log_search",
                placeholder="epoch 05, alarm…",
                max_chars=100,
                icon=":material/search:",
                width=260,
            )
            follow = st.toggle(
                "Follow", value=True, key="training_log_follow", help="Scroll to the newest line automatically."
            )
            offer_download(
                "Download",
                partial(_whole, run.log_path),
                f"{run.name}.log",
                "text/plain",
                key="training_log_download",
                what=f"log of {run.id}",
                disabled=not lines,
            )
        found = matching(lines, query)
        with st.container(height=_HEIGHT_PX, autoscroll=follow, border=True, key="training_log"):
            if found:
                st.code("\n".join(found), language=None, wrap_lines=True)
            elif lines:
                st.caption(f"No line contains “{plain(query)}”.")
            else:
                st.caption("The log is empty. Its first line is written when the run starts.")
        if query.strip() and found:
            st.caption(f"{count(len(found), 'line')} of {len(lines):,}.")


def _whole(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@st.cache_resource(max_entries=64, show_spinner=False)
def _tail(path: str) -> LogTail:
    return LogTail(Path(path))
