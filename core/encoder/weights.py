"""Conversion of a file's tensors to a complete EdgeFace state dict, or an error that names what doesn't fit.

A network without its two positional-embedding tensors still runs and still returns unit vectors, only worse ones. So
incomplete weights are refused, and the variant is derived from keys and shapes, never from the file's name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from core.encoder.archive import Archive, read_archive
from core.encoder.network import expected_shapes
from core.models.errors import WeightsMismatch
from core.models.variants import VARIANTS, Variant

_CONTAINERS = (
    "backbone_state_dict",
    "encoder_state_dict",
    "model_state_dict",
    "state_dict",
    "encoder",
    "backbone",
    "model",
)
_WRAPPERS = re.compile(r"^(?:(?:_orig_mod|module|model|backbone|encoder|network)\.)+")
_COMPANIONS = re.compile(
    r"^(?:arcface_state_dict|arcface|head_state_dict|criterion|optimizer|optimizer_state_dict|optimizer_states|"
    r"scheduler|scheduler_state_dict|lr_schedulers|scaler|scaler_state_dict|rng|rng_state)\."
)


@dataclass(frozen=True)
class EncoderState:
    """Complete weights of one variant: `tensors` hold exactly the variant's keys and shapes, as float32.

    `kind` says how the file stored them, `companions` counts tensors that aren't the encoder's (an ArcFace head,
    an optimizer), `identities` the people that a fine-tuned checkpoint's head was trained on.
    """

    variant: Variant
    tensors: dict[str, Tensor]
    kind: str
    sha256: str
    companions: int
    inert_classes: tuple[str, ...]
    identities: int | None
    metadata: dict[str, str]


@dataclass(frozen=True)
class KeyReport:
    """Comparison of a file's keys with a variant's, in the variant's order."""

    variant: Variant
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def faults(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)


def load_state(path: Path, variant: str | None = None) -> EncoderState:
    """Read the file at `path` and return weights that fit a variant completely.

    `variant` names the variant; by default it is the one that the keys fit. Raises WeightsMissing or
    WeightsUnsafe (see `read_archive`), and WeightsMismatch when keys are missing, unexpected or misshapen.
    """
    archive = read_archive(path)
    tensors, companions = encoder_tensors(archive.tensors)
    reports = compare_with_variants(tensors, until_one_fits=variant is None)
    report = reports[0]
    if variant is not None:
        wanted = VARIANTS[variant].architecture
        report = next(r for r in reports if r.variant.architecture == wanted)
    if report.faults:
        raise WeightsMismatch(_mismatch_text(path.name, report, reports), _mismatch_step(reports))
    return EncoderState(
        variant=_name_variant(report.variant, archive, variant),
        tensors={key: tensors[key].float() for key in expected_shapes(report.variant.architecture)},
        kind="int8 state dict" if archive.int8 else archive.kind,
        sha256=file_sha256(path),
        companions=companions,
        inert_classes=archive.inert_classes,
        identities=_head_identities(archive),
        metadata=archive.metadata,
    )


def encoder_tensors(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """Return the encoder's tensors under timm's names, and the number of other tensors (head, optimizer).

    Keys may have prefixes such as `model.`, `module.` or `backbone.`, or be inside a container such as
    `backbone_state_dict`. Unknown tensors are kept, so that they count as unexpected.
    """
    kept = {name: tensor for name, tensor in tensors.items() if not _COMPANIONS.match(name)}
    for container in _CONTAINERS:
        inside = {
            name.removeprefix(f"{container}."): tensor
            for name, tensor in kept.items()
            if name.startswith(f"{container}.")
        }
        # A container holds a whole encoder; "model." on every key is a mere prefix and comes off below.
        if inside and len(inside) < len(kept) and container.endswith("state_dict"):
            kept = inside
            break
    stripped = {_strip(name): tensor for name, tensor in kept.items()}
    return stripped, len(tensors) - len(kept)


def _strip(name: str) -> str:
    for container in _CONTAINERS:
        if container.endswith("state_dict"):
            name = name.removeprefix(f"{container}.")
    return _WRAPPERS.sub("", name)


def compare_with_variants(tensors: Mapping[str, Tensor], *, until_one_fits: bool = False) -> list[KeyReport]:
    """Return a report per architecture, the best fit first.

    `until_one_fits` stops at the first complete fit, as no other can fit then; each report builds a network, which
    takes a tenth of a second.
    """
    architectures = {variant.architecture: variant for variant in reversed(VARIANTS.values())}
    reports: list[KeyReport] = []
    for variant in reversed(architectures.values()):
        reports.append(_compare(tensors, variant))
        if until_one_fits and not reports[-1].faults:
            break
    return sorted(reports, key=lambda report: report.faults)


def _compare(tensors: Mapping[str, Tensor], variant: Variant) -> KeyReport:
    expected = expected_shapes(variant.architecture)
    return KeyReport(
        variant=variant,
        missing=tuple(key for key in expected if key not in tensors),
        unexpected=tuple(key for key in tensors if key not in expected),
        misshapen=tuple(key for key, s in expected.items() if key in tensors and tuple(tensors[key].shape) != s),
    )


def _name_variant(fits: Variant, archive: Archive, asked: str | None) -> Variant:
    """Variants of one architecture differ in storage only: the requested one, the recorded one, then by storage."""
    same = [variant for variant in VARIANTS.values() if variant.architecture == fits.architecture]
    for name in (asked, archive.metadata.get("variant")):
        for variant in same:
            if variant.name == name:
                return variant
    return next((variant for variant in same if variant.int8 == archive.int8), same[0])


def _head_identities(archive: Archive) -> int | None:
    for name, tensor in archive.tensors.items():
        if name.startswith(("arcface_state_dict.", "arcface.")) and tensor.ndim == 2:
            return int(tensor.shape[0])
    return None


def _mismatch_text(file_name: str, report: KeyReport, reports: list[KeyReport]) -> str:
    parts = []
    for keys, what in (
        (report.missing, "missing"),
        (report.unexpected, "unexpected"),
        (report.misshapen, "of another shape"),
    ):
        if keys:
            parts.append(f"{len(keys)} {'key' if len(keys) == 1 else 'keys'} {what}, first '{keys[0]}'")
    return f"{file_name} doesn't fit {report.variant.name}: {'; '.join(parts)}."


def _mismatch_step(reports: list[KeyReport]) -> str:
    best = reports[0]
    if best.faults == 0:
        return f"It fits {best.variant.name} completely: load it as that."
    total = len(expected_shapes(best.variant.architecture))
    if best.faults > total // 4:
        return "It fits no EdgeFace variant; choose EdgeFace weights."
    return f"The closest variant is {best.variant.name} ({best.faults} of {total} keys differ); use a complete file."


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits, which identifies weights in the project."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
