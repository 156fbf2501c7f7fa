"""Photographs looked at for an enrolment: one person's, or many people's while those before are being stored."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2

from core.errors import CoreError
from core.images import read_image, sha256_of
from core.pipeline import Pipeline
from core.recognition.results import DraftPhoto

PEOPLE_AT_ONCE = 16
"""People whose photographs are embedded together, and stored in one transaction."""

Person = tuple[str, Sequence[Path]]
"""Somebody of a bulk enrolment: the name, and the photographs."""


def look(pipeline: Pipeline, image: Any, label: str) -> DraftPhoto:
    """One photograph, read and searched for faces; not embedded yet. What is wrong with it is told in it."""
    try:
        rgb = read_image(image, name=label)
        found = pipeline.find(rgb)
    except CoreError as error:
        return DraftPhoto(label, error=error)
    return DraftPhoto(
        label, sha256_of(rgb.tobytes()), found[0] if found else None, faces_found=len(found), made_by=pipeline.made_by
    )


def embedded(pipeline: Pipeline, photos: Sequence[DraftPhoto]) -> list[DraftPhoto]:
    """The photographs with the vectors of those whose face can be used, embedded in one batch."""
    ready = [photo for photo in photos if photo.probe is not None and not photo.probe.unrecognisable_because]
    vectors = pipeline.embed([photo.probe for photo in ready if photo.probe is not None])
    by_photo = {id(photo): vector for photo, vector in zip(ready, vectors, strict=True)}
    return [replace(photo, vector=by_photo.get(id(photo))) for photo in photos]


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """A thread for each core. OpenCV's own threads are off meanwhile, and what wasn't begun is dropped at the end."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="enrol")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(before)


def looked_ahead(
    pipeline: Pipeline, plan: Sequence[Person], pool: ThreadPoolExecutor, *, at_once: int = PEOPLE_AT_ONCE
) -> Iterator[list[tuple[Person, list[DraftPhoto]]]]:
    """The people of a plan in order, `at_once` of them at a time, with their photographs looked at and embedded.

    While one group is being embedded, and whatever the caller does with it, the next one is read and searched.
    """
    groups = [plan[first : first + at_once] for first in range(0, len(plan), at_once)]

    def begin(group: Sequence[Person]) -> list[list[Future[DraftPhoto]]]:
        return [[pool.submit(look, pipeline, path, path.name) for path in paths] for _, paths in group]

    coming = begin(groups[0]) if groups else []
    for number, group in enumerate(groups):
        looked = [[photo.result() for photo in photos] for photos in coming]
        coming = begin(groups[number + 1]) if number + 1 < len(groups) else []
        done = iter(embedded(pipeline, [photo for photos in looked for photo in photos]))
        yield [(person, [next(done) for _ in photos]) for person, photos in zip(group, looked, strict=True)]
