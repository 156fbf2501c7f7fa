"""Enrolment drafts: photographs of one person, with detected face, embedding and findings; nothing is stored yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import CoreError
from core.gallery.review import review_enrolment
from core.images import read_image, sha256_of
from core.pipeline import Pipeline
from core.recognition.boxes import REDRAW, Box, NoFaceInBox
from core.recognition.results import NO_FACE_IN_BOX, DraftPhoto, EnrolmentDraft


class NothingToEnrol(CoreError):
    """None of the photographs can be used."""

    help_topic = "enrol"


class DraftOutdated(CoreError):
    """A draft made with other weights, another upscaler or another attack check than those in use now."""

    help_topic = "other-weights"


def prepare_enrolment(
    pipeline: Pipeline,
    images: Sequence[Any],
    names: Sequence[str] | None = None,
    *,
    person: str = "",
    boxes: Sequence[Box | None] | None = None,
) -> EnrolmentDraft:
    """Detect and embed the face in each photograph of one person, and review them; nothing is stored.

    `images` is anything that `read_image` reads, `names` their labels on screen (default: file names), `person` the
    name to enrol, `boxes` one for each photograph: (x, y, width, height) around its face, None where it is to be
    detected. Unreadable files and photographs without a usable face are returned with the reason.
    """
    labels = names if names is not None else [_label(image, i) for i, image in enumerate(images)]
    drawn = boxes if boxes is not None else [None] * len(images)
    given = zip(images, labels, drawn, strict=True)
    photos = [detect_photo(pipeline, image, label, box) for image, label, box in given]
    return review_draft(pipeline, EnrolmentDraft(tuple(embed_photos(pipeline, photos))), person)


def detect_photo(pipeline: Pipeline, image: Any, label: str, box: Box | None = None) -> DraftPhoto:
    """Read one photograph and detect its faces, or read the one in `box`, without embedding. A fault is returned in the
    result's `error`."""
    try:
        rgb = read_image(image, name=label)
        found = pipeline.find(rgb, boxes=None if box is None else [box])
        if box is not None and not found:
            raise NoFaceInBox(f"{NO_FACE_IN_BOX.capitalize()}.", REDRAW)
    except CoreError as error:
        return DraftPhoto(label, error=error)
    return DraftPhoto(
        label, sha256_of(rgb.tobytes()), found[0] if found else None, faces_found=len(found), made_by=pipeline.made_by
    )


def embed_photos(pipeline: Pipeline, photos: Sequence[DraftPhoto]) -> list[DraftPhoto]:
    """Return the photographs with the embeddings of usable faces, computed in one batch."""
    ready = [photo for photo in photos if photo.probe is not None and not photo.probe.unrecognisable_because]
    vectors = pipeline.embed([photo.probe for photo in ready if photo.probe is not None])
    by_photo = {id(photo): vector for photo, vector in zip(ready, vectors, strict=True)}
    return [replace(photo, vector=by_photo.get(id(photo))) for photo in photos]


def review_draft(pipeline: Pipeline, draft: EnrolmentDraft, person: str) -> EnrolmentDraft:
    """Return the draft with new findings, for another name or after photographs were left out.

    A photograph that is there twice, or stored for the person already, becomes unusable.
    """
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


def best_first(draft: EnrolmentDraft) -> EnrolmentDraft:
    """Return the draft with its photographs by recognisability, the highest first; those without a usable face last.

    Findings name photographs by position, so they are dropped.
    """

    def key(photo: DraftPhoto) -> tuple[bool, float]:
        measured = photo.probe.quality.recognisability if photo.probe is not None else None
        return (photo.vector is None, 0.0 if measured is None else -measured)

    return EnrolmentDraft(tuple(sorted(draft.photos, key=key)))


def require_current(pipeline: Pipeline, draft: EnrolmentDraft) -> None:
    """Raises DraftOutdated where the draft was made by another pipeline.

    Its embeddings would be stored as another network's, or without the attack check in use.
    """
    if any(photo.made_by not in ("", pipeline.made_by) for photo in draft.usable):
        raise DraftOutdated(
            "The weights or settings have changed since these photographs were prepared.",
            "Choose the photographs again.",
        )


def require_usable(draft: EnrolmentDraft) -> None:
    if draft.usable:
        return
    reasons = "; ".join(map(_left_out, draft.photos[:3])) or "no photographs were given"
    errors = [photo.error for photo in draft.photos if photo.error is not None]
    seen = "Choose photographs in which the face can be seen."
    step = errors[0].next_step if errors and len(errors) == len(draft.photos) else seen
    raise NothingToEnrol(f"Nothing to enrol ({reasons}).", step)


def _left_out(photo: DraftPhoto) -> str:
    return photo.reason if photo.name in photo.reason else f"{photo.name}: {photo.reason}"


def _label(image: Any, position: int) -> str:
    if isinstance(image, (str, Path)):
        return Path(image).name
    return getattr(image, "name", "") or f"photo {position + 1}"
