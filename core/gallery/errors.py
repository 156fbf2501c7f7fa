"""The gallery's errors, one class for each that a user can act on."""

from __future__ import annotations

from core.errors import CoreError


class GalleryError(CoreError):
    """The gallery can't do what was asked."""

    help_topic = "gallery"


class IdentityNotFound(GalleryError):
    """No identity, or no template, of that name or number is in the gallery."""


class NameTaken(GalleryError):
    """A person of that name, ignoring case, is enrolled already."""


class NameInvalid(GalleryError):
    """Empty, too long, or with characters that can't be shown."""


class TemplateInvalid(GalleryError):
    """A vector or its description can't be stored or searched with."""


class SpaceMismatch(GalleryError):
    """Vectors of different weights, upscaler or flip setting can't be compared."""


class GalleryUnreadable(GalleryError):
    """The file is no gallery, or it is damaged. It is never modified."""


class GalleryNewer(GalleryError):
    """A newer EdgeFace Studio wrote the file. It is never modified."""


class GalleryLocked(GalleryError):
    """The gallery is encrypted, and the key for it wasn't given."""

    help_topic = "encryption"


class GalleryBusy(GalleryError):
    """Another program kept the gallery locked for longer than the waiting time."""


class ImportRejected(GalleryError):
    """A file to import isn't what it claims to be; nothing of it was imported."""
