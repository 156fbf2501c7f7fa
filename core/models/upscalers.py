"""Upscalers: which files are stored, and which is in use: bicubic, a DSR network, or a specialist in its place.

While none was chosen it is the shipped specialist where that belongs to the weights, else bicubic (docs/adr/0043).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError, SettingsInvalid, WeightsMissing
from core.models.active_file import read_active
from core.models.encoders import active_weights, check_weights, find_weights
from core.models.encoders import describe as describe_weights
from core.models.files import FileFacts, Hashes, WeightsFile, Wording, file_facts, is_inside
from core.models.header import is_specialist, is_upscaler, read_card
from core.models.registry import ModelRegistry
from core.models.specialists import Specialist, hashes_of
from core.settings import Settings
from core.sr.trial import UpscalerUnusable, require_useful
from core.sr.upscale import BICUBIC, FORMAT, DSRUpscaler, Scope
from core.system.file_kinds import stray

__all__ = [
    "UpscalerFile",
    "active_upscaler",
    "chosen_upscaler",
    "default_upscaler",
    "describe",
    "find_upscaler",
    "resolve_dsr",
    "resolve_upscaler",
    "scan",
    "shipped_dsr",
    "upscaler_for",
    "use_upscaler",
]

_USE_BICUBIC = "use bicubic: edgeface-studio weights use bicubic"


@dataclass(frozen=True)
class UpscalerFile:
    """An upscaler that can be taken into use: a DSR file, a specialist, or bicubic (`path` None, `sha256` "bicubic", no
    bytes).

    `name` is the file's without its ending; `metadata` are the texts in its header.
    """

    path: Path | None
    name: str
    sha256: str
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def bicubic_px(self) -> tuple[int, ...]:
        """The VLR sizes that it leaves to bicubic; () where its header doesn't say."""
        try:
            return Scope.of(read_card(self.metadata).config).bicubic_px
        except (KeyError, TypeError, ValueError):
            return ()

    @property
    def specialist(self) -> Specialist | None:
        """The specialist that takes an upscaler's place; None for an upscaler proper."""
        if self.path is None or not is_specialist(self.metadata):
            return None
        hashes = Hashes(self.sha256, "")
        return Specialist.of(FileFacts(self.path, self.size_bytes, hashes, self.metadata))


BICUBIC_UPSCALER = UpscalerFile(None, BICUBIC, BICUBIC, 0)


class _Upscalers(ModelRegistry[UpscalerFile]):
    key = "upscaler"
    wording = Wording("upscaler", "is", "has", "it was", "FILE-or-NAME")
    fault = UpscalerUnusable
    alternative = _USE_BICUBIC

    def describe(self, path: Path) -> UpscalerFile:
        """Return the DSR file or the specialist at `path`. Raises UpscalerUnusable where it is missing or of another
        kind, StorageFailed."""
        try:
            facts = file_facts(path)
        except WeightsMissing as error:
            raise UpscalerUnusable(
                f"There is no upscaler file at {path}.", f"Check the path, or {_USE_BICUBIC}."
            ) from error
        if found := stray(facts.path, "torch"):
            raise UpscalerUnusable(f"{facts.path.name} isn't a DSR network: it is {found.what}.", found.next_step)
        if not is_upscaler(facts.metadata):
            raise UpscalerUnusable(
                f"{facts.path.name} isn't a DSR network (format {facts.metadata.get('format', 'none')!r}, expected "
                f"{FORMAT!r}).",
                f"Choose a DSR file that this project trained (.safetensors), or {_USE_BICUBIC}.",
            )
        return self.from_facts(facts)

    def accepts(self, metadata: Mapping[str, str]) -> bool:
        return is_upscaler(metadata)

    def from_facts(self, facts: FileFacts) -> UpscalerFile:
        return UpscalerFile(facts.path, facts.path.stem, facts.hashes.sha256, facts.size_bytes, facts.metadata)

    def built_in(self, name: object) -> UpscalerFile | None:
        return BICUBIC_UPSCALER if name == BICUBIC else None

    def default(self, settings: Settings) -> UpscalerFile:
        return self.default_for(settings, _weights_in_use(settings))

    def default_for(self, settings: Settings, weights: WeightsFile | None) -> UpscalerFile:
        """Return the specialist of these weights in data/models, else bicubic."""
        known = frozenset[str]() if weights is None else hashes_of(weights)
        found = ((file, file.specialist) for file in self.shipped(settings))
        return next((file for file, own in found if own is not None and own.shares_space(known)), BICUBIC_UPSCALER)

    def shipped(self, settings: Settings) -> list[UpscalerFile]:
        """List the DSR networks and specialists in data/models."""
        return [file for file in self.scan(settings) if file.path and is_inside(settings.models_dir, file.path)]

    def chosen(self, settings: Settings) -> UpscalerFile | None:
        """Return the upscaler that was chosen (data/active.json), whatever the weights; None where none was.

        Raises UpscalerUnusable when it is gone or was changed, SettingsInvalid.
        """
        return None if read_active(settings).get(self.key) is None else super().active(settings)

    def for_weights(
        self, settings: Settings, weights: WeightsFile | None, upscaler: str | Path | None = None
    ) -> UpscalerFile:
        """Return the upscaler beside these weights (None: none are known, and none are checked): by path or name, for
        None the chosen one, else the default. Raises SpecialistRefused for a specialist of other weights, and what
        `find` and `chosen` raise."""
        if upscaler is not None:
            file = self.find(settings, upscaler)
        else:
            file = self.chosen(settings) or self.default_for(settings, weights)
        if weights is not None:
            _require_own(file, weights)
        return file

    def active(self, settings: Settings) -> UpscalerFile:
        """Return the upscaler in use, see `ModelRegistry.active`. Raises SpecialistRefused, too, for a specialist of
        other weights than those in use."""
        return self.for_weights(settings, _weights_in_use(settings))

    def use(self, settings: Settings, file_or_name: str | Path) -> UpscalerFile:
        """Take an upscaler into use, see `ModelRegistry.use`. Raises SpecialistRefused and WeightsMissing, too, for a
        specialist of other weights than those in use."""
        require(Permission.WEIGHTS)
        file = self.find(settings, file_or_name)
        if file.specialist is not None:
            _require_own(file, active_weights(settings))
        return super().use(settings, file_or_name)

    def not_named(self) -> CoreError:
        return SettingsInvalid(
            "No upscaler was named.", "Give a file, a name (edgeface-studio weights list), or bicubic."
        )

    def not_found(self, settings: Settings, text: str, stored: list[UpscalerFile]) -> CoreError:
        here = ", ".join(sorted({file.name for file in stored})) or "none"
        return UpscalerUnusable(
            f"There is no upscaler called '{text[:80]}', and no such file.", f"Stored: {here}; or {_USE_BICUBIC}."
        )

    def check(self, file: UpscalerFile) -> None:
        """Load a file completely and try it on real faces. Raises UpscalerUnusable, also for a DSR that does worse
        than repeated pixels, and what `check_weights` raises for a specialist."""
        if file.path is None:
            return
        if file.specialist is not None:
            check_weights(describe_weights(file.path))
            return
        loaded = DSRUpscaler(file.path)
        if loaded.id != file.sha256:
            raise UpscalerUnusable(f"{file.path.name} changed while it was read.", "Try again when it is complete.")
        require_useful(loaded.super_resolve, file.path.name, leave_out=loaded.bicubic_px)


