"""active.json: the weights, the upscaler and the other choices in use in an installation."""

from __future__ import annotations

import json
from typing import Any

from core.access.actor import require
from core.access.roles import Permission
from core.access.trail import write_trail
from core.errors import SettingsInvalid
from core.settings import Settings
from core.system.atomic_file import write_atomically


def read_active(settings: Settings) -> dict[str, Any]:
    """Read the choices in use ({"encoder": {"path": ..., "sha256": ...}, ...}); {} where nothing was chosen.

    Raises SettingsInvalid when the file isn't valid JSON of that form.
    """
    try:
        text = settings.active_path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"{settings.active_path} can't be read: {error}.", "Delete it to start afresh."
        ) from error
    try:
        active = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise SettingsInvalid(
            f"{settings.active_path} isn't valid JSON{where}.", "Delete it to start afresh."
        ) from error
    if not isinstance(active, dict):
        raise SettingsInvalid(f"{settings.active_path} holds no settings object.", "Delete it to start afresh.")
    return active


def write_active(settings: Settings, **changes: Any) -> None:
    """Merge `changes` into the active choices, atomically. A value of None removes its key. Raises NotAllowed,
    SettingsInvalid, StorageFailed."""
    require(Permission.WEIGHTS)
    active = {**read_active(settings), **changes}
    active = {key: value for key, value in active.items() if value is not None}
    write_atomically(settings.active_path, json.dumps(active, indent=2).encode("utf-8"))
    write_trail(settings, f"in use changed: {', '.join(sorted(changes))}")
