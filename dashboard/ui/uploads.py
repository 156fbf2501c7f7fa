"""Uploaders for photographs, with limits on their number and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.system.image_files import IMAGE_SUFFIXES, USUAL_SUFFIXES
from core.system.text import count

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

MAX_UPLOADS = 50
MAX_UPLOAD_BYTES = 200_000_000
"""Photographs accepted at once, and their total size: what a page can show, and a small machine can hold."""

PHOTOGRAPH_TYPES = tuple(
    suffix.lstrip(".") for suffix in (*USUAL_SUFFIXES, *sorted(IMAGE_SUFFIXES - {*USUAL_SUFFIXES}))
)


def photographs(label: str, *, key: str, help: str | None = None) -> list[UploadedFile]:
    """An uploader for several photographs. Those beyond the limits are left out, with a warning."""
    given = st.file_uploader(label, type=PHOTOGRAPH_TYPES, accept_multiple_files=True, key=key, help=help)
    taken, left_out = within_limits(given or [])
    if left_out:
        st.warning(
            f"{count(left_out, 'photograph')} left out: at most {MAX_UPLOADS} at once, "
            f"{MAX_UPLOAD_BYTES // 10**6} MB in total. Remove the first ones to see the others.",
            icon=":material/warning:",
        )
    return taken


def photograph(label: str, *, key: str) -> UploadedFile | None:
    """An uploader for one photograph."""
    return st.file_uploader(label, type=PHOTOGRAPH_TYPES, key=key)


def within_limits(files: Sequence[UploadedFile]) -> tuple[list[UploadedFile], int]:
    """The first files within the limits, and how many are left out."""
    taken: list[UploadedFile] = []
    total = 0
    for file in files:
        total += file.size
        if len(taken) == MAX_UPLOADS or total > MAX_UPLOAD_BYTES:
            break
        taken.append(file)
    return taken, len(files) - len(taken)
