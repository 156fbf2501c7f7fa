"""What a page does with an error: say what happened and how to go on. A traceback never reaches the screen."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from core.errors import CoreError
from dashboard.shell.navigation import link
from dashboard.ui.markdown import plain

_log = logging.getLogger("edgeface_studio")


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
    """A friendly text with a reference; the log gets the reference, the kind of error and the places it went through.

    The error's own text stays out of the log: it may hold a name. Returns the reference.
    """
    reference = secrets.token_hex(3)
    places = " < ".join(
        f"{frame.filename.rsplit('/', 2)[-2]}/{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        if "/" in frame.filename
    )
    _log.error("reference %s: %s at %s", reference, type(error).__name__, places)
    st.error(
        "**Something went wrong that we didn't foresee.**\n\n"
        f"Try again; when it stays, report reference `{reference}`, which the log names too.",
        icon=":material/error:",
    )
    return reference
