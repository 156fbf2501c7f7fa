"""Which browser each session belongs to and who is signed in there: what the gate asks before it hands out a picture,
takes an upload or lets a dropped connection go on.

A browser is known by a cookie that no script can read; a session's number alone opens nothing.
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
    """A session, as its latest run left it: its browser's cookie, and how to find out who that is by now."""

    browser: str
    who: Callable[[], Actor]


@dataclass
class Visitors:
    """The connections that are open through the gate, and the sessions that they, or earlier ones, belong to."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _browsers: dict[str, str] = field(default_factory=dict)
    _session_of: dict[str, str] = field(default_factory=dict)
    _visits: dict[str, Visit] = field(default_factory=dict)

    def connect(self, browser: str) -> str:
        """A new connection of that browser ("" without a cookie): its secret token, which only its runs get to see."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._browsers[token] = browser
        return token

    def disconnect(self, token: str) -> str:
        """The connection is gone: the number of the session that it had, or ""."""
        with self._lock:
            self._browsers.pop(token, None)
            return self._session_of.pop(token, "")

    def arrive(self, token: str, session: str, who: Callable[[], Actor]) -> None:
        """A run of that session begins, over that connection."""
        with self._lock:
            browser = self._browsers.get(token)
            if browser is not None:
                self._session_of[token] = session
                self._visits[session] = Visit(browser, who)

    def session(self, token: str) -> str:
        """The number of the session that runs over that connection; "" before its first run."""
        with self._lock:
            return self._session_of.get(token, "")

    def passed(self, token: str) -> bool:
        """Whether a connection of that token came through the gate, and is still there."""
        with self._lock:
            return token in self._browsers

    def forget(self, session: str) -> None:
        """The session is over, or nobody is signed in there any more."""
        with self._lock:
            self._visits.pop(session, None)

    def owns(self, browser: str, session: str) -> bool:
        """Whether the session is one of that browser's."""
        with self._lock:
            visit = self._visits.get(session)
        return visit is not None and _same(visit.browser, browser)

    def signed_in(self, browser: str, session: str = "") -> bool:
        """Whether somebody is signed in by now in that browser: in that session, or in any."""
        with self._lock:
            visits = [each for number, each in self._visits.items() if session in ("", number)]
        return any(_same(each.browser, browser) and each.who().role is not None for each in visits)


def _same(known: str, given: str) -> bool:
    return bool(known) and hmac.compare_digest(known.encode(), given.encode())


VISITORS = Visitors()
"""Everybody at this dashboard."""
