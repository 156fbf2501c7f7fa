"""Upscalers: which DSR files are stored, and which upscaler is in use, a DSR file or bicubic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import CoreError, SettingsInvalid, WeightsMissing
from core.models.files import FileFacts, Wording, file_facts, is_inside
from core.models.header import is_upscaler, read_card
from core.models.registry import ModelRegistry
from core.settings import Settings
from core.sr.trial import UpscalerUnusable, require_useful
from core.sr.upscale import BICUBIC, FORMAT, DSRUpscaler, Scope
from core.system.file_kinds import stray

__all__ = ["UpscalerFile", "active_upscaler", "describe", "find_upscaler", "resolve_upscaler", "scan", "use_upscaler"]

_USE_BICUBIC = "use bicubic: edgeface-studio weights use bicubic"


@dataclass(frozen=True)
class UpscalerFile:
    """An upscaler that can be taken into use: a DSR file, or bicubic (`path` None, `sha256` "bicubic", no bytes).

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


BICUBIC_UPSCALER = UpscalerFile(None, BICUBIC, BICUBIC, 0)


class _Upscalers(ModelRegistry[UpscalerFile]):
    key = "upscaler"
    wording = Wording("upscaler", "is", "has", "it was", "FILE-or-NAME")
    fault = UpscalerUnusable
    alternative = _USE_BICUBIC

    def describe(self, path: Path) -> UpscalerFile:
        """Return the DSR file at `path`. Raises UpscalerUnusable where it is missing or of another kind,
        StorageFailed."""
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
        """The shipped DSR network in data/models, else bicubic."""
        shipped = (file for file in self.scan(settings) if file.path and is_inside(settings.models_dir, file.path))
        return next(shipped, BICUBIC_UPSCALER)

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
        """Load a DSR file completely and try it on real faces. Raises UpscalerUnusable, also for one that does worse
        than repeated pixels."""
        if file.path is None:
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
find_upscaler = UPSCALERS.find
use_upscaler = UPSCALERS.use
check_upscaler = UPSCALERS.check
keep_upscaler = UPSCALERS.keep


def resolve_upscaler(settings: Settings, upscaler: str | Path | None = None) -> Path | None:
    """Return the path of an upscaler by path or name (None: the one in use); None when that is bicubic.

    Raises UpscalerUnusable, StorageFailed, SettingsInvalid.
    """
    return UPSCALERS.get(settings, upscaler).path
