"""The job "video": recognise the people in a file, at a camera or in a stream; writes a table and an annotated video.

Its configuration is `core.video.run_config.VideoConfig`.
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
from core.settings import UNCALIBRATED_THRESHOLD, load_settings
from core.system.atomic_file import write_atomically
from core.system.text import count
from core.system.validated import validated
from core.video.appearances import Appearances
from core.video.draw import draw_result
from core.video.face_search import FAR_CAMERA, FaceSearchSettings
from core.video.live import LiveIdentifier, LiveResult, LiveSettings
from core.video.live_source import LiveSource
from core.video.run_config import VideoConfig
from core.video.sightings import SightingLog
from core.video.sources import Frame, Source, frames_of_file, length_s, source_of
from core.video.stream_credentials import address_of
from core.video.writing import VideoWriter

TABLE, VIDEO, FACES = "faces.csv", "annotated.mp4", "faces"
_REPORT_EVERY_S = 0.5
_WRITTEN_RATE = Fraction(30)
_LIVE_SECONDS = 3600.0


def run(context: JobContext) -> Mapping[str, Any]:
    """Process the source until it ends, its seconds are over, or the run is stopped; a camera or stream that was
    stopped keeps its results. Raises SourceUnusable, SettingsInvalid, and what the pipeline raises."""
    from core.pipeline import PipelineConfig, build_pipeline

    config, settings = _config(context), load_settings()
    written = str(context.run.path / config.source) if config.uploaded else config.source
    source = source_of(address_of(settings, written))
    seconds = config.seconds or (_LIVE_SECONDS if source.live else None)
    pipeline = build_pipeline(
        PipelineConfig(
            device=config.device,
            weights=config.weights,
            upscaler=config.upscaler,
            skip_dsr=config.skip_dsr,
            use_tta=config.use_tta,
            gallery_path=config.gallery or settings.gallery_path,
            recognition_threshold=UNCALIBRATED_THRESHOLD if config.threshold is None else config.threshold,
            tie_margin=config.tie_margin,
        ),
        settings,
    )
    seek = FAR_CAMERA if config.small_faces else FaceSearchSettings()
    identifier = LiveIdentifier(pipeline, LiveSettings(config.reduce_to_px or None, seek))
    seen = _Collector(context, config.keep_faces, length_s(source) if seconds is None else seconds)
    with ExitStack() as stack:
        stack.enter_context(closing(pipeline.gallery.store))
        log = SightingLog(pipeline.gallery.store, source.shown) if config.log_sightings else None
        frames = stack.enter_context(closing(_frames(source, context)))
        writer: VideoWriter | None = None
        result: LiveResult | None = None
        for frame in frames:
            if seconds is not None and frame.at >= seconds:
                break
            if not source.live:
                context.check_stop()
            if result is None or frame.at - result.at >= 1 / config.looks_per_s - 1e-6:
                result = identifier.look(frame.rgb, frame.at)
                seen.take(result)
                if log is not None:
                    log.note(result.faces)
            if config.annotate:
                if writer is None:
                    size = (frame.rgb.shape[1], frame.rgb.shape[0])
                    writer = stack.enter_context(VideoWriter(context.run.path / VIDEO, size, _WRITTEN_RATE))
                writer.add(draw_result(frame.rgb, result), frame.at)
        report = seen.finish(source, pipeline.gallery, annotated=writer is not None)
    if source.live and context.should_stop():
        context.run.write_report(report)  # a camera is watched until it is stopped: its results count
    if config.uploaded:
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


def _config(context: JobContext) -> VideoConfig:
    return validated(
        VideoConfig, context.config, lambda fault: SettingsInvalid(f"This can't be started: {fault}", "Correct it.")
    )


class _Collector:
    """Collects results, reports progress, and writes the table, the faces and the report."""

    def __init__(self, context: JobContext, keep_faces: bool, total_s: float | None) -> None:
        self._context = context
        self._keep_faces = keep_faces
        self._total_s = total_s
        self._appearances = Appearances()
        self._steps: dict[str, float] = {}
        self._at = 0.0
        self._began = self._reported = time.monotonic()

    def take(self, result: LiveResult) -> None:
        self._appearances.add(result, self._keep_faces)
        self._at = result.at
        for step, ms in result.timings_ms.items():
            self._steps[step] = self._steps.get(step, 0.0) + ms
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY_S:
            self._reported = now
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
        """Write the table and the faces, and return the report."""
        folder: Path = self._context.run.path
        table, looks = self._appearances.table(), max(1, self._appearances.frames)
        write_atomically(folder / TABLE, csv_bytes(table))
        for number, face in self._appearances.faces():
            write_atomically(folder / FACES / f"{number}.png", encode_image(face, "png"))
        spent = time.monotonic() - self._began
        counts, lost = counted(table["outcome"]), gallery.elsewhere
        return {
            "source": source.shown,
            "text": f"{count(len(table), 'face')} in {self._at:.0f} s of video: "
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
