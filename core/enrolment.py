"""Enrol people from photographs: look first, say what is wrong, store only when asked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import CoreError
from core.gallery.review import Finding, review_enrolment
from core.gallery.values import Identity, NewTemplate
from core.images import encode_image, read_image, sha256_of
from core.matched import matched_templates
from core.pipeline import Pipeline
from core.recognition import DraftPhoto, EnrolmentDraft, Probe


class NothingToEnrol(CoreError):
    """None of the photographs offered can be used."""

    help_topic = "enrol"


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
    photos = [_look(pipeline, image, label) for image, label in zip(images, labels, strict=True)]
    ready = [photo for photo in photos if photo.probe is not None and not photo.probe.unrecognisable_because]
    vectors = pipeline.embed([photo.probe for photo in ready if photo.probe is not None])
    by_name = {id(photo): vector for photo, vector in zip(ready, vectors, strict=True)}
    draft = EnrolmentDraft(tuple(replace(photo, vector=by_name.get(id(photo))) for photo in photos))
    return review(pipeline, draft, person)


def review(pipeline: Pipeline, draft: EnrolmentDraft, person: str) -> EnrolmentDraft:
    """The draft with its findings made anew: for another name, or after photographs were left out."""
    usable = draft.usable
    if not usable:
        return replace(draft, findings=())
    findings = review_enrolment(
        pipeline.gallery.store,
        pipeline.space,
        person,
        np.stack([photo.vector for photo in usable if photo.vector is not None]),
        image_sha256s=[photo.image_sha256 for photo in usable],
    )
    return replace(draft, findings=tuple(findings))


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
    """Store the usable photographs of a draft as templates of `name`, in one transaction.

    `matched_sizes` (of 32, 24 and 16 px) adds a template at each for every photograph of full size. `add` stores them
    with the person of that name who is there already (or a new one). Raises NothingToEnrol, NameTaken, NameInvalid, and
    GalleryError or StorageFailed when the gallery can't be written.
    """
    if not draft.usable:
        reasons = (
            "; ".join(f"{photo.name}: {photo.reason}" for photo in draft.photos[:3]) or "no photographs were given"
        )
        raise NothingToEnrol(f"Nothing to enrol ({reasons}).", "Choose photographs in which the face can be seen.")
    templates = [_template(photo, photo.probe, store_crops) for photo in draft.usable if photo.probe is not None]
    templates += matched_templates(pipeline, draft.usable, matched_sizes, store_crops=store_crops)
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
    """Enrol every (name, photographs) of a plan. One person's failure stops nobody else's enrolment.

    A person with a serious finding (a photograph unlike the others, enrolled under another name) is held back and
    told of in the row's error, unless `force`.
    """
    rows: list[BulkRow] = []
    for done, (name, paths) in enumerate(plan, start=1):
        draft = prepare_enrolment(pipeline, list(paths), person=name)
        rejected = tuple((photo.name, photo.reason) for photo in draft.photos if not photo.usable)
        row = BulkRow(name, len(paths), len(draft.usable), rejected, draft.findings)
        serious = [finding.text for finding in draft.findings if finding.serious]
        try:
            if serious and not force:
                raise HeldBack(f"Held back: {' '.join(serious)}", "Look at the photographs, then enrol with --force.")
            enrol(
                pipeline, name, draft, store_crops=store_crops, actor=actor, add=add, matched_sizes=matched_sizes
            )  # fmt: skip
        except CoreError as error:
            row = replace(row, stored=0, error=str(error))
        rows.append(row)
        if on_person is not None:
            on_person(done, len(plan), row)
    return rows


def _look(pipeline: Pipeline, image: Any, label: str) -> DraftPhoto:
    try:
        rgb = read_image(image, name=label)
        found = pipeline.find(rgb)
    except CoreError as error:
        return DraftPhoto(label, error=error)
    return DraftPhoto(label, sha256_of(rgb.tobytes()), found[0] if found else None, faces_found=len(found))


def _why_unusable(photo: DraftPhoto) -> str:
    # An error names its file already.
    return photo.error.what.rstrip(".") if photo.error is not None else f"{photo.name}: {photo.reason}"


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
