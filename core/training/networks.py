"""The networks of a run: the encoder and upscaler in training, and the frozen teacher."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.dataset.degrade import seed_for
from core.encoder.encode import load_encoder
from core.encoder.network import build_network
from core.encoder.weights import file_sha256
from core.errors import SettingsInvalid
from core.evaluation.lineage import Ancestors, ancestors_of
from core.models.encoders import WeightsFile, describe, fetch_command, resolve_weights
from core.models.specialists import hashes_of
from core.models.upscalers import resolve_dsr
from core.models.variants import VARIANTS
from core.settings import CROP_PX, Settings
from core.sr.network import DSR, DSRConfig
from core.sr.upscale import BICUBIC, load_dsr
from core.training.config import NEW, TrainingConfig
from core.training.degrade import enlarge, to_network

DSR_MIN_PX, DSR_MAX_PX = 12, 48
"""The sizes a new DSR network serves."""


@dataclass
class Networks:
    """The networks with the SHA-256 of their files ("" for networks with random weights).

    `encoder` and `upscaler` may be trained; `teacher` is frozen. `upscaler` None is bicubic; `upscaler_name` is a
    file's, "bicubic" or "new DSR".
    """

    encoder: nn.Module
    variant: str
    parent_sha256: str
    teacher: nn.Module | None
    teacher_sha256: str
    upscaler: nn.Module | None
    dsr: dict[str, Any] | None
    upscaler_sha256: str
    upscaler_name: str
    teacher_name: str = ""
    ancestors: Ancestors = field(default_factory=Ancestors)
    """All weights and data sets that those files derive from."""
    start: Mapping[str, Tensor] = field(default_factory=dict)
    """The encoder's tensors before training, on the CPU, for a recipe that averages with them; else {}."""

    def takes(self, size_px: int) -> bool:
        """Whether the upscaler, not bicubic, enlarges images of this size."""
        if self.dsr is None or size_px in self.dsr.get("use_bicubic_px", ()):
            return False
        return bool(self.dsr["min_px"] <= size_px <= self.dsr["max_px"])


def load_networks(config: TrainingConfig, settings: Settings, device: str) -> Networks:
    """Load or initialise a run's networks. New networks depend on the seed alone.

    Raises what `load_encoder`, `resolve_weights` and `load_dsr` raise, and SettingsInvalid where a starter would be the
    teacher of a starter, or where a specialist would go on in another space than its own.
    """
    start = resolve_weights(settings, config.edgeface)
    teaching = start if config.teacher is None else resolve_weights(settings, config.teacher)
    taught_by = describe(teaching)
    if config.recipe.role == "specialist":
        _require_own_space(describe(start), taught_by)
    if config.recipe.start == "random" and taught_by.origin == "starter":
        raise SettingsInvalid(
            f"{teaching.name} is itself a starter: a network that it teaches can't become better.",
            f"Name official weights as the teacher (--teacher), or fetch them first: {fetch_command()}.",
        )
    if config.recipe.start == "random":
        encoder, variant, parent = new_encoder(config), config.variant, ""
    else:
        loaded = load_encoder(start, device="cpu")
        encoder, variant, parent = loaded.network, loaded.info.variant, loaded.weights_sha256
    teacher: nn.Module | None = None
    if needs_teacher(config):
        same = teaching == start and config.recipe.start != "random"
        teacher = copy.deepcopy(encoder) if same else load_encoder(teaching, device="cpu").network
    path = _upscaler_path(config, settings)
    upscaler, dsr, upscaler_sha, upscaler_name = _load_upscaler(config, path)
    begins = config.recipe.start != "random"
    sources = {each for each, used in ((start, begins), (teaching, teacher is not None), (path, True)) if each and used}
    networks = Networks(
        encoder,
        variant,
        parent,
        teacher,
        file_sha256(teaching) if teacher is not None else "",
        upscaler,
        dsr,
        upscaler_sha,
        upscaler_name,
        taught_by.name if teacher is not None else "",
        ancestors_of(sources, settings),
        {name: tensor.clone() for name, tensor in encoder.state_dict().items()} if config.recipe.average else {},
    )
    for network in (encoder, teacher, upscaler):
        if network is not None:
            # Weights without a gradient can use other kernels, which round differently. Each stage unfreezes its own
            # parts; before the first one all are frozen, in a new run and in a resumed one.
            freeze(network)
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return networks


def _require_own_space(start: WeightsFile, teacher: WeightsFile) -> None:
    """Raise SettingsInvalid unless a specialist that goes on training has the teacher that it began with."""
    space = start.metadata.get("specialist_for", "")
    if space and space not in hashes_of(teacher):
        own = start.metadata.get("specialist_for_name") or "those weights"
        raise SettingsInvalid(
            f"{start.name} is a specialist in the space of {own}, and {teacher.name} would draw it into another.",
            f"Name {own} as the teacher: --teacher {start.metadata.get('specialist_for_name') or 'FILE'}.",
        )


