"""Paths of an installation, resolved once from the environment and passed on as a value, and shared constants."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingsInvalid
from core.system.server_address import resolved_place

PROJECT_ROOT = Path(__file__).resolve().parents[1]

UNCALIBRATED_THRESHOLD = 0.35
"""The default cosine threshold. It is calibrated for no gallery and no weights: shown as "uncalibrated" wherever it is
used."""

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
"""The very-low-resolution sizes of figures, templates and DSR routing."""


@dataclass(frozen=True)
class Settings:
    """The paths of an installation. They follow from `data_dir`; `models_dir`, with the shipped weights, is the
    project's own data/models unless EDGEFACE_MODELS_DIR names another folder. `gallery_path` may be the address of a
    server, "postgresql://...": then it is a text."""

    data_dir: Path
    models_dir: Path
    gallery_path: Path | str

    @property
    def weights_dir(self) -> Path:
        return self.data_dir / "weights"

    @property
    def active_path(self) -> Path:
        return self.data_dir / "active.json"


def data_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder that EDGEFACE_DATA_DIR names, else the project's own data/; whether it exists isn't checked."""
    env = os.environ if environ is None else environ
    return Path(env.get("EDGEFACE_DATA_DIR") or PROJECT_ROOT / "data").expanduser().resolve()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from EDGEFACE_DATA_DIR, EDGEFACE_GALLERY and EDGEFACE_MODELS_DIR, else the project's own data/ folder.

    Raises SettingsInvalid when the data folder's path is a file.
    """
    env = os.environ if environ is None else environ
    data_dir = data_folder(env)
    if data_dir.exists() and not data_dir.is_dir():
        raise SettingsInvalid(
            f"EDGEFACE_DATA_DIR is a file, not a folder: {data_dir}.", "Point it at a folder, or unset it."
        )
    if env.get("EDGEFACE_GALLERY", "").strip() == ":memory:":
        raise SettingsInvalid(
            "EDGEFACE_GALLERY is :memory:, which would keep nothing.", "Point it at a file, or unset it."
        )
    gallery = resolved_place(env.get("EDGEFACE_GALLERY") or data_dir / "gallery.db")
    models = Path(env.get("EDGEFACE_MODELS_DIR") or PROJECT_ROOT / "data" / "models").expanduser().resolve()
    return Settings(data_dir=data_dir, models_dir=models, gallery_path=gallery)
