"""Benchmark of live identification: frames are fed to the pipeline at a camera's rate, and results per second, latency
from frame to result, milliseconds by step and memory are measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.video.latest_frame_worker import LatestFrameWorker
from core.video.live import LiveIdentifier, LiveResult, LiveSettings

if TYPE_CHECKING:
    from core.pipeline import Pipeline

WARM_S = 2.0


@dataclass(frozen=True)
class Rates:
    """`results_per_s` is the median over whole seconds; latencies run from a frame's arrival to its result; `faces`
    the mean a frame; `rss_mb` resident memory at the start and the end, after warming up. `ms_by_step` are medians
    for a whole frame."""

    seconds: float
    frames_per_s: float
    results_per_s: float
    results: int
    faces: float
    latency_p50_ms: float
    latency_p95_ms: float
    ms_by_step: dict[str, float]
    skipped: int
    failed: int
    rss_mb: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_rate(
    pipeline: Pipeline,
    frames: Sequence[NDArray[np.uint8]],
    *,
    seconds: float,
    frames_per_s: float = 30.0,
    settings: LiveSettings | None = None,
    on_second: Callable[[int], None] | None = None,
) -> Rates:
    """Play `frames` in a loop for `seconds` after a warm-up, and measure. On a busy machine other work affects the
    figures."""
    identifier = LiveIdentifier(pipeline, settings)
    done: list[tuple[float, float, LiveResult]] = []

    def work(given: tuple[NDArray[np.uint8], float]) -> None:
        result = identifier.look(*given)
        done.append((time.monotonic(), given[1], _light(result)))

    with LatestFrameWorker(work, "rate") as newest:
        _play(newest, frames, WARM_S, frames_per_s, None)
        before, start_mb, start = newest.stats, rss_mb(), time.monotonic()
        done.clear()
        _play(newest, frames, seconds, frames_per_s, on_second)
        end, after = time.monotonic(), newest.stats
    if newest.error is not None:
        raise newest.error
    measured = [each for each in done if start <= each[0] <= end]
    if not measured:
        raise SettingsInvalid(f"There was no result in {seconds:g} s.", "Measure for longer, or on an idle machine.")
    each_second = np.bincount([int(at - start) for at, _, _ in measured], minlength=max(1, int(end - start)))
    whole = each_second[: max(1, int(end - start))]
    waits = [1000 * (at - given) for at, given, _ in measured]
    steps = measured[0][2].timings_ms
    return Rates(
        seconds=round(end - start, 2),
        frames_per_s=frames_per_s,
        results_per_s=float(np.median(whole)),
        results=len(measured),
        faces=round(float(np.mean([len(result.faces) for _, _, result in measured])), 2),
        latency_p50_ms=round(float(np.percentile(waits, 50)), 1),
        latency_p95_ms=round(float(np.percentile(waits, 95)), 1),
        ms_by_step={
            step: round(float(np.median([result.timings_ms.get(step, 0.0) for _, _, result in measured])), 2)
            for step in steps
        },
        skipped=after.skipped - before.skipped,
        failed=after.failed - before.failed,
        rss_mb=(start_mb, rss_mb()),
    )


def rss_mb() -> float:
    """Resident memory of this process in MB."""
    result: float = round(psutil.Process().memory_info().rss / 2**20, 1)
    return result


def _play(
    newest: LatestFrameWorker[tuple[NDArray[np.uint8], float], None],
    frames: Sequence[NDArray[np.uint8]],
    seconds: float,
    frames_per_s: float,
    on_second: Callable[[int], None] | None,
) -> None:
    start, number, reported = time.monotonic(), 0, 0
    while (now := time.monotonic()) < start + seconds:
        newest.submit((frames[number % len(frames)], now))
        number += 1
        if on_second is not None and int(now - start) > reported:
            reported = int(now - start)
            on_second(reported)
        time.sleep(max(0.0, start + number / frames_per_s - time.monotonic()))


def _light(result: LiveResult) -> LiveResult:
    """Without pictures and vectors: what is kept for the figures must not count as the pipeline's memory."""
    return replace(result, faces=tuple(replace(face, recognition=None) for face in result.faces))
