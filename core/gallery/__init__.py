"""The gallery of known people: schema and storage, exact search, review of enrolments, import and export."""

from core.gallery.errors import (
    GalleryBusy,
    GalleryError,
    GalleryLocked,
    GalleryNewer,
    GalleryUnreadable,
    IdentityNotFound,
    ImportRejected,
    NameInvalid,
    NameTaken,
    SpaceMismatch,
    TemplateInvalid,
)
from core.gallery.match import Index
from core.gallery.records import AuditEntry, Candidate, Identity, NewTemplate, Space, StoredTemplate
from core.gallery.store import Gallery

__all__ = [
    "AuditEntry",
    "Candidate",
    "Gallery",
    "GalleryBusy",
    "GalleryError",
    "GalleryLocked",
    "GalleryNewer",
    "GalleryUnreadable",
    "Identity",
    "IdentityNotFound",
    "ImportRejected",
    "Index",
    "NameInvalid",
    "NameTaken",
    "NewTemplate",
    "Space",
    "SpaceMismatch",
    "StoredTemplate",
    "TemplateInvalid",
]
