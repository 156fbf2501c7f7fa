"""The model against presentation attacks that is in use, if any: chosen, switched off, loaded. A model that was chosen
and isn't there any more, or has changed, stops recognition instead of leaving it unprotected.
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
    """The file in use, what it was when it was chosen, and how it is fed and read."""

    path: Path
    sha256: str
    model: AttackModel


def chosen_check(settings: Settings) -> ChosenCheck | None:
    """What is in use; None where nothing is. Raises AttackCheckUnusable for an entry that can't be read,
    SettingsInvalid."""
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
    """The check at work; None where none is in use. Raises AttackCheckUnusable also for a file that has changed."""
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
    """Check every face from now on with the model at `path`, once it has run. Raises NotAllowed, AttackCheckUnusable,
    StorageFailed."""
    require(Permission.WEIGHTS)
    path = path.expanduser().resolve()
    AttackCheck(path, model)
    chosen = ChosenCheck(path, hash_file(path).sha256, model)
    entry = {"path": str(path), "sha256": chosen.sha256, "model": model.to_json()}
    write_active(settings, **{_KEY: entry})
    return chosen


def switch_off(settings: Settings) -> None:
    """Check no face any more. Raises NotAllowed, StorageFailed."""
    write_active(settings, **{_KEY: None})


def key_of_check(settings: Settings) -> str:
    """What changes with the check in use, for caches of what was loaded with it."""
    try:
        chosen = chosen_check(settings)
    except CoreError as error:
        return f"unusable: {error.what}"
    return "" if chosen is None else f"{chosen.path} {chosen.sha256} {chosen.model}"
