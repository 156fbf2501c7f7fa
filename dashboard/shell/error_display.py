"""What a page does with an error: say what happened and how to go on. A traceback never reaches the screen."""

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
    """Whether what ran inside `feedback()` came to its end."""

    ok: bool = False


@contextmanager
def feedback() -> Iterator[Attempt]:
    """Run a read, a write or an inference of a page; an error becomes a message, and the page goes on below.

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
    except Exception as error:  # noqa: BLE001 - the last line of defence: logged, and said in plain words
        show_surprise(error)


def show_error(error: CoreError) -> None:
    """What happened, the next step, and a link to the section of Help that explains it."""
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
        "**Something went wrong that we didn't foresee.**\n\n"
        f"Try again; when it stays, report reference `{reference}`, which the log names too.",
        icon=":material/error:",
    )
    return reference
