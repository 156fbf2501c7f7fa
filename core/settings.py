"""Where things live and what is in use: resolved once from the environment, then passed as values."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid, StorageFailed

PROJECT_ROOT = Path(__file__).resolve().parents[1]

UNCALIBRATED_THRESHOLD = 0.35
"""The notes' cosine threshold. It belongs to no gallery and no weights: shown as "uncalibrated" wherever it is used."""

TIE_MARGIN = 0.02
"""Two names whose scores differ by no more than this are a tie: nobody is named.

Measured on the people of LFW folds 1 to 4, EdgeFace-XXS with bicubic, 10 galleries of 800 people with one photograph
each, probes as they are and at 32, 24 and 16 px, threshold 0.35: of 219 accepted answers within 0.02 the first name was
right in 58 % and the second in 35 %; from 0.02 to 0.03 in 76 and 19 %, from 0.05 to 0.1 in 94 and 3 %. It takes back
20 % of the wrong names and 0.26 % of the right ones (0.7 % at 16 px; less in smaller galleries).
"""

CROP_PX = 112
"""Side of the aligned crop that EdgeFace takes."""

VLR_SIZES_PX = (16, 24, 32)
"""The very-low-resolution sizes that figures, templates and DSR routing go by."""


@dataclass(frozen=True)
class Settings:
    """Every path of an installation. All follow from `data_dir`; `models_dir`, with the weights that the project
    ships, is the project's own data/models unless EDGEFACE_MODELS_DIR names another."""

    data_dir: Path
    models_dir: Path
    gallery_path: Path

    @property
    def weights_dir(self) -> Path:
        return self.data_dir / "weights"

    @property
    def active_path(self) -> Path:
        return self.data_dir / "active.json"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from EDGEFACE_DATA_DIR, EDGEFACE_GALLERY and EDGEFACE_MODELS_DIR, else the project's own data/ folder.

    Raises SettingsInvalid when the data folder's path is a file.
    """
    env = os.environ if environ is None else environ
    data_dir = Path(env.get("EDGEFACE_DATA_DIR") or PROJECT_ROOT / "data").expanduser().resolve()
    if data_dir.exists() and not data_dir.is_dir():
        raise SettingsInvalid(
            f"EDGEFACE_DATA_DIR is a file, not a folder: {data_dir}.", "Point it at a folder, or unset it."
        )
    if env.get("EDGEFACE_GALLERY", "").strip() == ":memory:":
        raise SettingsInvalid(
            "EDGEFACE_GALLERY is :memory:, which would keep nothing.", "Point it at a file, or unset it."
        )
    gallery = Path(env.get("EDGEFACE_GALLERY") or data_dir / "gallery.db").expanduser().resolve()
    models = Path(env.get("EDGEFACE_MODELS_DIR") or PROJECT_ROOT / "data" / "models").expanduser().resolve()
    return Settings(data_dir=data_dir, models_dir=models, gallery_path=gallery)


def read_active(settings: Settings) -> dict[str, Any]:
    """What the operator chose to use ({"encoder": {"path": ..., "sha256": ...}, ...}); {} when nothing was chosen.

    Raises SettingsInvalid when the file is there but isn't JSON of that form.
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
    from core.access.trail import record

    require(Permission.WEIGHTS)
    active = {**read_active(settings), **changes}
    active = {key: value for key, value in active.items() if value is not None}
    write_atomically(settings.active_path, json.dumps(active, indent=2).encode("utf-8"))
    record(settings, f"in use changed: {', '.join(sorted(changes))}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, then `os.replace`: readers see the old file or the new one, never half.

    Raises StorageFailed (disk full, no permission); the earlier file, if any, is untouched then.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StorageFailed(
            f"{path} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error