def needs_teacher(config: TrainingConfig) -> bool:
    recipe = config.recipe
    wanted = any(stage.losses.wants_teacher for stage in recipe.stages)
    return wanted or (recipe.wants_head and recipe.head.kind == "prototypes")


def new_encoder(config: TrainingConfig) -> nn.Module:
    """Build an encoder of the run's variant with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.seed, "encoder"))
        network = build_network(VARIANTS[config.variant])
    if config.recipe.layer_scale > 0:
        for name, parameter in network.named_parameters():
            if name.rpartition(".")[2] in ("gamma", "gamma_xca"):
                parameter.data.fill_(config.recipe.layer_scale)
    return network


def freeze(network: nn.Module) -> None:
    """Stop gradients and updates of normalisation statistics."""
    network.eval()
    network.requires_grad_(False)


def _upscaler_path(config: TrainingConfig, settings: Settings) -> Path | None:
    """Return the path of the DSR file; None for bicubic or a new network.

    The default is the DSR that was chosen, else bicubic; where the run trains it, the shipped one, or a new one where
    only that is trained.
    """
    recipe = config.recipe
    new = config.upscaler == NEW or (config.upscaler is None and recipe.trains == ("upscaler",))
    if new or not recipe.wants_upscaler:
        return None
    return resolve_dsr(settings, config.upscaler, to_train="upscaler" in recipe.trains)


def _load_upscaler(
    config: TrainingConfig, path: Path | None
) -> tuple[nn.Module | None, dict[str, Any] | None, str, str]:
    """Return (network, its file's config, SHA-256, name); None for bicubic. A run that trains an upscaler starts from a
    new network instead of bicubic."""
    recipe = config.recipe
    if path is not None:
        network, dsr = load_dsr(path)
        if "upscaler" in recipe.trains:  # the sizes left to bicubic are found at the end of the run
            dsr = {**dsr, "use_bicubic_px": []}
        return network, dsr, file_sha256(path), path.stem
    if "upscaler" not in recipe.trains:
        return None, None, BICUBIC, BICUBIC
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.seed, "upscaler"))
        shape = _dsr_config({"channels": config.dsr_channels, "blocks": config.dsr_blocks})
        network = DSR(shape)
    dsr = {**asdict(shape), "min_px": DSR_MIN_PX, "max_px": DSR_MAX_PX, "use_bicubic_px": []}
    return network, dsr, "", "new DSR"


def _dsr_config(values: dict[str, Any]) -> DSRConfig:
    return DSRConfig(**{each.name: values[each.name] for each in fields(DSRConfig) if each.name in values})


def upscaled(networks: Networks, small: Tensor) -> Tensor:
    """uint8 (N, 3, s, s) -> [-1, 1] (N, 3, 112, 112) through the upscaler, or bicubic for other sizes."""
    size = small.shape[-1]
    if size == CROP_PX or networks.upscaler is None or not networks.takes(size):
        return to_network(enlarge(small))
    result: Tensor = networks.upscaler(to_network(enlarge(small)))
    return result


def feature_maps(network: nn.Module, images: Tensor, given: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
    """Return an EdgeNeXt's raw embeddings (N, 512) and its maps after the stem and each stage.

    With `given` (a teacher's maps) each stage gets the teacher's previous map as input instead of its own.
    """
    body: Any = network
    maps = [body.stem(images)]
    for number, stage in enumerate(body.stages):
        maps.append(stage(maps[-1] if given is None else given[number]))
    return body.forward_head(body.norm_pre(maps[-1])), maps


def map_variances(teacher: nn.Module, images: Tensor) -> list[float]:
    """Return the variance of each of a teacher's maps over sample images [-1, 1] (N, 3, 112, 112), the unit of
    `map_error`."""
    with torch.no_grad():
        return [float(each.float().var()) + 1e-6 for each in feature_maps(teacher, images)[1]]


def map_error(student: list[Tensor], teacher: list[Tensor], variances: Sequence[float]) -> Tensor:
    """Mean over maps of the squared error over the teacher's variance: 0 for equal maps, about 1 for their mean."""
    errors = [
        functional.mse_loss(s.float(), t.float()) / spread
        for s, t, spread in zip(student, teacher, variances, strict=True)
    ]
    return torch.stack(errors).mean()


def dsr_metadata(networks: Networks) -> str:
    """The `config` entry of a DSR file."""
    return json.dumps(networks.dsr)
