"""Enrol people from photographs: look first, say what is wrong, store only when asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.enrolment.prepare import embedded, look, looked_ahead, workers
from core.errors import CoreError
from core.gallery.records import Identity, NewTemplate
from core.gallery.review import Finding, review_enrolment
from core.images import encode_image
from core.pipeline import Pipeline
from core.recognition.matched_templates import matched_templates
from core.recognition.results import DraftPhoto, EnrolmentDraft, Probe


class NothingToEnrol(CoreError):
    """None of the photographs offered can be used."""

    help_topic = "enrol"


class DraftOutdated(CoreError):
    """Photographs that were looked at with other weights, another upscaler or another check than those in use now."""

    help_topic = "other-weights"


class HeldBack(CoreError):
    """Photographs that may show somebody else: stored only after a person has looked."""

    help_topic = "enrol"


@dataclass(frozen=True)
class BulkRow:
    """What became of one person of a bulk enrolment: `stored` photographs of `offered`, and what was wrong.

    `rejected` are (photograph, reason), `findings` what there was to say before storing, `error` why nothing was.
    """

    name: str
    offered: int
    stored: int
    rejected: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str = ""


def prepare_enrolment(
    pipeline: Pipeline, images: Sequence[Any], names: Sequence[str] | None = None, *, person: str = ""
) -> EnrolmentDraft:
    """Look at photographs of one person without storing anything.

    `images` are whatever `read_image` reads, `names` what to call them on screen (default: file names), `person` the
    name that they are meant for. Unreadable files and photographs without a usable face come back with their reason.
    """
    labels = names if names is not None else [_label(image, i) for i, image in enumerate(images)]
    photos = [look(pipeline, image, label) for image, label in zip(images, labels, strict=True)]
    return review(pipeline, EnrolmentDraft(tuple(embedded(pipeline, photos))), person)


def review(pipeline: Pipeline, draft: EnrolmentDraft, person: str) -> EnrolmentDraft:
    """The draft with its findings made again: for another name, or after photographs were left out. A photograph that
    is there twice, or stored for the person already, isn't usable then."""
    fresh = [replace(photo, repeats="") for photo in draft.photos]
    offered = [place for place, photo in enumerate(fresh) if photo.usable]
    if not offered:
        return replace(draft, photos=tuple(fresh), findings=())
    findings = review_enrolment(
        pipeline.gallery.store,
        pipeline.space,
        person,
        np.stack([vector for place in offered if (vector := fresh[place].vector) is not None]),
        image_sha256s=[fresh[place].image_sha256 for place in offered],
    )
    for finding in findings:
        if finding.code == "duplicate_photograph" and finding.photo is not None:
            place = offered[finding.photo]
            fresh[place] = replace(fresh[place], repeats="the same photograph is there already")
    return EnrolmentDraft(tuple(fresh), tuple(findings))


def enrol(
    pipeline: Pipeline,
    name: str,
    draft: EnrolmentDraft,
    *,
    store_crops: bool = True,
    note: str = "",
    actor: str = "local",
    add: bool = False,
    matched_sizes: Sequence[int] = (),
) -> Identity:
    """Store the usable photographs of a draft as templates of `name`, in one transaction; one that is there already
    isn't stored again.

    `matched_sizes` (of 32, 24 and 16 px) adds a template at each for every photograph of full size. `add` stores them
    with the person of that name who is there already (or a new one). Raises NothingToEnrol, DraftOutdated, NameTaken,
    NameInvalid, and GalleryError or StorageFailed when the gallery can't be written.
    """
    draft = review(pipeline, draft, name)
    _require_usable(draft)
    require_current(pipeline, draft)
    templates = _templates(pipeline, draft, store_crops, matched_sizes)
    return _store(pipeline, name, templates, note=note, actor=actor, add=add)


def require_current(pipeline: Pipeline, draft: EnrolmentDraft) -> None:
    """Raises DraftOutdated where the pipeline isn't the one that looked at the photographs: their embeddings would be
    stored as another network's, or past a check that they never met."""
    if any(photo.made_by not in ("", pipeline.made_by) for photo in draft.usable):
        raise DraftOutdated(
            "What recognises faces has changed since these photographs were looked at.", "Look at them again."
        )


def _templates(
    pipeline: Pipeline, draft: EnrolmentDraft, store_crops: bool, matched_sizes: Sequence[int]
) -> list[NewTemplate]:
    own = [_template(photo, photo.probe, store_crops) for photo in draft.usable if photo.probe is not None]
    return own + matched_templates(
        pipeline.encoder, pipeline.upscaler, draft.usable, matched_sizes, store_crops=store_crops
    )


def _store(
    pipeline: Pipeline, name: str, templates: Sequence[NewTemplate], *, note: str, actor: str, add: bool
) -> Identity:
    store = pipeline.gallery.store
    known = store.find(name) if add else None
    if known is not None:
        return store.add_templates(known.id, templates, space=pipeline.space, actor=actor)
    return store.enrol(name, templates, space=pipeline.space, note=note, actor=actor)


