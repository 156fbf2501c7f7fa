"""Load the people of a file into a pipeline's gallery, and save the gallery as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from core.errors import SettingsInvalid
from core.gallery.embeddings_pt import import_embeddings_pt, write_embeddings_pt
from core.gallery.encoder_view import EncoderView
from core.gallery.import_merge import ImportReport
from core.gallery.records import Space
from core.gallery.store import Gallery
from core.gallery.transfer import SUFFIX, export_gallery, import_gallery
from core.system.sqlite_files import is_database


class HasGallery(Protocol):
    """An object with a gallery, such as a pipeline."""

    gallery: EncoderView
    space: Space


def load_gallery(pipeline: HasGallery, path: str | Path) -> ImportReport | None:
    """Load the people of a file into the pipeline's gallery.

    A gallery database, recognised by its content, becomes the pipeline's gallery, so that later changes are written to
    it; None is returned. An `.efgallery` export or a `.pt` of names and embeddings is imported into the current
    gallery; people who are already enrolled get the templates added. A `.pt` doesn't name the encoder: its embeddings
    are taken as made by the pipeline's own. Raises GalleryUnreadable, ImportRejected and other gallery errors; nothing
    is changed then.
    """
    path = Path(path)
    if is_database(path):
        opened = Gallery.open(path, create=False)
        earlier, pipeline.gallery = pipeline.gallery, EncoderView(opened, pipeline.space)
        earlier.store.close()
        return None
    store = pipeline.gallery.store
    if path.suffix.lower() in (".pt", ".pth"):
        return import_embeddings_pt(store, path, space=pipeline.space, on_conflict="add")
    return import_gallery(store, path, on_conflict="add")


def save_gallery(pipeline: HasGallery, path: str | Path, *, include_crops: bool = True) -> int:
    """Save the gallery as a file and return the number of people in it.

    `.pt` holds a dict name -> mean embedding of the people with templates of the pipeline's encoder; `.efgallery` the
    whole gallery with its encoders' identities. Raises SettingsInvalid for another ending, StorageFailed when the file
    can't be written.
    """
    path = Path(path)
    if path.suffix == ".pt":
        return write_embeddings_pt(pipeline.gallery.store, pipeline.space, path)
    if path.suffix == SUFFIX:
        return export_gallery(pipeline.gallery.store, path, include_crops=include_crops).identities
    raise SettingsInvalid(
        f"A gallery is saved as .pt or {SUFFIX}, not '{path.suffix}'.", "Give the file one of these endings."
    )
