"""Weighted means of weights, and files that hold one ("model soups", Wortsman et al., ICML 2022).

Weights that were fine-tuned from the same start lie in one basin, so their mean works as one network; weights of
separate random initialisations don't, and their mean recognises nobody.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from core.access.actor import require
from core.access.roles import Permission
from core.encoder.encode import load_encoder
from core.encoder.health import check_health
from core.encoder.weights import EncoderState, load_state
from core.errors import SettingsInvalid, StorageFailed
from core.evaluation.lineage import ancestors_of
from core.models.encoders import describe
from core.models.errors import SpecialistRefused, WeightsMismatch, WeightsUnhealthy
from core.models.files import WeightsFile, file_facts
from core.models.header import ENCODER_FORMAT, SPECIALIST_FORMAT, is_specialist
from core.models.specialists import Specialist, hashes_of
from core.settings import Settings
from core.system.atomic_file import replacement
from core.training.export import without_folders

_SUM_TOLERANCE = 1e-6


def weighted_mean(states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """Return the sum of share * tensor over `states`, which have the same names and shapes, in each tensor's dtype.

    Sums are in float64. Raises ValueError where names differ.
    """
    first = states[0]
    if any(state.keys() != first.keys() for state in states):
        raise ValueError("the states have different tensors")
    found = {}
    for name, tensor in first.items():
        total = torch.zeros(tensor.shape, dtype=torch.float64)
        for state, share in zip(states, shares, strict=True):
            total += share * state[name].double()
        found[name] = total.to(tensor.dtype).contiguous()
    return found


def average_files(
    paths: Sequence[Path], shares: Sequence[float], target: Path, settings: Settings, *, command: str = ""
) -> Path:
    """Write the average of encoders of one variant as float32 safetensors to `target`, once it recognises faces.

    `shares` are above 0 and sum to 1, one for each file. A specialist can be averaged with specialists of the same
    weights and with those weights, and gives a specialist. The header names the files with SHA-256 and share as
    `parents`, all that they derive from, and the terms of their data; figures aren't taken over, since they belong to
    the files that were measured.

    Raises SettingsInvalid, WeightsMismatch, SpecialistRefused, WeightsUnhealthy, StorageFailed, NotAllowed, and what
    `load_state` raises.
    """
    require(Permission.EXPORT)
    _check_shares(paths, shares)
    states = [load_state(path) for path in paths]
    sources = [describe(path) for path in paths]
    _check_variants(states, sources)
    metadata = {
        "variant": states[0].variant.name,
        "parent_sha256": sources[0].sha256,
        "parents": json.dumps(
            [
                {"name": source.name, "sha256": source.sha256, "share": share}
                for source, share in zip(sources, shares, strict=True)
            ]
        ),
        "data_sha256": _agreed(sources, "data_sha256"),
        "trained_with_upscaler": _agreed(sources, "trained_with_upscaler"),
        "terms": json.dumps(_terms(sources)),
        "trained_by": without_folders(command),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ancestors": ancestors_of(paths, settings).to_json(),
        **_kind(sources),
    }
    mean = weighted_mean([state.tensors for state in states], shares)
    try:
        with replacement(target, suffix=".safetensors") as temporary:
            save_file(mean, temporary, metadata)
            health = check_health(load_encoder(temporary, device="cpu", check=False).encode)
            if not health.healthy:
                raise WeightsUnhealthy(
                    f"The average of {_names(sources)} recognises no faces: {health.reason}.",
                    "Average only weights that were fine-tuned from the same weights, or those with them.",
                )
    except OSError as error:
        raise StorageFailed(
            f"{target} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error
    return target


def _check_shares(paths: Sequence[Path], shares: Sequence[float]) -> None:
    if len(paths) < 2:
        raise SettingsInvalid("An average needs at least two files.", "Name another one.")
    if len(shares) != len(paths):
        raise SettingsInvalid(
            f"{len(shares)} shares were given for {len(paths)} files.", "Give one share for each file, in their order."
        )
    total = math.fsum(shares)
    if not all(share > 0 for share in shares) or not abs(total - 1) <= _SUM_TOLERANCE:
        raise SettingsInvalid(
            f"The shares sum to {total:g}; expected shares above 0 that sum to 1.", "Write them like .25,.75."
        )


def _check_variants(states: Sequence[EncoderState], sources: Sequence[WeightsFile]) -> None:
    first = states[0].variant
    for state, source in zip(states, sources, strict=True):
        if state.variant.architecture != first.architecture:
            raise WeightsMismatch(
                f"{source.name} is {state.variant.name} and {sources[0].name} is {first.name}: their tensors differ in "
                "name or shape.",
                "Average files of one variant.",
            )


def _kind(sources: Sequence[WeightsFile]) -> dict[str, str]:
    """The header's format, with the space of a specialist. Raises SpecialistRefused where the files share none."""
    special = [Specialist.of(file_facts(source.path)) for source in sources if is_specialist(source.metadata)]
    if not special:
        return {"format": ENCODER_FORMAT}
    first = special[0]
    for source in sources:
        own = source.metadata.get("specialist_for", "")
        if first.weights_sha256 not in ({own} if is_specialist(source.metadata) else hashes_of(source)):
            raise SpecialistRefused(
                f"{first.name} is a specialist in the space of {first.weights_name or 'unknown weights'}, and "
                f"{source.name} is neither a specialist in that space nor those weights.",
                "Average specialists of the same weights with each other or with those weights.",
            )
    return {
        "format": SPECIALIST_FORMAT,
        "specialist_for": first.weights_sha256,
        "specialist_for_name": first.weights_name,
        "config": json.dumps({"max_px": min(one.max_px for one in special)}),
    }


def _agreed(sources: Sequence[WeightsFile], name: str) -> str:
    """A header's text where all that have one agree; else ""."""
    found = {source.metadata[name] for source in sources if source.metadata.get(name)}
    return found.pop() if len(found) == 1 else ""


def _terms(sources: Sequence[WeightsFile]) -> list[str]:
    """The terms of all headers, each once, in order."""
    found: dict[str, None] = {}
    for source in sources:
        try:
            terms: Any = json.loads(source.metadata.get("terms", "[]"))
        except ValueError:
            continue
        found |= dict.fromkeys(text for text in terms if isinstance(text, str)) if isinstance(terms, list) else {}
    return list(found)


def _names(sources: Iterable[WeightsFile]) -> str:
    return " and ".join(source.name for source in sources)
