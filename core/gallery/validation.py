"""Validation of everything that enters the gallery: names, vectors and template descriptions."""

from __future__ import annotations

import math
import unicodedata

import numpy as np

from core.gallery.errors import NameInvalid, SpaceMismatch, TemplateInvalid
from core.gallery.records import NewTemplate, Space
from core.system.text import TURNING

MAX_NAME_CHARS = 200
MAX_NOTE_CHARS = 10_000
MAX_CROP_BYTES = 2_000_000
NORM_TOLERANCE = 1e-3
"""A vector whose norm is off by no more than this is rounded back to 1; one that is further off is refused.
"""
FLOAT32_DRIFT = 1e-6
"""What rounding to float32 alone may do to a norm: such a vector is left as it is, bit for bit."""

_CROP_MAGIC = (b"RIFF", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def clean_name(name: str) -> str:
    """`name` trimmed and in Unicode form NFC: 1 to 200 characters of any script, without control characters.

    Raises NameInvalid. Markup stays what it is: text.
    """
    if not isinstance(name, str):
        raise NameInvalid(f"A name is text, not {type(name).__name__}.", "Give a name of 1 to 200 characters.")
    cleaned = unicodedata.normalize("NFC", name).strip()
    if len(cleaned) > MAX_NAME_CHARS:
        raise NameInvalid(
            f"The name has {len(cleaned)} characters, more than {MAX_NAME_CHARS}.", "Choose a shorter name."
        )
    for character in cleaned:
        category = unicodedata.category(character)
        if category in {"Cc", "Cs", "Zl", "Zp"} or character in TURNING:
            raise NameInvalid(
                f"The name contains a control character (U+{ord(character):04X}), which can't be shown.",
                "Type the name again without line breaks, tabs or invisible characters.",
            )
    if not any(unicodedata.category(character)[0] in "LNPS" for character in cleaned):
        raise NameInvalid("The name is empty.", "Give a name of 1 to 200 characters.")
    return cleaned


def name_key(name: str) -> str:
    """Return the key that makes a name unique: without case, Unicode form and width of gaps."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return " ".join(folded.split())


def clean_note(note: str) -> str:
    """`note` trimmed. Raises TemplateInvalid when it is over 10,000 characters or can't be stored."""
    cleaned = note.strip()
    if len(cleaned) > MAX_NOTE_CHARS or "\x00" in cleaned or not _storable(cleaned):
        raise TemplateInvalid(
            f"The note can't be stored: at most {MAX_NOTE_CHARS} characters of plain text.",
            "Shorten the note.",
        )
    return cleaned


def unit_rows(vectors: np.ndarray, dim: int) -> np.ndarray:
    """`vectors` (N, dim) or (dim,) as (N, dim) float32 rows of norm 1, C-contiguous; drift up to 1e-3 is
    rounded away.

    Raises SpaceMismatch (another length), TemplateInvalid (not numbers, not finite, norm not 1).
    """
    rows = np.asarray(vectors)
    if rows.dtype == np.float32 and rows.ndim in (1, 2) and rows.shape[-1] == dim and rows.size:
        ready = np.ascontiguousarray(rows.reshape(-1, dim))
        # What every encoder gives is ready to be used, at a tenth of the cost below. NaN and infinity fail here.
        squares = ready[0] @ ready[0] if len(ready) == 1 else np.einsum("ij,ij->i", ready, ready)
        if (abs(squares - 1.0) <= FLOAT32_DRIFT).all():
            return ready
    if rows.dtype.kind != "f":
        raise TemplateInvalid(
            f"Embeddings are floating-point numbers, not {rows.dtype}.", "Encode the photograph again."
        )
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise SpaceMismatch(
            f"Expected embeddings of shape (N, {dim}), got {tuple(np.shape(vectors))}.",
            "Use the encoder that the gallery was enrolled with.",
        )
    exact = rows.astype(np.float64)
    if not np.isfinite(exact).all():
        raise TemplateInvalid("An embedding holds NaN or infinity.", "Check the weights: `edgeface-studio doctor`.")
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    worst = float(np.abs(norms - 1.0).max(initial=0.0))
    if worst > NORM_TOLERANCE:
        raise TemplateInvalid(
            f"An embedding's norm is off by {worst:.3g}; expected 1 within {NORM_TOLERANCE:g}.",
            "Normalise it to length 1 first.",
        )
    drifted = np.abs(norms - 1.0) > FLOAT32_DRIFT
    return np.ascontiguousarray(np.where(drifted, exact / norms, exact), dtype=np.float32)


def check_space(space: Space) -> None:
    """Raises SpaceMismatch when the space doesn't say which weights it belongs to."""
    if not space.weights_sha256 or not space.encoder_name or space.dim < 1:
        raise SpaceMismatch(
            "The embeddings don't say which encoder they belong to.",
            "Name the encoder and its weights' SHA-256.",
        )


def check_template(template: NewTemplate, space: Space) -> np.ndarray:
    """The template's vector as (dim,) float32 of norm 1. Raises TemplateInvalid or SpaceMismatch."""
    if np.ndim(template.vector) != 1:
        raise TemplateInvalid(
            f"A template holds one vector of shape ({space.dim},), got {tuple(np.shape(template.vector))}.",
            "Store one template for each photograph.",
        )
    problem = _problem(template, space)
    if problem:
        raise TemplateInvalid(problem, "Take the photograph in again.")
    result: np.ndarray = unit_rows(template.vector, space.dim)[0]
    return result


def _problem(template: NewTemplate, space: Space) -> str:
    if template.kind not in ("hr", "sr"):
        return f'A template\'s kind is "hr" or "sr", not {template.kind!r}.'
    if template.kind == "hr" and template.size_px is not None:
        return f"A full-size template has no size_px, got {template.size_px}."
    if template.kind == "sr" and (type(template.size_px) is not int or not 4 <= template.size_px <= 112):
        return f"An upscaled template needs the size it came from (16, 24 or 32 px), got {template.size_px}."
    if template.kind == "sr" and not space.upscaler:
        return "An upscaled template needs the upscaler it came from."
    if not (math.isfinite(template.probe_px) and template.probe_px > 0):
        return f"A template's probe_px is above 0, got {template.probe_px}."
    if template.recognisability is not None and not 0 <= template.recognisability <= 1:
        return f"A template's recognisability lies between 0 and 1, got {template.recognisability}."
    if not (_storable(template.source) and _storable(template.image_sha256)) or len(template.source) > 1000:
        return "A template's source can't be stored as text of up to 1,000 characters."
    return "" if template.crop is None else crop_problem(template.crop)


def crop_problem(crop: bytes) -> str:
    """Why an encoded crop can't be stored, or ""."""
    if len(crop) > MAX_CROP_BYTES:
        return f"A crop has {len(crop):,} bytes, more than {MAX_CROP_BYTES:,}."
    if not crop.startswith(_CROP_MAGIC):
        return "A crop is no WebP, PNG or JPEG image."
    return ""


def _storable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
