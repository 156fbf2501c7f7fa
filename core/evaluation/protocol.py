"""Protocol of an evaluation: the facts that reproduce it, and the columns that name a view in its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pandas as pd

from core.evaluation.evaluation_spec import Plan
from core.evaluation.pictures import Picture, data_sha256
from core.evaluation.systems import System
from core.evaluation.views import View
from core.models.landmark_networks import describe, resolve_landmarks
from core.settings import CROP_PX, load_settings

AS_IN_DATA = "as in the data set"
"""The aligner of crops that were aligned before."""

VERSIONS = ("edgeface-studio", "torch", "timm", "numpy", "scikit-learn", "opencv-python-headless")


def protocol_of(systems: Sequence[System], pictures: Sequence[Picture], plan: Plan) -> dict[str, Any]:
    """Facts that a reader needs to reproduce the figures."""
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": "accept when cosine >= threshold; gallery at HR, probes at each size",
        "data_sha256": data_sha256(pictures),
        "aligner": aligner_of(pictures),
        "systems": [system.protocol() for system in systems],
        "plan": plan.to_config(),
        "versions": {name: version(name) for name in VERSIONS},
    }


def aligner_of(pictures: Sequence[Picture]) -> str:
    """What found and aligned the faces: "YuNet + NETWORK (SHA-256)" of the landmark network in use, or AS_IN_DATA where
    all pictures are crops. Figures by different aligners can't be compared."""
    if all(picture.aligned for picture in pictures):
        return AS_IN_DATA
    settings = load_settings()
    network = describe(resolve_landmarks(settings))
    return f"YuNet + {network.name} ({network.sha256[:12]})"


def view_columns(system: System, view: View) -> dict[str, Any]:
    """The columns that tell systems and views apart in every table."""
    return {
        "system": system.label,
        "mode": view.mode,
        "degradation": "" if view.size_px is None else view.degradation,
        "probe": view.probe,
        "size_px": CROP_PX if view.size_px is None else view.size_px,
    }


def labelled(table: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Insert constant columns at the front of `table`, in place."""
    for position, (name, value) in enumerate(columns.items()):
        table.insert(position, name, value)
    return table