def enrol_many(
    pipeline: Pipeline,
    plan: Sequence[tuple[str, Sequence[Path]]],
    *,
    store_crops: bool = True,
    actor: str = "local",
    add: bool = False,
    force: bool = False,
    matched_sizes: Sequence[int] = (),
    on_person: Callable[[int, int, BulkRow], None] | None = None,
) -> list[BulkRow]:
    """Enrol every (name, photographs) of a plan, in order. One person's failure stops nobody else's enrolment.

    A person with a serious finding (a photograph unlike the others, enrolled under another name) is held back and
    told of in the row's error, unless `force`. People are embedded and stored some at a time; `on_person` is told of
    each once what became of them is on the disk.
    """
    rows: list[BulkRow] = []
    how = _How(actor, add, force, store_crops, tuple(matched_sizes))
    with workers() as pool:
        for group in looked_ahead(pipeline, plan, pool):
            drafts = [EnrolmentDraft(tuple(photos)) for _, photos in group]
            made = pool.map(lambda draft: _templates(pipeline, draft, store_crops, matched_sizes), drafts)
            waiting = [
                _Waiting(name, len(paths), draft, templates)
                for ((name, paths), _), draft, templates in zip(group, drafts, made, strict=True)
            ]
            for row in _store_group(pipeline, waiting, how):
                rows.append(row)
                if on_person is not None:
                    on_person(len(rows), len(plan), row)
    return rows


@dataclass(frozen=True)
class _How:
    actor: str
    add: bool
    force: bool
    store_crops: bool
    matched_sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A person of a bulk enrolment, looked at and ready to be stored; not reviewed yet."""

    name: str
    offered: int
    draft: EnrolmentDraft
    templates: list[NewTemplate]


def _store_group(pipeline: Pipeline, waiting: Sequence[_Waiting], how: _How) -> list[BulkRow]:
    """Store people in one transaction; where that fails as a whole, each in one of their own."""
    database = pipeline.gallery.store.database
    try:
        with database.transaction() as connection:
            rows = []
            for person in waiting:
                connection.execute("SAVEPOINT person")
                row = _store_one(pipeline, person, how)
                if row.error:
                    connection.execute("ROLLBACK TO person")  # fails when the error ended the transaction
                connection.execute("RELEASE person")
                rows.append(row)
            return rows
    except CoreError as error:
        if len(waiting) == 1:
            return [_row(waiting[0], waiting[0].draft, error)]
        return [row for person in waiting for row in _store_group(pipeline, [person], how)]


def _store_one(pipeline: Pipeline, person: _Waiting, how: _How) -> BulkRow:
    draft = person.draft
    try:
        draft = review(pipeline, draft, person.name)
        serious = [finding.text for finding in draft.findings if finding.serious]
        if serious and not how.force:
            raise HeldBack(f"Held back: {' '.join(serious)}", "Look at the photographs, then enrol with --force.")
        _require_usable(draft)
        templates = person.templates
        if any(photo.repeats for photo in draft.photos):
            templates = _templates(pipeline, draft, how.store_crops, how.matched_sizes)
        _store(pipeline, person.name, templates, note="", actor=how.actor, add=how.add)
    except CoreError as error:
        return _row(person, draft, error)
    return _row(person, draft)


def _row(person: _Waiting, draft: EnrolmentDraft, error: CoreError | None = None) -> BulkRow:
    rejected = tuple((photo.name, photo.reason) for photo in draft.photos if not photo.usable)
    stored = len(draft.usable) if error is None else 0
    return BulkRow(person.name, person.offered, stored, rejected, draft.findings, "" if error is None else str(error))


def _require_usable(draft: EnrolmentDraft) -> None:
    if draft.usable:
        return
    reasons = "; ".join(map(_left_out, draft.photos[:3])) or "no photographs were given"
    errors = [photo.error for photo in draft.photos if photo.error is not None]
    seen = "Choose photographs in which the face can be seen."
    step = errors[0].next_step if errors and len(errors) == len(draft.photos) else seen
    raise NothingToEnrol(f"Nothing to enrol ({reasons}).", step)


def _left_out(photo: DraftPhoto) -> str:
    return photo.reason if photo.name in photo.reason else f"{photo.name}: {photo.reason}"


def _template(photo: DraftPhoto, probe: Probe, store_crops: bool) -> NewTemplate:
    assert photo.vector is not None
    return NewTemplate(
        vector=photo.vector,
        kind="hr" if probe.size_px is None else "sr",
        probe_px=probe.probe_px,
        size_px=probe.size_px,
        image_sha256=photo.image_sha256,
        crop=encode_image(probe.aligned) if store_crops else None,
        source=photo.name,
    )


def _label(image: Any, position: int) -> str:
    if isinstance(image, (str, Path)):
        return Path(image).name
    return getattr(image, "name", "") or f"photo {position + 1}"
