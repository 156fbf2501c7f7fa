"""Sessions by browser, and who is signed in there. The gate asks before it serves a picture, accepts an upload or
resumes a session.

A browser is identified by a cookie that no script can read; a session id alone gives no access.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from core.access.actor import Actor


@dataclass(frozen=True)
class Visit:
    """A session at its latest run: the browser's cookie, and a function that returns the current actor."""

    browser: str
    who: Callable[[], Actor]


@dataclass
class Visitors:
    """Open connections through the gate, and the sessions of open and earlier ones."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _browsers: dict[str, str] = field(default_factory=dict)
    _session_of: dict[str, str] = field(default_factory=dict)
    _visits: dict[str, Visit] = field(default_factory=dict)

    def connect(self, browser: str) -> str:
        """Register a connection of a browser ("" without a cookie). Returns its token, which only its runs receive."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._browsers[token] = browser
        return token

    def disconnect(self, token: str) -> str:
        """Remove a connection. Returns the id of its session, or ""."""
        with self._lock:
            self._browsers.pop(token, None)
            return self._session_of.pop(token, "")

    def arrive(self, token: str, session: str, who: Callable[[], Actor]) -> None:
        """Record a run of a session over a connection."""
        with self._lock:
            browser = self._browsers.get(token)
            if browser is not None:
                self._session_of[token] = session
                self._visits[session] = Visit(browser, who)

    def session(self, token: str) -> str:
        """The id of a connection's session; "" before its first run."""
        with self._lock:
            return self._session_of.get(token, "")

    def passed(self, token: str) -> bool:
        """Whether an open connection through the gate has that token."""
        with self._lock:
            return token in self._browsers

    def forget(self, session: str) -> None:
        """Remove a session that ended or was signed out."""
        with self._lock:
            self._visits.pop(session, None)

    def owns(self, browser: str, session: str) -> bool:
        """Whether the session belongs to that browser."""
        with self._lock:
            visit = self._visits.get(session)
        return visit is not None and _same(visit.browser, browser)

    def signed_in(self, browser: str, session: str = "") -> bool:
        """Whether somebody is signed in in that browser: in that session, or in any."""
        with self._lock:
            visits = [each for number, each in self._visits.items() if session in ("", number)]
        return any(_same(each.browser, browser) and each.who().role is not None for each in visits)


def _same(known: str, given: str) -> bool:
    return bool(known) and hmac.compare_digest(known.encode(), given.encode())


VISITORS = Visitors()
"""All visitors of this dashboard."""
