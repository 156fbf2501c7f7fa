"""Export of weights for distribution: float16 safetensors of half the size, with their card in the header.

Loaders cast to float32. Normalisation statistics are rounded too, so accuracy is measured on the exported file, and
figures belong to that file.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from core.access.actor import require
from core.access.roles import Permission
from core.encoder.weights import file_sha256, load_state
from core.errors import SettingsInvalid
from core.models.files import file_facts
from core.models.header import DSR_FORMAT, ENCODER_FORMAT, SPECIALIST_FORMAT, is_specialist, is_upscaler
from core.models.measured import Measured
from core.system.atomic_file import write_atomically

_FLOAT16_MAX = 65504.0


def export_float16(
    source: Path, target: Path, *, figures: Measured | None = None, as_encoder: bool = False, **texts: str
) -> Path:
    """Write an encoder, a specialist or a DSR file as float16 safetensors.

    Its header holds the source's texts, `texts` and `figures`. Folders in the recorded training command are removed.
    `as_encoder` writes a specialist as an encoder for faces of every size, see `_all_sizes`. The file is written
    atomically. Raises what loading raises, SettingsInvalid for values beyond float16's range and for anything but a
    specialist with `as_encoder`, StorageFailed.
    """
    require(Permission.EXPORT)
    metadata = dict(file_facts(source).metadata)
    if as_encoder:
        metadata = _all_sizes(metadata, source.name)
    specialist = is_specialist(metadata)
    if is_upscaler(metadata) and not specialist:
        tensors = _dsr_tensors(source)
        metadata["format"] = DSR_FORMAT
    else:
        state = load_state(source)
        tensors = state.tensors
        metadata |= {"format": SPECIALIST_FORMAT if specialist else ENCODER_FORMAT, "variant": state.variant.name}
        metadata.setdefault("parent_sha256", "")
    if metadata.get("trained_by"):
        metadata["trained_by"] = without_folders(metadata["trained_by"])
    # An export of an export keeps the hash of the run's own file.
    own = file_sha256(source)
    metadata = {"exported_from": own, **metadata, **texts}
    if figures is not None:
        if figures.upscaler == own:  # a file can't hold its own hash
            figures = replace(figures, upscaler=metadata["exported_from"])
        metadata["figures"] = json.dumps(figures.to_dict())
    halved = {name: _half(name, tensor, source.name) for name, tensor in tensors.items()}
    write_atomically(target, save(halved, metadata=metadata))
    return target


def _all_sizes(metadata: Mapping[str, str], name: str) -> dict[str, str]:
    """A specialist's header turned into an encoder's that embeds in the same space (`space_of`). Figures are left out:
    they are of the pair."""
    if not is_specialist(metadata) or not metadata.get("specialist_for"):
        raise SettingsInvalid(
            f"{name} isn't a specialist that names its weights, so it can't become an encoder of their space.",
            "Leave out --as-encoder.",
        )
    told = {"format": ENCODER_FORMAT, "space_of": metadata["specialist_for"]}
    told |= {"space_of_name": metadata.get("specialist_for_name", ""), "config": metadata.get("recipe", "{}")}
    left_out = ("specialist_for", "specialist_for_name", "recipe", "figures", "exported_from")
    return {**{key: text for key, text in metadata.items() if key not in left_out}, **told}


def without_folders(command: str) -> str:
    """Replace every absolute path in a command line by its last part."""

    def shown(word: str) -> str:
        return Path(word).name if Path(word).is_absolute() and len(word) > 1 else word

    try:
        return shlex.join(map(shown, shlex.split(command)))
    except ValueError:  # text with an apostrophe that isn't a shell command
        return " ".join(map(shown, command.split()))


def _dsr_tensors(source: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    from core.sr.upscale import load_upscaler

    load_upscaler(source)  # complete, or refused
    return load_file(str(source))


def _half(name: str, tensor: Tensor, file_name: str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.contiguous()
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    if not largest <= _FLOAT16_MAX:  # NaN fails as well
        raise SettingsInvalid(
            f"{file_name} can't be stored as float16: {name} holds {largest:.3g}, at most {_FLOAT16_MAX:.0f} fits.",
            "Export it as it is.",
        )
    return tensor.to(torch.float16).contiguous()
