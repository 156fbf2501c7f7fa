"""Enrol one person: store the usable photographs of a draft as templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.enrolment.drafts import require_current, require_usable, review_draft
from core.gallery.records import Identity, NewTemplate
from core.images import encode_image
from core.pipeline import Pipeline
from core.recognition.matched_templates import matched_templates
from core.recognition.results import DraftPhoto, EnrolmentDraft, Probe


@dataclass(frozen=True)
class EnrolOptions:
    """How photographs are stored.

    store_crops: keep the 112 px face crops. add: store with the person who has this name already, or a new one.
    matched_sizes: sizes (of 32, 24 and 16 px) at which every full-size photograph gets a further template.
    """

    store_crops: bool = True
    add: bool = False
    matched_sizes: tuple[int, ...] = ()
    actor: str = "local"


DEFAULTS = EnrolOptions()


def enrol(
    pipeline: Pipeline,
    name: str,
    draft: EnrolmentDraft,
    *,
    options: EnrolOptions = DEFAULTS,
    note: str = "",
) -> Identity:
    """Store the usable photographs of a draft as templates of `name`, in one transaction.

    Photographs that are stored for this person already are skipped. Raises NothingToEnrol, DraftOutdated, NameTaken,
    NameInvalid, and GalleryError or StorageFailed when the gallery can't be written.
    """
    draft = review_draft(pipeline, draft, name)
    require_usable(draft)
    require_current(pipeline, draft)
    return store_templates(pipeline, name, draft_templates(pipeline, draft, options), options, note)


def draft_templates(pipeline: Pipeline, draft: EnrolmentDraft, options: EnrolOptions) -> list[NewTemplate]:
    """Return the templates of a draft's usable photographs, the matched ones included."""
    own = [_template(photo, photo.probe, options.store_crops) for photo in draft.usable if photo.probe is not None]
    return own + matched_templates(
        pipeline.encoders,
        pipeline.upscaler,
        pipeline.detector,
        draft.usable,
        options.matched_sizes,
        store_crops=options.store_crops,
    )


def store_templates(
    pipeline: Pipeline, name: str, templates: Sequence[NewTemplate], options: EnrolOptions, note: str = ""
) -> Identity:
    """Store templates with the person of that name where `options.add` is set, else with a new one."""
    store = pipeline.gallery.store
    known = store.find(name) if options.add else None
    if known is not None:
        return store.add_templates(known.id, templates, space=pipeline.space, actor=options.actor)
    return store.enrol(name, templates, space=pipeline.space, note=note, actor=options.actor)


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
        recognisability=probe.quality.recognisability,
    )
