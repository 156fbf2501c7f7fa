"""The header of a file that this project trained: parent, data, command, and accuracy figures (`core.models.measured`).

Its texts are safetensors metadata. Texts of other forms are ignored: a header never keeps a file from being listed.
An encoder's may hold, beside the fields of `Card`:

- `space_of`, `space_of_name`: SHA-256 and name of the weights whose space it embeds in, where it was trained to stay
  there. A specialist of those weights then works beside this encoder, too (docs/adr/0042). Templates of the two are
  still never compared: those of an encoder are found by its own SHA-256.
- `exported_from`: SHA-256 of the run's file that it was exported from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.models.measured import Measured, read_figures

ENCODER_FORMAT = "edgeface-studio-encoder-1"
DSR_FORMAT = "edgeface-studio-dsr-1"
SPECIALIST_FORMAT = "edgeface-studio-specialist-1"
LANDMARKS_FORMAT = "edgeface-studio-landmarks-1"
"""Values of the metadata key `format`."""

BESIDE = "the one in the same checkpoint"
"""In place of the SHA-256 of a network that was trained in the same run and saved in the same checkpoint."""


@dataclass(frozen=True)
class Parent:
    """A file that an average was made of, with its share in it, in (0, 1)."""

    name: str
    sha256: str
    share: float


@dataclass(frozen=True)
class Card:
    """Contents of a file's header. A text is "" where unknown; `trained_with_upscaler` is a SHA-256 or "bicubic".

    `space_of`: see the function. `averaged_with_start`: the share, in (0, 1), of the trained weights in an average with
    their parent's; None where there was none. `parents`: of an average of files.
    """

    parent_sha256: str = ""
    space_of: str = ""
    data_sha256: str = ""
    trained_by: str = ""
    trained_with_upscaler: str = ""
    made_at: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    measured: Measured | None = None
    averaged_with_start: float | None = None
    parents: tuple[Parent, ...] = ()


def read_card(metadata: Mapping[str, str]) -> Card:
    """Parse a header's texts. Never raises: values of another form are left out."""
    config = json_object(metadata.get("config"))
    trained_with = metadata.get("trained_with_upscaler", "")
    measured = read_figures(json_object(metadata.get("figures")))
    if measured is not None and measured.source == "validation" and not measured.upscaler:
        measured = replace(measured, upscaler=trained_with)
    return Card(
        parent_sha256=metadata.get("parent_sha256", ""),
        space_of=space_of(metadata),
        data_sha256=metadata.get("data_sha256", ""),
        trained_by=metadata.get("trained_by", ""),
        trained_with_upscaler=trained_with,
        made_at=metadata.get("made_at", ""),
        config=config,
        measured=measured,
        averaged_with_start=_share(metadata.get("averaged_with_start")),
        parents=_parents(metadata.get("parents", "")),
    )


def _share(value: object) -> float | None:
    """A share of an average, in (0, 1); None for anything else."""
    try:
        share = float(value) if isinstance(value, str | int | float) else 0.0
    except ValueError:
        return None
    return share if 0 < share < 1 else None


def _parents(text: str) -> tuple[Parent, ...]:
    found = json_object(f'{{"parents": {text}}}').get("parents")
    return tuple(
        Parent(str(each.get("name", "")), str(each.get("sha256", "")), share)
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and (share := _share(each.get("share"))) is not None
    )


def space_of(metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of the weights whose space an encoder embeds in, as its header says. "" where it doesn't, and
    for files of other formats: only this project's trainings know which space they stay in."""
    return metadata.get("space_of", "") if metadata.get("format") == ENCODER_FORMAT else ""


def is_upscaler(metadata: Mapping[str, str]) -> bool:
    """Whether a header marks a super-resolution network of this project, or a specialist, which takes its place."""
    return metadata.get("format", "").startswith("edgeface-studio-dsr") or is_specialist(metadata)


def is_specialist(metadata: Mapping[str, str]) -> bool:
    """Whether a header marks an encoder for small faces that shares another's space (core.models.specialists)."""
    return metadata.get("format", "").startswith("edgeface-studio-specialist")


def is_landmark_network(metadata: Mapping[str, str]) -> bool:
    """Whether metadata marks a landmark network of this project, or its weights in training."""
    return metadata.get("format", "").startswith("edgeface-studio-landmarks")


def json_object(text: str | None) -> dict[str, Any]:
    """Parse a header's text as a JSON object; {} for anything else."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
