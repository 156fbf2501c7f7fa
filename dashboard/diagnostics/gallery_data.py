"""What the Diagnostics page reads of the gallery: cached until the gallery changes."""

from __future__ import annotations

import streamlit as st

from core.diagnostics.cloud import Cloud, cloud_of_gallery
from core.diagnostics.gallery_health import examine
from core.diagnostics.gallery_troubles import GalleryHealth
from core.gallery.errors import IdentityNotFound
from core.gallery.records import Space
from core.gallery.store import Gallery, Revision
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import gallery, space_in_use
from dashboard.ui.pictures import image_address


def health_space() -> Space | None:
    """The space to look at: that of the weights in use; where nobody is in it, the one with the most templates; None
    for an empty gallery."""
    store = gallery()
    weights, _ = weights_in_use()
    space = space_in_use(weights) if weights is not None else None
    if space is not None and store.index(space).size:
        return space
    others = store.spaces()
    return others[0][0] if others else None


def gallery_cloud(space: Space) -> Cloud:
    """Every template of the space. Raises SettingsInvalid when there is none."""
    store = gallery()
    return _cloud(str(store.path), store.revision, repr(space), store, space)


@st.cache_resource(max_entries=2, show_spinner="Reading the gallery's templates")
def _cloud(path: str, version: Revision, space_name: str, _store: Gallery, _space: Space) -> Cloud:
    return cloud_of_gallery(_store, _space)


def health_of(space: Space, threshold: float) -> GalleryHealth:
    """The gallery examined. Raises GalleryError."""
    store = gallery()
    return _health(str(store.path), store.revision, repr(space), threshold, store, space)


@st.cache_resource(max_entries=2, show_spinner="Comparing everybody with everybody")
def _health(
    path: str, version: Revision, space_name: str, threshold: float, _store: Gallery, _space: Space
) -> GalleryHealth:
    return examine(_store, _space, threshold=threshold)


def crop_address(person: int, template: int) -> str | None:
    """A stored crop as an address for <img>; None where none is kept, or it is gone."""
    store = gallery()
    return _crops(str(store.path), store.revision, person, store).get(template)


@st.cache_data(max_entries=300, show_spinner=False)
def _crops(path: str, version: Revision, person: int, _store: Gallery) -> dict[int, str]:
    try:
        return {each.id: image_address(each.crop) for each in _store.crops(person) if each.crop}
    except IdentityNotFound:
        return {}