UPSCALERS = _Upscalers()
"""The upscalers of an installation; the functions below are its methods."""

describe = UPSCALERS.describe
scan = UPSCALERS.scan
active_upscaler = UPSCALERS.active
chosen_upscaler = UPSCALERS.chosen
default_upscaler = UPSCALERS.default_for
find_upscaler = UPSCALERS.find
use_upscaler = UPSCALERS.use
check_upscaler = UPSCALERS.check
keep_upscaler = UPSCALERS.keep
upscaler_for = UPSCALERS.for_weights


def resolve_upscaler(
    settings: Settings, upscaler: str | Path | None = None, weights: str | Path | None = None
) -> Path | None:
    """Return the path of the upscaler beside weights, both by path or name (None: those in use); None for bicubic.

    Raises WeightsMissing, UpscalerUnusable, StorageFailed, SettingsInvalid.
    """
    beside = _weights_in_use(settings) if weights is None else find_weights(settings, weights)
    return upscaler_for(settings, beside, upscaler).path


def resolve_dsr(settings: Settings, upscaler: str | Path | None = None, *, to_train: bool = False) -> Path | None:
    """Return the path of a DSR file that a training goes through: by path or name, else the chosen one; None for
    bicubic. `to_train`: it is where training starts, so that the shipped one is the default instead of bicubic.

    Raises what `resolve_upscaler` raises, UpscalerUnusable for a specialist."""
    if upscaler is not None:
        file = UPSCALERS.find(settings, upscaler)
        if file.specialist is not None:
            raise UpscalerUnusable(
                f"{file.name} is a specialist, which enlarges no faces: a training can't go through it.",
                "Name a DSR file, or bicubic.",
            )
        return file.path
    chosen = UPSCALERS.chosen(settings)
    if chosen is not None and chosen.specialist is None:
        return chosen.path
    dsr = shipped_dsr(settings) if to_train else None
    return None if dsr is None else dsr.path


def shipped_dsr(settings: Settings) -> UpscalerFile | None:
    """Return the DSR network in data/models; None without one."""
    return next((file for file in UPSCALERS.shipped(settings) if file.specialist is None), None)


def _require_own(file: UpscalerFile, weights: WeightsFile) -> None:
    """Raise SpecialistRefused for a specialist of other weights."""
    if file.specialist is not None:
        file.specialist.require(weights.name, hashes_of(weights))


def _weights_in_use(settings: Settings) -> WeightsFile | None:
    """The weights in use; None where there are none."""
    with suppress(CoreError):
        return active_weights(settings)
    return None
