"""Recognition in a video file, a camera or a stream: the form that starts a run, and the table and video it makes."""

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
from core.system.text import count
from core.video.sources import source_of
from core.video.stream_credentials import shown, store_address
from dashboard.identify.session import SIZES
from dashboard.runs.card import RunCard, show_run_card
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

_COLUMNS = {
    "track": "Face",
    "outcome": "Outcome",
    "identity": "Person",
    "score": "Score",
    "from_s": "From (s)",
    "to_s": "To (s)",
    "probe_px": "Size (px)",
    "possible": "Possible",
    "nearest": "Closest",
    "threshold": "Threshold",
    "calibrated": "Calibrated",
    "agreement": "Agreement",
    "looks": "Frames",
    "upscaler": "Upscaler",
    "warning": "Warning",
}
"""Columns of a run's table in the order shown, with their titles; the CSV keeps its own names."""


def video_jobs(pipe: Pipeline) -> None:
    """Show the form that starts a run, and the latest runs, newest first."""
    if allowed(permission_for("video")):
        _form(pipe)
    else:
        not_yours("Analysing a video or a stream")
    runs = list_runs(runs_root(settings()), "video")[:RUNS_SHOWN]
    if not runs:
        empty_state(
            "movie",
            "No video analysed yet",
            "Each face is tracked through the video and identified from all its frames. The result is a table of who "
            "was seen when, and a copy of the video with names.",
        )
    for run in runs:
        with suppress(RunNotFound):
            show_run_card(run, _card(run))


def _form(pipe: Pipeline) -> None:
    with st.form(f"{_KEY}_form"):
        file = st.file_uploader("Video file", type=VIDEO_TYPES, key=f"{_KEY}_file", max_upload_size=MAX_UPLOAD_MB)
        address = st.text_input(
            "Or a camera's address",
            placeholder="rtsp://user:password@192.168.1.20:554/stream",
            key=f"{_KEY}_address",
            help="A stream (rtsp, http, tcp), the number of a camera on this machine (0), or the path of a file on it. "
            "Passwords are stored separately and never shown.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            seconds = st.number_input(
                "Limit (seconds)",
                1,
                86_400,
                None,
                key=f"{_KEY}_seconds",
                width=150,
                placeholder="none",
                help="If empty: the whole file, or one hour of a camera or stream.",
            )
            reduce_to = st.selectbox(
                "Size of the largest face",
                list(SIZES),
                format_func=SIZES.__getitem__,
                key=f"{_KEY}_size",
                width=180,
                help="Reduces every frame until its largest face has this size, to simulate a distant camera.",
            )
            far = st.toggle(
                "Many small faces", key=f"{_KEY}_far", help="Searches enlarged tiles of every frame. Slower."
            )
            log = st.toggle("Log sightings", key=f"{_KEY}_log", help="Follows the rule set under Camera.")
        asked = st.form_submit_button("Analyse the video", type="primary", icon=":material/movie:")
    if not asked:
        return
    if file is None and not address.strip():
        st.info("Choose a file or enter an address.", icon=":material/movie:")
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
        name, written, files = source.shown, store_address(here, source.address), {}
    slug = "".join(c if c.isalnum() else "-" for c in Path(name).stem.lower()).strip("-") or "video"
    from core.models.encoders import active_weights
    from core.models.upscalers import active_upscaler
    from core.video.run_config import VideoConfig

    upscaler = active_upscaler(here)
    config = VideoConfig(
        source=written,
        title=name,
        uploaded=file is not None,
        seconds=seconds,
        reduce_to_px=reduce_to,
        small_faces=far,
        log_sightings=log,
        gallery=str(here.gallery_path),
        weights=str(active_weights(here).path),
        upscaler=str(upscaler.path or upscaler.name),
    )
    return launch(here, "video", config.values(), slug=slug, files=files)


def _card(run: Run) -> RunCard:
    config = run.config
    source = shown(str(config.get("source", "")))
    title = str(config.get("title") or (source if "://" in source else Path(source).name))
    return RunCard(
        title=f"Video: {shorten(title, 60)}",
        unit="s",
        steps={"look": "Analysing"},
        body=_results,
        removal="The table, the annotated video and the uploaded video are deleted too.",
    )


def _results(snapshot: Snapshot) -> None:
    report = snapshot.run.report
    if report is None or snapshot.state.live:
        return
    with suppress(CoreError, FileNotFoundError):
        table = pd.read_csv(snapshot.run.path / str(report["table"]))
        key = snapshot.run.name
        box = st.expander(
            "Table and video",
            icon=":material/table_view:",
            key=f"{_KEY}_results_{key}",
            on_change="rerun",
            expanded=True,
        )
        if box.open:
            with box:
                _table_and_video(snapshot.run, report, table, key)


def shown_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a run for the screen: titles for columns, empty columns left out, empty cells blank."""
    filled = table.dropna(axis="columns", how="all").round({"score": 2, "threshold": 2, "agreement": 2})
    texts = filled.select_dtypes(exclude=["number", "bool"])
    filled = filled.fillna(dict.fromkeys(texts.columns, ""))
    return filled[[name for name in _COLUMNS if name in filled]].rename(columns=_COLUMNS)


def _shown_video(run: Run, report: dict[str, Any]) -> Path | None:
    """The annotated video, unless it is missing or too large for a page."""
    path = run.path / str(report.get("video") or "")
    return path if path.is_file() and path.stat().st_size <= _SHOWN_BYTES else None


def _table_and_video(run: Run, report: dict[str, Any], table: pd.DataFrame, key: str) -> None:
    people = pd.DataFrame(report.get("people") or [])
    left, right = st.columns([1, 1], gap="medium")
    with left:
        if people.empty:
            st.markdown(":gray[:material/help:] Nobody from the gallery was recognised.")
        else:
            few = people[["identity", "seconds", "score"]].round({"seconds": 1, "score": 2})
            names = {"identity": "Person", "seconds": "Visible (s)", "score": "Best score"}
            st.dataframe(few.rename(columns=names), hide_index=True, key=f"{_KEY}_people_{key}")
        steps = ", ".join(f"{step} {ms:.0f} ms" for step, ms in report.get("ms_by_step", {}).items())
        st.caption(
            plain(f"{count(report['looks'], 'frame')} analysed, {report['looks_per_s']:.1f} per second: {steps}.")
        )
    video = _shown_video(run, report)
    with right:
        if video is not None:
            st.video(str(video), muted=True)
    st.dataframe(shown_table(table), hide_index=True, key=f"{_KEY}_table_{key}")
    pictures = sorted((run.path / "faces").glob("*.png"), key=lambda path: int(path.stem))[:24]
    if pictures:
        faces([Picture(image_address(path.read_bytes()), f"Face {path.stem}") for path in pictures], 72)
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
        if video is not None:
            offer_download(
                "Annotated video",
                video.read_bytes,
                "annotated.mp4",
                "video/mp4",
                icon=":material/movie:",
                key=f"{_KEY}_film_{key}",
                what=f"annotated video of {run.id}",
            )
