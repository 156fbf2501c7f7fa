"""The landmark network that the project ships, within reach of tests that see no other shipped file."""

from __future__ import annotations

from pathlib import Path

from core.settings import PROJECT_ROOT


def link_landmarks(models_dir: Path) -> Path:
    """A folder of models with a link to the shipped landmark network, made where it is missing."""
    from core.faces.landmarks.network import FILE  # numpy must not load before conftest sets its threads

    models_dir.mkdir(parents=True, exist_ok=True)
    link = models_dir / FILE
    if not link.exists():
        link.symlink_to(PROJECT_ROOT / "data" / "models" / FILE)
    return models_dir
