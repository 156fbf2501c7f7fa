"""Error messages on pages: what happened and the next step. A traceback never reaches the screen."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from core.errors import CoreError
from core.system.logs import Public, logger
from dashboard.shell.navigation import link
from dashboard.ui.markdown import plain

_log = logger(__name__)


@dataclass
class Attempt:
    """Whether the code inside `feedback()` succeeded."""

    ok: bool = False


@contextmanager
def feedback() -> Iterator[Attempt]:
    """Run part of a page. An error is shown as a message, and the page continues below it.

    with feedback() as attempt:
        gallery.rename(old, new)
    if attempt.ok: ...
    """
    attempt = Attempt()
    try:
        yield attempt
        attempt.ok = True
    except CoreError as error:
        show_error(error)
    except Exception as error:  # noqa: BLE001 - the last handler: logged and shown
        show_surprise(error)


def show_error(error: CoreError) -> None:
    """Show an error with its next step and a link to the section of Help about it."""
    st.error(
        f"**{plain(error.what, links=True)}**\n\n{plain(error.next_step, links=True)}".strip(), icon=":material/error:"
    )
    if error.help_topic:
        link("help", "Read about this in Help", icon=":material/help:", topic=error.help_topic)


def show_surprise(error: BaseException) -> str:
    """Show a friendly text with a reference, and log the reference, the error's class and its redacted traceback.

    The error's message isn't logged: it may hold a name. Returns the reference.
    """
    reference = secrets.token_hex(3)
    _log.error("reference %s: unexpected %s", Public(reference), error, exc_info=error)
    st.error(
        "**An unexpected error occurred.**\n\n"
        f"Try again. If it happens again, report the reference `{reference}`, which is also in the log.",
        icon=":material/error:",
    )
    return reference
