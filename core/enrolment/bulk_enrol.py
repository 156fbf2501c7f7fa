"""Bulk enrolment: many people at once, prepared in parallel and stored in groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.enrolment.drafts import detect_photo, embed_photos, require_usable, review_draft
from core.enrolment.enrol import DEFAULTS, EnrolOptions, draft_templates, store_templates
from core.errors import CoreError
from core.gallery.records import NewTemplate
from core.gallery.review import Finding
from core.pipeline import Pipeline
from core.recognition.results import DraftPhoto, EnrolmentDraft
from core.system.cpu import one_opencv_thread

PEOPLE_AT_ONCE = 16
"""People whose photographs are embedded together, and stored in one transaction."""

Person = tuple[str, Sequence[Path]]
"""A name and that person's photographs."""


class HeldBack(CoreError):
    """Photographs that may show somebody else: they are stored only after a person has checked them."""

    help_topic = "enrol"


@dataclass(frozen=True)
class BulkRow:
    """The result for one person of a bulk enrolment: `stored` photographs of `offered`, and what was wrong.

    `rejected` are (photograph, reason), `findings` those of the review, `error` why nothing was stored.
    """

    name: str
    offered: int
    stored: int
    rejected: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str = ""


def enrol_many(
    pipeline: Pipeline,
    plan: Sequence[Person],
    *,
    options: EnrolOptions = DEFAULTS,
    force: bool = False,
    on_person: Callable[[int, int, BulkRow], None] | None = None,
) -> list[BulkRow]:
    """Enrol every (name, photographs) of a plan, in order. A failure concerns that person only.

    A person with a serious finding (a photograph unlike the others, already enrolled under another name) is held back,
    with the reason in the row's error, unless `force`. People are embedded and stored in groups;
    `on_person(done, total, row)` is called for each once their group is on disk.
    """
    rows: list[BulkRow] = []
    with detection_threads() as pool:
        for group in prepared_groups(pipeline, plan, pool):
            drafts = [EnrolmentDraft(tuple(photos)) for _, photos in group]
            made = pool.map(lambda draft: draft_templates(pipeline, draft, options), drafts)
            prepared = [
                _PreparedPerson(name, len(paths), draft, templates)
                for ((name, paths), _), draft, templates in zip(group, drafts, made, strict=True)
            ]
            for row in _store_group(pipeline, prepared, options, force):
                rows.append(row)
                if on_person is not None:
                    on_person(len(rows), len(plan), row)
    return rows


@dataclass(frozen=True, eq=False)
class _PreparedPerson:
    """A person of a bulk enrolment with templates, not reviewed yet."""

    name: str
    offered: int
    draft: EnrolmentDraft
    templates: list[NewTemplate]


def _store_group(
    pipeline: Pipeline, prepared: Sequence[_PreparedPerson], options: EnrolOptions, force: bool
) -> list[BulkRow]:
    """Store people in one transaction; where that fails, each in their own."""
    database = pipeline.gallery.store.database
    try:
        with database.transaction() as connection:
            rows = []
            for person in prepared:
                connection.execute("SAVEPOINT person")
                row = _store_one(pipeline, person, options, force)
                if row.error:
                    connection.execute("ROLLBACK TO person")  # fails when the error ended the transaction
                connection.execute("RELEASE person")
                rows.append(row)
            return rows
    except CoreError as error:
        if len(prepared) == 1:
            return [_row(prepared[0], prepared[0].draft, error)]
        return [row for person in prepared for row in _store_group(pipeline, [person], options, force)]


def _store_one(pipeline: Pipeline, person: _PreparedPerson, options: EnrolOptions, force: bool) -> BulkRow:
    draft = person.draft
    try:
        draft = review_draft(pipeline, draft, person.name)
        serious = [finding.text for finding in draft.findings if finding.serious]
        if serious and not force:
            raise HeldBack(f"Held back: {' '.join(serious)}", "Look at the photographs, then enrol with --force.")
        require_usable(draft)
        templates = person.templates
        if any(photo.repeats for photo in draft.photos):
            templates = draft_templates(pipeline, draft, options)
        store_templates(pipeline, person.name, templates, options)
    except CoreError as error:
        return _row(person, draft, error)
    return _row(person, draft)


def _row(person: _PreparedPerson, draft: EnrolmentDraft, error: CoreError | None = None) -> BulkRow:
    rejected = tuple((photo.name, photo.reason) for photo in draft.photos if not photo.usable)
    stored = len(draft.usable) if error is None else 0
    return BulkRow(person.name, person.offered, stored, rejected, draft.findings, "" if error is None else str(error))


@contextmanager
def detection_threads() -> Iterator[ThreadPoolExecutor]:
    """A thread pool with one thread per core. OpenCV's own threads are off meanwhile; pending work is cancelled."""
    with one_opencv_thread():
        pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="enrol")
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def prepared_groups(
    pipeline: Pipeline, plan: Sequence[Person], pool: ThreadPoolExecutor, *, at_once: int = PEOPLE_AT_ONCE
) -> Iterator[list[tuple[Person, list[DraftPhoto]]]]:
    """Yield the people of a plan in order, `at_once` at a time, with detected and embedded photographs.

    The next group's photographs are read and searched for faces while the current group is embedded and stored.
    """
    groups = [plan[first : first + at_once] for first in range(0, len(plan), at_once)]

    def begin(group: Sequence[Person]) -> list[list[Future[DraftPhoto]]]:
        return [[pool.submit(detect_photo, pipeline, path, path.name) for path in paths] for _, paths in group]

    coming = begin(groups[0]) if groups else []
    for number, group in enumerate(groups):
        looked = [[photo.result() for photo in photos] for photos in coming]
        coming = begin(groups[number + 1]) if number + 1 < len(groups) else []
        done = iter(embed_photos(pipeline, [photo for photos in looked for photo in photos]))
        yield [(person, [next(done) for _ in photos]) for person, photos in zip(group, looked, strict=True)]
