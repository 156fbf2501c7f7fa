"""Which upscalers are here and which is in use: a DSR file, or bicubic. Beside the encoder's registry, and like it.

What is in use stands in data/active.json with its SHA-256; where nothing was chosen it is the DSR that the project
ships, else bicubic. Nothing here needs torch, except `use_upscaler`, which loads and tries a file before it is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid, StorageFailed, WeightsMissing
from core.models.active_file import read_active, write_active
from core.models.files import (
    FileFacts,
    Wording,
    choice_of,
    chosen_file,
    exists,
    keep_copy,
    lies_in,
    look_at,
    stored_paths,
)
from core.models.header import is_upscaler, read_card
from core.settings import Settings
from core.sr.trial import UpscalerUnusable, require_useful
from core.sr.upscale import BICUBIC, FORMAT, DSRUpscaler, Scope
from core.system.file_kinds import stray
from core.system.logs import Public, logger

__all__ = ["UpscalerFile", "active_upscaler", "describe", "find_upscaler", "resolve_upscaler", "scan", "use_upscaler"]

_log = logger(__name__)

_WORDING = Wording("upscaler", "is", "has", "it was", "FILE-or-NAME")
_BICUBIC_INSTEAD = "use bicubic: edgeface-studio weights use bicubic"


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


def describe(path: Path) -> UpscalerFile:
    """The DSR file at `path`. Raises UpscalerUnusable when there is none or it is of another kind, StorageFailed."""
    try:
        facts = look_at(path)
    except WeightsMissing as error:
        raise UpscalerUnusable(
            f"There is no upscaler file at {path}.", f"Check the path, or {_BICUBIC_INSTEAD}."
        ) from error
    if found := stray(facts.path, "torch"):
        raise UpscalerUnusable(f"{facts.path.name} isn't a DSR network: it is {found.what}.", found.next_step)
    if not is_upscaler(facts.metadata):
        raise UpscalerUnusable(
            f"{facts.path.name} isn't a DSR network (format {facts.metadata.get('format', 'none')!r}, expected "
            f"{FORMAT!r}).",
            f"Choose a DSR file that this project trained (.safetensors), or {_BICUBIC_INSTEAD}.",
        )
    return _file(facts)


def _file(facts: FileFacts) -> UpscalerFile:
    return UpscalerFile(facts.path, facts.path.stem, facts.hashes.sha256, facts.size_bytes, facts.metadata)


def scan(settings: Settings) -> list[UpscalerFile]:
    """Every DSR file in data/weights, then data/models, by name. Unreadable ones are left out."""
    found = []
    for path in stored_paths(settings):
        try:
            facts = look_at(path)
        except (WeightsMissing, StorageFailed):
            continue  # gone or unreadable since the folder was listed
        if is_upscaler(facts.metadata):
            found.append(_file(facts))
    return found


def active_upscaler(settings: Settings) -> UpscalerFile:
    """The upscaler in use: the one chosen (data/active.json), else the shipped DSR in data/models, else bicubic.

    Raises UpscalerUnusable when the chosen file is gone, was changed or is of another kind: bicubic is never taken in
    its place unasked. Raises SettingsInvalid when data/active.json is damaged.
    """
    chosen = read_active(settings).get("upscaler")
    if chosen is None:
        shipped = [file for file in scan(settings) if file.path and lies_in(settings.models_dir, file.path)]
        return shipped[0] if shipped else BICUBIC_UPSCALER
    if isinstance(chosen, dict) and chosen.get("path") == BICUBIC:
        return BICUBIC_UPSCALER
    facts = chosen_file(settings, chosen, _WORDING, otherwise=_BICUBIC_INSTEAD, fault=UpscalerUnusable)
    return describe(facts.path)


def find_upscaler(settings: Settings, file_or_name: str | Path) -> UpscalerFile:
    """The upscaler that "bicubic", a file's path or a stored file's name means. Raises UpscalerUnusable, StorageFailed,
    and SettingsInvalid for an empty name."""
    text = str(file_or_name).strip()
    if not text or "\0" in text:
        raise SettingsInvalid(
            "No upscaler was named.", "Give a file, a name (edgeface-studio weights list), or bicubic."
        )
    if text == BICUBIC:
        return BICUBIC_UPSCALER
    if not isinstance(file_or_name, Path) and os.sep not in text:
        for file in scan(settings):
            if file.path is not None and text in (file.name, file.path.name):
                return file
        if not exists(Path(text).expanduser()):
            here = ", ".join(sorted({file.name for file in scan(settings)})) or "none"
            raise UpscalerUnusable(
                f"There is no upscaler called '{text[:80]}', and no such file.",
                f"Stored: {here}; or {_BICUBIC_INSTEAD}.",
            )
    return describe(Path(text))


def resolve_upscaler(settings: Settings, upscaler: str | Path | None = None) -> Path | None:
    """Where the upscaler asked for lies (None: the one in use); None when that is bicubic.

    Raises UpscalerUnusable, StorageFailed, SettingsInvalid.
    """
    file = active_upscaler(settings) if upscaler is None else find_upscaler(settings, upscaler)
    return file.path


def use_upscaler(settings: Settings, file_or_name: str | Path) -> UpscalerFile:
    """Take an upscaler into use: load it completely, try it on real faces, copy it into data/weights where it lies
    elsewhere, and note it in data/active.json. "bicubic" stops using any.

    Nothing changes unless all of it succeeds. Raises UpscalerUnusable (also for one that does worse on faces than no
    interpolation at all), StorageFailed.
    """
    require(Permission.WEIGHTS)
    file = find_upscaler(settings, file_or_name)
    check_upscaler(file)
    kept, entry = keep_upscaler(settings, file)
    write_active(settings, upscaler=entry)
    _log.info("upscaler in use: SHA-256 %s", Public(kept.sha256[:12]))
    return kept


def check_upscaler(file: UpscalerFile) -> None:
    """Load a DSR file completely and try it on real faces. Raises UpscalerUnusable."""
    if file.path is None:
        return
    loaded = DSRUpscaler(file.path)
    if loaded.id != file.sha256:
        raise UpscalerUnusable(f"{file.path.name} changed while it was read.", "Try again when it is complete.")
    require_useful(loaded.super_resolve, file.path.name, leave_out=loaded.bicubic_px)


def keep_upscaler(settings: Settings, file: UpscalerFile, *, name: str = "") -> tuple[UpscalerFile, dict[str, str]]:
    """The same content inside data/weights or data/models, and the entry of data/active.json that chooses it.

    Raises StorageFailed, and WeightsUnsafe when the file changed meanwhile.
    """
    if file.path is None:
        return file, {"path": BICUBIC}
    kept = describe(keep_copy(settings, file.path, file.sha256, name=name))
    assert kept.path is not None
    return kept, choice_of(settings, kept.path, kept.sha256)
