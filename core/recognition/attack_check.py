"""The check against presentation attacks in use: choose, switch off, load. A chosen model that is missing or has
changed stops recognition, instead of leaving it unprotected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError
from core.faces.attack import AttackCheck, AttackCheckUnusable, AttackModel, model_of
from core.models.active_file import read_active, write_active
from core.models.files import hash_file
from core.settings import Settings

_KEY = "attack_check"
UNPROTECTED = "No check against presentation attacks is in use: a print or a screen is taken for the person it shows."


@dataclass(frozen=True)
class ChosenCheck:
    """The model file in use, its hash when it was chosen, and its description."""

    path: Path
    sha256: str
    model: AttackModel


def chosen_check(settings: Settings) -> ChosenCheck | None:
    """The check in use, or None. Raises AttackCheckUnusable for an unreadable entry, SettingsInvalid."""
    said: Any = read_active(settings).get(_KEY)
    if said is None:
        return None
    try:
        return ChosenCheck(Path(said["path"]), str(said["sha256"]), model_of(said["model"]))
    except (KeyError, TypeError) as error:
        raise AttackCheckUnusable(
            f"{settings.active_path}: {_KEY!r} isn't what was written there.", "Choose the model again."
        ) from error


def load_check(settings: Settings) -> AttackCheck | None:
    """Load the check in use; None where there is none. Raises AttackCheckUnusable, also for a file that has changed."""
    chosen = chosen_check(settings)
    if chosen is None:
        return None
    check = AttackCheck(chosen.path, chosen.model)
    if hash_file(chosen.path).sha256 != chosen.sha256:
        raise AttackCheckUnusable(
            f"{chosen.path} isn't the model that was chosen: it has changed.",
            "Choose it again (edgeface-studio attacks use), or switch the check off (attacks off).",
        )
    return check


def use_check(settings: Settings, path: Path, model: AttackModel) -> ChosenCheck:
    """Use the model at `path` to check every face, after a trial run. Raises NotAllowed, AttackCheckUnusable,
    StorageFailed."""
    require(Permission.WEIGHTS)
    path = path.expanduser().resolve()
    AttackCheck(path, model)
    chosen = ChosenCheck(path, hash_file(path).sha256, model)
    entry = {"path": str(path), "sha256": chosen.sha256, "model": model.to_json()}
    write_active(settings, **{_KEY: entry})
    return chosen


def switch_off(settings: Settings) -> None:
    """Stop checking faces. Raises NotAllowed, StorageFailed."""
    write_active(settings, **{_KEY: None})


def key_of_check(settings: Settings) -> str:
    """A key that changes with the check in use, for caches."""
    try:
        chosen = chosen_check(settings)
    except CoreError as error:
        return f"unusable: {error.what}"
    return "" if chosen is None else f"{chosen.path} {chosen.sha256} {chosen.model}"
