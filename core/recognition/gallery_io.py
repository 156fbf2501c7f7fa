"""Take a gallery into a pipeline from a file, and out of it into one: a database is known by content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SettingsInvalid
from core.gallery.embeddings_pt import import_embeddings_pt, write_embeddings_pt
from core.gallery.encoder_view import BoundGallery
from core.gallery.import_merge import ImportReport
from core.gallery.store import Gallery
from core.gallery.transfer import SUFFIX, export_gallery, import_gallery
from core.system.sqlite_files import is_database

if TYPE_CHECKING:
    from core.pipeline import Pipeline


def load_gallery(pipeline: Pipeline, path: str | Path) -> ImportReport | None:
    """Use the people in a file for this pipeline's recognitions.

    A gallery database becomes the pipeline's gallery, so that later changes go into it (None is returned). A portable
    export or a `.pt` of names and embeddings is imported into the gallery in use; people already there get the
    templates added. Embeddings in a `.pt` carry no weights' identity: they are taken as made by the pipeline's own.
    Raises GalleryUnreadable, ImportRejected and the like; nothing is changed then.
    """
    path = Path(path)
    if is_database(path):
        opened = Gallery.open(path, create=False)
        earlier, pipeline.gallery = pipeline.gallery, BoundGallery(opened, pipeline.space)
        earlier.store.close()
        return None
    store = pipeline.gallery.store
    if path.suffix.lower() in (".pt", ".pth"):
        return import_embeddings_pt(store, path, space=pipeline.space, on_conflict="add")
    return import_gallery(store, path, on_conflict="add")


def save_gallery(pipeline: Pipeline, path: str | Path, *, include_crops: bool = True) -> int:
    """Write the gallery to a file and return how many people it holds.

    `.pt` gets a dict name -> mean embedding of the people that this pipeline's weights know; `.efgallery` the whole
    gallery with its encoders' identities. Raises SettingsInvalid for another ending, StorageFailed when it can't be
    written.
    """
    path = Path(path)
    if path.suffix == ".pt":
        return write_embeddings_pt(pipeline.gallery.store, pipeline.space, path)
    if path.suffix == SUFFIX:
        return export_gallery(pipeline.gallery.store, path, include_crops=include_crops).identities
    raise SettingsInvalid(
        f"A gallery is saved as .pt or {SUFFIX}, not '{path.suffix}'.", "Give the file one of these endings."
    )
