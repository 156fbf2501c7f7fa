"""The JSON of a portable gallery file as pydantic models: types, lengths and ranges of every field."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.gallery.errors import ImportRejected
from core.system.validated import first_fault

_Model = TypeVar("_Model")

ShortText = Annotated[str, Field(max_length=200)]


class _Part(BaseModel):
    """Base of all parts. Types are strict, numbers finite; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class ManifestHeader(_Part):
    """The fields that every version of the format has."""

    format: str = ""
    version: int = Field(ge=1, le=1_000_000)


class ArchiveEncoder(_Part):
    """An encoder whose embeddings are in the archive."""

    name: ShortText
    weights_sha256: ShortText
    dim: int = Field(ge=1, le=65_536)


class ArchiveMember(_Part):
    """Size and checksum of a member of the zip file."""

    sha256: ShortText
    bytes: int = Field(ge=0)


class Manifest(ManifestHeader):
    """manifest.json."""

    created_at: AwareDatetime
    encoders: list[ArchiveEncoder]
    members: dict[str, ArchiveMember]


class TemplateEntry(_Part):
    """A template in identities.json: `row` of vectors-<encoder>.npy, and how it was made."""

    encoder: int = Field(ge=0)
    row: int = Field(ge=0)
    kind: Literal["hr", "sr"]
    probe_px: float = Field(gt=0, le=1e30)
    size_px: int | None
    upscaler: ShortText
    flip_tta: bool
    image_sha256: ShortText
    source: str = Field(max_length=1000)
    added_at: AwareDatetime
    crop: str | None = None
    recognisability: float | None = Field(default=None, ge=0, le=1)


class ArchiveIdentity(_Part):
    """A person in identities.json."""

    name: str = Field(max_length=1000)
    note: str = Field(max_length=20_000)
    enrolled_at: AwareDatetime
    templates: list[TemplateEntry]


def read_json(model: type[_Model], content: bytes, member: str) -> _Model:
    """Return the JSON of a member as a `model`. Raises ImportRejected with the first fault, without its value."""
    try:
        return TypeAdapter(model).validate_json(content)
    except ValidationError as error:
        raise ImportRejected(
            f"{member}: {first_fault(error, show_value=False)}", "Export it again from the gallery it came from."
        ) from error
