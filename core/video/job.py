"""The job of the kind `video`: who is in a file, before a camera or in a stream, as a table and an annotated video.

config: source (as the camera book writes it down), seconds, looks_per_s, reduce_to_px, small_faces, annotate,
keep_faces, log_sightings, uploaded (the source is a file of the run's own folder, and goes when it was looked at), and
the pipeline's weights, upscaler, skip_dsr, use_tta, device, gallery, threshold, tie_margin.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from core.csv_export import csv_bytes
from core.errors import SettingsInvalid
from core.gallery.encoder_view import EncoderView
from core.images import encode_image
from core.jobs.context import JobContext
from core.recognition.decision import counted
from core.settings import TIE_MARGIN, UNCALIBRATED_THRESHOLD, load_settings
from core.system.atomic_file import write_atomically
from core.video.appearances import Appearances
from core.video.draw import draw_result
from core.video.face_search import FAR_CAMERA, SeekSettings
from core.video.live import LiveIdentifier, LiveResult, LiveSettings
from core.video.live_source import LiveSource
from core.video.sightings import SightingLog
from core.video.sources import Frame, Source, frames_of_file, length_s, source_of
from core.video.stream_credentials import address_of
from core.video.writing import VideoWriter

TABLE, VIDEO, FACES = "faces.csv", "annotated.mp4", "faces"
LOOKS_PER_S = 10.0
_TELL_EVERY_S = 0.5
_WRITTEN_RATE = Fraction(30)
_LIVE_SECONDS = 3600.0


def run(context: JobContext) -> Mapping[str, Any]:
    """Look at the source until it ends, its seconds are over, or somebody stops it; a stream that was stopped has its
    results too. Raises SourceUnusable and what the pipeline raises."""
    from core.pipeline import PipelineConfig, build_pipeline

    config, settings = context.config, load_settings()
    written = str(context.run.path / config["source"]) if config.get("uploaded") else str(config["source"])
    source = source_of(address_of(settings, written))
    seconds = float(config["seconds"]) if config.get("seconds") else (_LIVE_SECONDS if source.live else None)
    looks_per_s = float(config.get("looks_per_s") or LOOKS_PER_S)
    if not 0 < looks_per_s <= 60:
        raise SettingsInvalid(f"looks_per_s is {looks_per_s:g}.", "Choose more than 0 and at most 60.")
    threshold = config.get("threshold")  # 0 is one
    pipeline = build_pipeline(
        PipelineConfig(
            device=str(config.get("device") or "auto"),
            weights=config.get("weights"),
            upscaler=config.get("upscaler"),
            skip_dsr=bool(config.get("skip_dsr")),
            use_tta=bool(config.get("use_tta")),
            gallery_path=config.get("gallery") or settings.gallery_path,
            recognition_threshold=UNCALIBRATED_THRESHOLD if threshold is None else float(threshold),
            tie_margin=float(config.get("tie_margin", TIE_MARGIN)),
        ),
        settings,
    )
    seek = FAR_CAMERA if config.get("small_faces") else SeekSettings()
    identifier = LiveIdentifier(pipeline, LiveSettings(config.get("reduce_to_px") or None, seek))
    seen = _Seen(context, bool(config.get("keep_faces")), length_s(source) if seconds is None else seconds)
    with ExitStack() as stack:
        stack.enter_context(closing(pipeline.gallery.store))
        log = SightingLog(pipeline.gallery.store, source.shown) if config.get("log_sightings") else None
        frames = stack.enter_context(closing(_frames(source, context)))
        writer: VideoWriter | None = None
        result: LiveResult | None = None
        for frame in frames:
            if seconds is not None and frame.at >= seconds:
                break
            if not source.live:
                context.check_stop()
            if result is None or frame.at - result.at >= 1 / looks_per_s - 1e-6:
                result = identifier.look(frame.rgb, frame.at)
                seen.take(result)
                if log is not None:
                    log.note(result.faces)
            if config.get("annotate", True):
                if writer is None:
                    size = (frame.rgb.shape[1], frame.rgb.shape[0])
                    writer = stack.enter_context(VideoWriter(context.run.path / VIDEO, size, _WRITTEN_RATE))
                writer.add(draw_result(frame.rgb, result), frame.at)
        report = seen.finish(source, pipeline.gallery, annotated=writer is not None)
    if source.live and context.should_stop():
        context.run.write_report(report)  # stopping is how a look at a camera ends: what was seen counts
    if config.get("uploaded"):
        Path(source.address).unlink(missing_ok=True)
    return report


def _frames(source: Source, context: JobContext) -> Generator[Frame, None, None]:
    if not source.live:
        yield from frames_of_file(source)
        return

    def report(text: str) -> None:
        context.on_event("log", text=text)

    with LiveSource(source, report) as live:
        yield from live.frames(context.should_stop)


class _Seen:
    """Collects results, tells how far it is, and writes what they come to."""

    def __init__(self, context: JobContext, keep_faces: bool, total_s: float | None) -> None:
        self._context = context
        self._keep_faces = keep_faces
        self._total_s = total_s
        self._appearances = Appearances()
        self._steps: dict[str, float] = {}
        self._at = 0.0
        self._began = self._told = time.monotonic()

    def take(self, result: LiveResult) -> None:
        self._appearances.add(result, self._keep_faces)
        self._at = result.at
        for step, ms in result.timings_ms.items():
            self._steps[step] = self._steps.get(step, 0.0) + ms
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY_S:
            self._told = now
            total = round(self._total_s) if self._total_s else 0
            self._context.on_event(
                "progress",
                step="look",
                done=min(round(result.at), total) if total else round(result.at),
                total=total,
                faces=len(result.faces),
                results_per_s=self._appearances.frames / max(now - self._began, 1e-9),
            )

    def finish(self, source: Source, gallery: EncoderView, *, annotated: bool) -> dict[str, Any]:
        """Write the table and the faces; give the report."""
        folder: Path = self._context.run.path
        table, looks = self._appearances.table(), max(1, self._appearances.frames)
        write_atomically(folder / TABLE, csv_bytes(table))
        for number, face in self._appearances.faces():
            write_atomically(folder / FACES / f"{number}.png", encode_image(face, "png"))
        spent = time.monotonic() - self._began
        counts, lost = counted(table["outcome"]), gallery.elsewhere
        return {
            "source": source.shown,
            "text": f"{len(table)} faces in {self._at:.0f} s of video: "
            + ", ".join(f"{number} {name}" for name, number in counts.items())
            + "."
            + (f" {lost:,} of those enrolled can't be found with these weights: re-embed them." if lost else "")
            + "".join(f" {warning}" for warning in table["warning"].dropna().unique() if warning),
            "seconds": round(self._at, 2),
            "looks": self._appearances.frames,
            "looks_per_s": round(self._appearances.frames / max(spent, 1e-9), 2),
            "ms_by_step": {step: round(ms / looks, 2) for step, ms in self._steps.items()},
            "gallery_size": gallery.size,
            "elsewhere": lost,
            "counts": counts,
            "people": self._appearances.people(),
            "table": TABLE,
            "video": VIDEO if annotated else None,
        }
