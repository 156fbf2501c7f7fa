"""Recognise the faces of many files in batches; unreadable files don't stop it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import CoreError
from core.images import read_image
from core.recognition.decision import once_each
from core.recognition.results import Probe, Recognition

BATCH = 32


class Recogniser(Protocol):
    """The methods of a pipeline that recognise a batch of images."""

    def find(self, image: Any, *, reduce_to_px: int | None = None, every: bool = True) -> list[Probe]: ...
    def recognise(self, probes: Sequence[Probe]) -> list[Recognition]: ...
    def no_face(self) -> Recognition: ...


@dataclass(frozen=True)
class FileResult:
    """The faces of one file, the chosen one first, or the reading error. Without a face: one "unrecognisable"."""

    path: Path
    faces: tuple[Recognition, ...] = ()
    error: CoreError | None = None


def recognise_files(
    pipeline: Recogniser,
    paths: Sequence[Path],
    *,
    reduce_to_px: int | None = None,
    every: bool = False,
    batch: int = BATCH,
) -> Iterator[FileResult]:
    """A FileResult for each path, in order. `every`: all faces, not the chosen one alone.

    `batch` files are embedded at once; they are read, and their faces found, by two threads.
    """

    def look(path: Path) -> list[Probe] | CoreError:
        try:
            return pipeline.find(read_image(path), reduce_to_px=reduce_to_px, every=every)
        except CoreError as error:
            return error

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), batch):
            part = paths[start : start + batch]
            looked = list(pool.map(look, part))
            probes = [probe for found in looked if not isinstance(found, CoreError) for probe in found]
            decided = iter(pipeline.recognise(probes))
            for path, found in zip(part, looked, strict=True):
                if isinstance(found, CoreError):
                    yield FileResult(path, error=found)
                else:
                    yield FileResult(path, tuple(once_each([next(decided) for _ in found])) or (pipeline.no_face(),))
