"""Open a gallery on a database server: the driver is an extra, imported only where an address asks for it."""

from __future__ import annotations

from typing import LiteralString

from core.errors import StorageFailed
from core.gallery.keys import Keys
from core.gallery.storage import Clock, Storage
from core.system.server_address import server_address

SCHEMA_ON_SERVERS: LiteralString = "edgeface_gallery"
"""The schema that holds a gallery's tables, so that a database may hold others' beside it."""


def open_server(address: str, *, now: Clock, wait_s: float, create: bool, keys: Keys) -> Storage:
    """Open the gallery at a server's address.

    Raises ServerAddressInvalid, GalleryUnreadable (no gallery there, and `create` is False), GalleryNewer,
    GalleryError (a key is set: galleries on servers aren't encrypted here), StorageFailed.
    """
    place = server_address(address)
    try:
        from core.gallery.postgres import PostgresDatabase
    except ImportError as error:
        raise StorageFailed(
            f"{place} needs a package that isn't installed: {error}.", 'Run pip install "edgeface-studio[postgres]".'
        ) from error
    return PostgresDatabase(place, now=now, wait_s=wait_s, create=create, keys=keys)
