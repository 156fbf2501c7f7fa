"""Encoder weights: which are stored, which of them are official files, and which are in use.

Official files are recognised by their content (Git blob id), never by their name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.errors import CoreError
from core.models.errors import WeightsMissing, WeightsUnsafe
from core.models.files import (
    FileFacts,
    Hashes,
    WeightsFile,
    Wording,
    exists,
    file_facts,
    free_path,
    hash_file,
    is_inside,
    is_shipped,
)
from core.models.header import is_landmark_network, is_upscaler
from core.models.registry import ModelRegistry
from core.models.variants import RECOMMENDED, VARIANTS, variant_by_blob_id
from core.settings import Settings

__all__ = [
    "Hashes",
    "WeightsFile",
    "active_weights",
    "describe",
    "fetch_command",
    "find_weights",
    "free_path",
    "hash_file",
    "how_to_get",
    "resolve_weights",
    "scan",
    "use_weights",
]

PREFERENCE = (RECOMMENDED, *(name for name in (f"{RECOMMENDED}_q", *VARIANTS) if name != RECOMMENDED))
"""Order in which official files are used while none was chosen: the recommended one, its int8 version, the others."""


def fetch_command(name: str = RECOMMENDED) -> str:
    return f"edgeface-studio weights fetch {name}"


def how_to_get(settings: Settings) -> str:
    """Return the three ways to weights in one sentence: fetch, use a file, put one into the folder."""
    return (
        f"Fetch them: {fetch_command()}; or use a file you have: edgeface-studio weights use FILE; or put an official "
        f"file by hand into {settings.weights_dir}."
    )


class _Encoders(ModelRegistry[WeightsFile]):
    key = "encoder"
    wording = Wording("weights", "are", "have", "they were", "FILE-or-NAME")
    fault = WeightsMissing
    alternative = f"fetch official ones: {fetch_command()}"

    def describe(self, path: Path) -> WeightsFile:
        return self.from_facts(file_facts(path))

    def accepts(self, metadata: Mapping[str, str]) -> bool:
        return not (is_upscaler(metadata) or is_landmark_network(metadata))

    def from_facts(self, facts: FileFacts) -> WeightsFile:
        blob = facts.hashes.git_blob_id
        return WeightsFile(
            facts.path,
            facts.path.stem,
            facts.hashes.sha256,
            blob,
            variant_by_blob_id(blob),
            facts.size_bytes,
            facts.metadata,
        )

    def default(self, settings: Settings) -> WeightsFile:
        """The first official file by PREFERENCE, those in data/weights first; else the shipped weights."""
        found = self.scan(settings)
        for folder in (settings.weights_dir, settings.models_dir):
            official = {
                file.official.name: file for file in reversed(found) if file.official and is_inside(folder, file.path)
            }
            for name in PREFERENCE:
                if name in official:
                    return official[name]
        # A file that isn't official is used without being chosen only where the project ships it.
        if shipped := [file for file in found if is_shipped(settings, file)]:
            return shipped[0]
        if found:
            raise WeightsMissing(
                f"No EdgeFace weights are in use, but {settings.weights_dir} holds {found[0].path.name}.",
                f"Use it: edgeface-studio weights use {found[0].name}; or fetch official ones: {fetch_command()}.",
            )
        raise WeightsMissing("No EdgeFace weights are here yet.", how_to_get(settings))

    def named(self, text: str, stored: list[WeightsFile]) -> WeightsFile | None:
        """An official name means the official content, under any file name."""
        name = text.removesuffix(".pt")
        official = [file for file in stored if file.official is not None and file.official.name == name]
        return official[0] if official else super().named(text, stored)

    def not_named(self) -> CoreError:
        return WeightsMissing("No weights were named.", "Give a file or a name: edgeface-studio weights list.")

    def not_found(self, settings: Settings, text: str, stored: list[WeightsFile]) -> CoreError:
        name = text.removesuffix(".pt")
        if name in VARIANTS and not exists(Path(text)):
            return WeightsMissing(
                f"The official weights {name} aren't here.",
                f"Fetch them: {fetch_command(name)}; or put {name}.pt into {settings.weights_dir}.",
            )
        here = ", ".join(sorted({file.name for file in stored})) or "none"
        return WeightsMissing(
            f"There are no weights called '{text[:80]}', and no such file.",
            f"Stored: {here}. Official names: {', '.join(VARIANTS)}.",
        )

    def check(self, file: WeightsFile) -> None:
        """Load a file completely and check that it tells people apart. Raises what `load_encoder` raises, and
        WeightsUnsafe when the file is being written."""
        from core.encoder.encode import load_encoder

        encoder = load_encoder(file.path, device="cpu", check=True)
        if encoder.weights_sha256 != file.sha256:
            raise WeightsUnsafe(f"{file.path.name} changed while it was read.", "Try again when it is complete.")


ENCODERS = _Encoders()
"""The encoder weights of an installation; the functions below are its methods."""

describe = ENCODERS.describe
scan = ENCODERS.scan
active_weights = ENCODERS.active
find_weights = ENCODERS.find
use_weights = ENCODERS.use
check_weights = ENCODERS.check
keep_weights = ENCODERS.keep


def resolve_weights(settings: Settings, weights: str | Path | None = None) -> Path:
    """Return the path of weights by path or name; None means those in use.

    Raises WeightsMissing, StorageFailed, and SettingsInvalid when data/active.json is damaged.
    """
    return ENCODERS.get(settings, weights).path
