"""A video file, a camera of this machine or a stream, looked at by a run of its own; its table and film when done."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.jobs.errors import RunNotFound
from core.jobs.launch import launch
from core.jobs.permissions import permission_for
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run, list_runs, runs_root
from core.settings import VLR_SIZES_PX
from core.video.sources import source_of
from core.video.stream_credentials import put_away, shown
from dashboard.runs.card import Shown, run_status
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import Picture, faces, image_address

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.pipeline import Pipeline

_KEY = "identify_video"
VIDEO_TYPES = ("mp4", "mov", "mkv", "avi", "webm", "m4v", "mjpeg", "y4m")
RUNS_SHOWN = 4
MAX_UPLOAD_MB = 500
_SHOWN_BYTES = 200_000_000
_AS_IT_IS = 0
_SIZES = {_AS_IT_IS: "As it is", **{px: f"{px} px" for px in reversed(VLR_SIZES_PX)}}


def video_jobs(pipe: Pipeline) -> None:
    """The form that starts a run, and the runs that there are, newest first."""
    if allowed(permission_for("video")):
        _form(pipe)
    else:
        not_yours("Having a video or a stream looked at")
    runs = list_runs(runs_root(settings()), "video")[:RUNS_SHOWN]
    if not runs:
        empty_state(
            "movie",
            "No video looked at yet",
            "Each face is followed through the video and judged by its frames together. You will get a table of who "
            "was seen when, and the film with names on it.",
        )
    for run in runs:
        with suppress(RunNotFound):
            run_status(run, _shown(run))


def _form(pipe: Pipeline) -> None:
    with st.form(f"{_KEY}_form"):
        file = st.file_uploader("Video file", type=VIDEO_TYPES, key=f"{_KEY}_file", max_upload_size=MAX_UPLOAD_MB)
        address = st.text_input(
            "Or a camera's address",
            placeholder="rtsp://user:password@192.168.1.20:554/stream",
            key=f"{_KEY}_address",
            help="A stream (rtsp, http, tcp), the number of a camera at this machine (0), or a file's path on it. A "
            "password is kept apart, and never shown.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            seconds = st.number_input(
                "At most, seconds",
                1,
                86_400,
                None,
                key=f"{_KEY}_seconds",
                width=150,
                placeholder="all",
                help="Without a number: a whole file, or an hour of a camera.",
            )
            reduce_to = st.selectbox(
                "Size of the largest face",
                list(_SIZES),
                format_func=lambda px: _SIZES[px],
                key=f"{_KEY}_size",
                width=180,
                help="Tries a distance: each frame is shrunk until its largest face has that width.",
            )
            far = st.toggle("Many small faces", key=f"{_KEY}_far", help="Searches every frame enlarged, in tiles.")
            log = st.toggle("Log sightings", key=f"{_KEY}_log", help="By the rule set beside the live picture.")
        asked = st.form_submit_button("Look at the video", type="primary", icon=":material/movie:")
    if not asked:
        return
    if file is None and not address.strip():
        st.info("Choose a file, or write an address.", icon=":material/movie:")
        return
    with feedback() as attempt:
        _start(pipe, file, address, seconds, reduce_to or None, far=far, log=log)
    if attempt.ok:
        st.rerun()


def _start(
    pipe: Pipeline,
    file: UploadedFile | None,
    address: str,
    seconds: int | None,
    reduce_to: int | None,
    *,
    far: bool,
    log: bool,
) -> Run:
    here = settings()
    if file is not None:
        ending = Path(file.name).suffix.lower()
        name, written = file.name, f"upload{ending if ending[1:] in VIDEO_TYPES else ''}"
        files = {written: file.getvalue()}
    else:
        source = source_of(address)
        name, written, files = source.shown, put_away(here, source.address), {}
    slug = "".join(c if c.isalnum() else "-" for c in Path(name).stem.lower()).strip("-") or "video"
    from core.models.encoders import active_weights
    from core.models.upscalers import active_upscaler

    upscaler = active_upscaler(here)
    config: dict[str, Any] = {
        "source": written,
        "title": name,
        "uploaded": file is not None,
        "seconds": seconds,
        "reduce_to_px": reduce_to,
        "small_faces": far,
        "annotate": True,
        "keep_faces": False,
        "log_sightings": log,
        "gallery": str(here.gallery_path),
        "weights": str(active_weights(here).path),
        "upscaler": str(upscaler.path or upscaler.name),
    }
    return launch(here, "video", config, slug=slug, files=files)


def _shown(run: Run) -> Shown:
    config = run.config
    source = shown(str(config.get("source", "")))
    title = str(config.get("title") or (source if "://" in source else Path(source).name))
    return Shown(
        title=f"Video: {shorten(title, 60)}",
        unit="s",
        steps={"look": "Looking"},
        body=_results,
        removal="Its table, annotated video and uploaded film go too.",
    )


def _results(snapshot: Snapshot) -> None:
    report = snapshot.run.report
    if report is None or snapshot.state.live:
        return
    with suppress(CoreError, FileNotFoundError):
        table = pd.read_csv(snapshot.run.path / str(report["table"]))
        key = snapshot.run.name
        box = st.expander(
            "Table and film",
            icon=":material/table_view:",
            key=f"{_KEY}_results_{key}",
            on_change="rerun",
            expanded=True,
        )
        if box.open:
            with box:
                _table_and_film(snapshot.run, report, table, key)


def _table_and_film(run: Run, report: dict[str, Any], table: pd.DataFrame, key: str) -> None:
    people = pd.DataFrame(report.get("people") or [])
    left, right = st.columns([1, 1], gap="medium")
    with left:
        if people.empty:
            st.markdown(":gray[:material/help:] Nobody from the gallery was recognised.")
        else:
            few = people[["identity", "seconds", "score"]].round({"seconds": 1, "score": 2})
            names = {"identity": "person", "seconds": "in sight, s"}
            st.dataframe(few.rename(columns=names), hide_index=True, key=f"{_KEY}_people_{key}")
        steps = ", ".join(f"{step} {ms:.0f} ms" for step, ms in report.get("ms_by_step", {}).items())
        st.caption(plain(f"{report['looks']} looks, {report['looks_per_s']:.1f} a second: {steps}."))
    film = run.path / str(report["video"]) if report.get("video") else None
    with right:
        if film is not None and film.is_file() and film.stat().st_size <= _SHOWN_BYTES:
            st.video(str(film), muted=True)
    st.dataframe(table.round({"score": 2, "threshold": 2}), hide_index=True, key=f"{_KEY}_table_{key}")
    pictures = sorted((run.path / "faces").glob("*.png"), key=lambda path: int(path.stem))[:24]
    if pictures:
        faces([Picture(image_address(path.read_bytes()), f"track {path.stem}") for path in pictures], 72)
    if not allowed(Permission.EXPORT):
        return
    with st.container(horizontal=True):
        offer_download(
            "Table as CSV",
            (run.path / str(report["table"])).read_bytes,
            "faces.csv",
            "text/csv",
            key=f"{_KEY}_csv_{key}",
            what=f"table of {run.id}",
        )
        if film is not None and film.is_file() and film.stat().st_size <= _SHOWN_BYTES:
            offer_download(
                "Annotated video",
                film.read_bytes,
                "annotated.mp4",
                "video/mp4",
                icon=":material/movie:",
                key=f"{_KEY}_film_{key}",
                what=f"film of {run.id}",
            )
