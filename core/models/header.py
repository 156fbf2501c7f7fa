"""The header of a file that this project trained: parent, data, command, and accuracy figures (`core.models.measured`).

Its texts are safetensors metadata. Texts of other forms are ignored: a header never keeps a file from being listed.
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
class Card:
    """Contents of a file's header. A text is "" where unknown; `trained_with_upscaler` is a SHA-256 or "bicubic"."""

    parent_sha256: str = ""
    data_sha256: str = ""
    trained_by: str = ""
    trained_with_upscaler: str = ""
    made_at: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    measured: Measured | None = None


def read_card(metadata: Mapping[str, str]) -> Card:
    """Parse a header's texts. Never raises: values of another form are left out."""
    config = json_object(metadata.get("config"))
    trained_with = metadata.get("trained_with_upscaler", "")
    measured = read_figures(json_object(metadata.get("figures")))
    if measured is not None and measured.source == "validation" and not measured.upscaler:
        measured = replace(measured, upscaler=trained_with)
    return Card(
        parent_sha256=metadata.get("parent_sha256", ""),
        data_sha256=metadata.get("data_sha256", ""),
        trained_by=metadata.get("trained_by", ""),
        trained_with_upscaler=trained_with,
        made_at=metadata.get("made_at", ""),
        config=config,
        measured=measured,
    )


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
