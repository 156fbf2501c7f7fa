"""The engines of an ingest: threads of this process, or workers on Ray. Both call `take` for each photograph.

Threads, not processes, on one machine: decoding, YuNet and PNG work outside Python's lock. 396 LFW photographs on two
busy cores took 13 to 15 s by two threads and 17 to 18 s by two processes, with 4.8 s and 5.9 s of processor time; and a
killed process leaves no orphans behind. Workers on Ray are for more machines than one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import cv2

from core.dataset.photograph import UNREADABLE, Photograph, Recipe, Rejected, Taken, take
from core.dataset.run_config import EngineName
from core.faces.detect import Detector
from core.jobs.context import Hooks
from core.jobs.ray_pool import RayFailed, ray_pool
from core.models.landmark_networks import detector_in_use
from core.settings import load_settings
from core.system.cpu import one_opencv_thread

FORMAT = 6
"""Increased when the same photographs and settings give other bytes; unfinished work of an earlier format is redone."""

Work = Callable[[Photograph], Taken | Rejected]


@dataclass(frozen=True)
class Engine:
    """Where photographs are processed; each engine gives the same bytes. `workers` of None: one for each processor.
    `address`: of a Ray cluster, see `core.jobs.ray_pool.ray_pool`."""

    name: EngineName = "threads"
    workers: int | None = None
    address: str | None = None

    @contextmanager
    def opened(self, recipe: Recipe, hooks: Hooks) -> Iterator[tuple[Work, int]]:
        """What processes one photograph, and how many are processed at once. Raises RayFailed, NotAllowed, and as
        `detector_in_use` does."""
        detector = detector_in_use(load_settings())

        def here(photograph: Photograph) -> Taken | Rejected:
            return take(photograph, recipe, detector)

        if self.name == "threads":
            with one_opencv_thread():
                yield here, self.workers or os.cpu_count() or 1
            return
        given = (recipe, _expected(detector))
        with ray_pool(_Taker, given, _label, hooks, workers=self.workers, address=self.address) as pool:

            def there(photograph: Photograph) -> Taken | Rejected:
                result = pool(photograph)
                return _confirmed(photograph, result, here) if _unreadable(result) else result

            yield there, pool.at_once


def versions(detector: Detector) -> tuple[str, str]:
    """What decides the bytes of a result, beside FORMAT, photograph and settings: the detector's models, and OpenCV."""
    return detector.id, cv2.__version__


THREADS = Engine()


def _label(photograph: Photograph) -> str:
    return str(photograph.path)


def _expected(detector: Detector) -> list[str]:
    models, opencv = versions(detector)
    return [f"format {FORMAT}", f"OpenCV {opencv}", f"models {models}"]


class _Taker:
    """A worker's process: it processes photographs as the caller would, or refuses to."""

    def __init__(self, recipe: Recipe, expected: list[str]) -> None:
        self._recipe, self._expected = recipe, expected

    def work(self, photograph: Photograph) -> Taken | Rejected:
        return take(photograph, self._recipe, self._detector)

    @cached_property
    def _detector(self) -> Detector:
        cv2.setNumThreads(1)
        detector = detector_in_use(load_settings())
        for mine, other in zip(_expected(detector), self._expected, strict=True):
            if mine != other:
                raise RayFailed(
                    f"A worker on {os.uname().nodename} would give other images: {mine}, expected {other}.",
                    "Install the same version of the project on every machine, with the same landmark network in use.",
                )
        return detector


def _unreadable(result: Taken | Rejected) -> bool:
    return isinstance(result, Rejected) and result.code == UNREADABLE


def _confirmed(photograph: Photograph, result: Taken | Rejected, here: Work) -> Taken | Rejected:
    """A photograph that a worker couldn't read, read here. Raises RayFailed where that succeeds: the worker's machine
    hasn't the folder, and would have every photograph rejected."""
    mine = here(photograph)
    if not _unreadable(mine):
        raise RayFailed(
            f"A worker couldn't read {photograph.path}, which can be read here.",
            "Keep the photographs at the same path on every machine of the cluster, on storage that they share.",
        )
    return mine
