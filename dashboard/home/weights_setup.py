"""The panel that downloads official weights, verifies an uploaded file, or uses a stored one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path, PurePath

import streamlit as st

from core.models.active import AnyModel, release_specialist, use_model
from core.models.download import fetch
from core.models.encoders import WeightsFile, scan, use_weights
from core.models.http_transfer import FetchEvent
from core.models.upscalers import BICUBIC_UPSCALER, UpscalerFile
from core.models.upscalers import scan as scan_upscalers
from core.models.variants import LICENCE, RECOMMENDED, VARIANTS, Variant
from core.settings import Settings
from core.sr.upscale import BICUBIC
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.markdown import plain

MAX_WEIGHTS_MB = 400
_ENDINGS = ["pt", "pth", "ckpt", "safetensors"]


def weights_panel(*, primary: bool) -> None:
    """The ways to get weights, and their licences; for admins. `primary` makes the download the page's main action."""
    if not allowed(Permission.WEIGHTS):
        not_yours("Changing the weights in use", "admin")
        return
    with st.container(border=True):
        st.markdown("#### :material/download: Get EdgeFace weights")
        st.markdown(
            "EdgeFace turns a face into an embedding of 512 numbers. The weights are published by the authors, and "
            "each "
            "download is verified against its published checksum. Photographs never leave this machine."
        )
        upscalers = scan_upscalers(settings())
        stored: list[WeightsFile | UpscalerFile] = [*scan(settings()), *upscalers]
        if upscalers:
            stored.append(BICUBIC_UPSCALER)
        titles = ["Download official weights", "Use your own file", *(["Stored here"] if stored else [])]
        fetching, own, *here = st.tabs(titles)
        with fetching:
            _fetch_tab(primary)
        with own:
            _upload_tab()
        for tab in here:
            with tab:
                _stored_tab(stored)
        st.caption(f"**Licences.** {LICENCE}")
        link("help", "More about weights", icon=":material/help:", topic="weights")


def _fetch_tab(primary: bool) -> None:
    name = st.selectbox(
        "Variant",
        list(VARIANTS),
        index=list(VARIANTS).index(RECOMMENDED),
        format_func=lambda each: _label(VARIANTS[each]),
        key="home_variant",
        help="The smallest variant is fast and accurate enough for most uses. Larger variants are slightly more "
        "accurate, and slower.",
    )
    variant = VARIANTS[name]
    if st.button(
        f"Download {variant.name} ({variant.megabytes:.1f} MB)",
        type="primary" if primary else "secondary",
        icon=":material/download:",
        key="home_fetch",
    ):
        bar = st.progress(0.0, text="Connecting to the server")
        with feedback() as attempt:
            fetch_and_use(settings(), variant, lambda share, text: bar.progress(share, text=plain(text)))
        bar.empty()
        if attempt.ok:
            st.session_state["home_said"] = f"{variant.name} is in use."
            st.rerun()


def _label(variant: Variant) -> str:
    notes = [f"{variant.megabytes:.1f} MB"]
    if variant.int8:
        notes.append("stored as int8")
    if variant.name == RECOMMENDED:
        notes.append("recommended")
    return f"{variant.name} ({', '.join(notes)})"


def fetch_and_use(
    here: Settings, variant: Variant, on_progress: Callable[[float, str], object], base_url: str | None = None
) -> WeightsFile:
    """Download, verify and use official weights. `on_progress` receives a share in [0, 1] and a line of text.

    Raises DownloadFailed (offline: it names the folder for a manual download), StorageFailed, and the loader's errors.
    """

    def on_event(event: FetchEvent) -> None:
        total = event.total_bytes or variant.megabytes * 1e6
        text = event.text or f"{event.done_bytes / 1e6:.1f} of {total / 1e6:.1f} MB"
        on_progress(min(0.9, 0.9 * event.done_bytes / total), text)

    path = fetch(variant, here.weights_dir, base_url=base_url, on_event=on_event)
    on_progress(0.95, "Checking that it distinguishes faces")
    used = use_weights(here, path)
    release_specialist(here)
    return used


def _upload_tab() -> None:
    with st.form("home_weights_form", border=False):
        file = st.file_uploader(
            "Weights file: official, fine-tuned, or exported by this program; also an upscaler",
            type=_ENDINGS,
            max_upload_size=MAX_WEIGHTS_MB,
            key="home_weights_file",
        )
        asked = st.form_submit_button("Check and use", icon=":material/verified:")
    if not asked:
        return
    if file is None:
        st.warning("Choose a file first.", icon=":material/upload_file:")
        return
    with feedback() as attempt, st.spinner("Checking that the file is complete and safe, and distinguishes faces"):
        used = use_upload(settings(), file.name, file.getvalue())
    if attempt.ok:
        st.session_state["home_said"] = f"{used.name} is in use."
        st.rerun()


def _stored_tab(stored: list[WeightsFile | UpscalerFile]) -> None:
    file = st.selectbox("File", stored, format_func=_stored_label, key="home_stored")
    if not st.button("Use this file", icon=":material/check:", key="home_use_stored"):
        return
    with feedback() as attempt, st.spinner("Checking it on faces"):
        used = use_model(settings(), file.path or BICUBIC)
    if attempt.ok:
        st.session_state["home_said"] = f"{used.name} is in use."
        st.rerun()


def _stored_label(file: WeightsFile | UpscalerFile) -> str:
    if file.path is None:
        return "bicubic (upscaler without a network)"
    if isinstance(file, UpscalerFile):
        what = "upscaler" if file.specialist is None else "specialist for small faces"
    elif file.official is not None:
        what = f"official {file.official.name}"
    else:
        what = f"{file.origin}, SHA-256 {file.sha256[:10]}…"
    return f"{file.path.name} ({what}, {file.size_bytes / 1e6:.1f} MB)"


def use_upload(here: Settings, name: str, content: bytes) -> AnyModel:
    """Verify uploaded weights or an upscaler, store a copy and use it. Raises what `use_model` raises."""
    with tempfile.TemporaryDirectory(prefix="edgeface-weights-") as folder:
        path = Path(folder) / (PurePath(name.replace("\\", "/")).name[-100:] or "weights.pt")
        path.write_bytes(content)
        return use_model(here, path)
