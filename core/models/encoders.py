"""Which encoder weights are here, which of them are official files, and which are in use.

Official files are known by their content (git blob id), never by their name. What is in use stands in data/active.json
with its SHA-256, so that a file that was exchanged is noticed. Nothing here needs torch, except `use_weights`, which
loads a file completely before it takes it into use.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.models.active_file import read_active, write_active
from core.models.errors import WeightsMissing, WeightsUnsafe
from core.models.files import (
    Hashes,
    WeightsFile,
    Wording,
    choice_of,
    chosen_file,
    exists,
    free_path,
    hash_file,
    keep_copy,
    lies_in,
    look_at,
    stored_paths,
)
from core.models.header import is_upscaler
from core.models.variants import RECOMMENDED, VARIANTS, variant_by_blob_id
from core.settings import Settings
from core.system.logs import Public, logger

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

_log = logger(__name__)

PREFERENCE = (RECOMMENDED, *(name for name in (f"{RECOMMENDED}_q", *VARIANTS) if name != RECOMMENDED))
"""Which official file is taken when none was chosen: the recommended one, its int8 version, then as published."""

_WORDING = Wording("weights", "are", "have", "they were", "FILE-or-NAME")


def describe(path: Path) -> WeightsFile:
    """The file at `path` with its hashes, which are kept in memory while size and time of change stay the same.

    Raises WeightsMissing when there is no such file, StorageFailed when it can't be read.
    """
    facts = look_at(path)
    blob = facts.hashes.git_blob_id
    official = variant_by_blob_id(blob)
    return WeightsFile(
        facts.path, facts.path.stem, facts.hashes.sha256, blob, official, facts.size_bytes, facts.metadata
    )


def scan(settings: Settings) -> list[WeightsFile]:
    """Every encoder file in data/weights, then data/models, by name. Super-resolution files and unreadable ones are
    left out."""
    found: list[WeightsFile] = []
    for path in stored_paths(settings):
        try:
            file = describe(path)
        except (WeightsMissing, StorageFailed):
            continue  # gone or unreadable since the folder was listed
        if not is_upscaler(file.metadata):
            found.append(file)
    return found


def active_weights(settings: Settings) -> WeightsFile:
    """The weights in use: those chosen (data/active.json), else the first official file that is here, else the
    starter that the project ships.

    Raises WeightsMissing when there are none, or when the chosen file is gone or was changed; SettingsInvalid when
    data/active.json is damaged.
    """
    chosen = read_active(settings).get("encoder")
    if chosen is not None:
        otherwise = f"fetch official ones: {fetch_command()}"
        return describe(chosen_file(settings, chosen, _WORDING, otherwise=otherwise).path)
    found = scan(settings)
    for folder in (settings.weights_dir, settings.models_dir):
        here = [file for file in found if lies_in(folder, file.path)]
        for name in PREFERENCE:
            for file in here:
                if file.official is not None and file.official.name == name:
                    return file
    # Not an official file: taken without being asked only where the project ships it.
    starters = [file for file in found if lies_in(settings.models_dir, file.path)]
    if starters:
        return starters[0]
    if found:
        raise WeightsMissing(
            f"No EdgeFace weights are in use, but {settings.weights_dir} holds {found[0].path.name}.",
            f"Use it: edgeface-studio weights use {found[0].name}; or fetch official ones: {fetch_command()}.",
        )
    raise WeightsMissing("No EdgeFace weights are here yet.", how_to_get(settings))


def resolve_weights(settings: Settings, weights: str | Path | None = None) -> Path:
    """Where the weights asked for lie: a path, the name of a stored or official file, or None for those in use.

    Raises WeightsMissing, StorageFailed, and SettingsInvalid when data/active.json is damaged.
    """
    if weights is None:
        return active_weights(settings).path
    return find_weights(settings, weights).path


def find_weights(settings: Settings, file_or_name: str | Path) -> WeightsFile:
    """The weights that a file's path or a name means. An official name means the official content, under any name.

    Raises WeightsMissing with what is there instead, StorageFailed.
    """
    text = str(file_or_name).strip()
    if not text or "\0" in text:
        raise WeightsMissing("No weights were named.", "Give a file or a name: edgeface-studio weights list.")
    stored = scan(settings)
    if not isinstance(file_or_name, Path) and os.sep not in text:
        name = text.removesuffix(".pt")
        by_content = [file for file in stored if file.official is not None and file.official.name == name]
        by_name = [file for file in stored if text in (file.name, file.path.name)]
        if by_content or by_name:
            return (by_content or by_name)[0]
        if name in VARIANTS and not exists(Path(text)):
            raise WeightsMissing(
                f"The official weights {name} aren't here.",
                f"Fetch them: {fetch_command(name)}; or put {name}.pt into {settings.weights_dir}.",
            )
    path = Path(text).expanduser()
    if not exists(path) and os.sep not in text:
        here = ", ".join(sorted({file.name for file in stored})) or "none"
        raise WeightsMissing(
            f"There are no weights called '{text[:80]}', and no such file.",
            f"Stored: {here}. Official names: {', '.join(VARIANTS)}.",
        )
    return describe(path)


def use_weights(settings: Settings, file_or_name: str | Path) -> WeightsFile:
    """Take weights into use: load them completely, check their health, copy them into data/weights where they lie
    elsewhere, and note them in data/active.json.

    Nothing changes unless all of it succeeds. Raises what `find_weights` and `load_encoder` raise, and StorageFailed.
    """
    require(Permission.WEIGHTS)
    file = find_weights(settings, file_or_name)
    check_weights(file)
    kept, entry = keep_weights(settings, file)
    write_active(settings, encoder=entry)
    _log.info("encoder weights in use: SHA-256 %s", Public(kept.sha256[:12]))
    return kept


def check_weights(file: WeightsFile) -> None:
    """Load a file completely and see that it tells people apart. Raises what `load_encoder` raises, and WeightsUnsafe
    when the file is being written."""
    from core.encoder.encode import load_encoder

    encoder = load_encoder(file.path, device="cpu", check=True)
    if encoder.weights_sha256 != file.sha256:
        raise WeightsUnsafe(f"{file.path.name} changed while it was read.", "Try again when it is complete.")


def keep_weights(settings: Settings, file: WeightsFile, *, name: str = "") -> tuple[WeightsFile, dict[str, str]]:
    """The same content inside data/weights or data/models, and the entry of data/active.json that chooses it.

    Raises StorageFailed, and WeightsUnsafe when the file changed meanwhile.
    """
    kept = describe(keep_copy(settings, file.path, file.sha256, name=name))
    return kept, choice_of(settings, kept.path, kept.sha256)


def fetch_command(name: str = RECOMMENDED) -> str:
    return f"edgeface-studio weights fetch {name}"


def how_to_get(settings: Settings) -> str:
    """One sentence with the three ways to weights: fetch, use a file, put one into the folder."""
    return (
        f"Fetch them: {fetch_command()}; or use a file you have: edgeface-studio weights use FILE; or put an official "
        f"file by hand into {settings.weights_dir}."
    )
