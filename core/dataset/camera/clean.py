"""Clean crops for simulated cameras: large faces of a data set, or drawn people where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.dataset.errors import CameraUnclear
from core.dataset.layout import HR
from core.dataset.manifest import read_dataset
from core.dataset.synthetic.demo import CAMERAS, draw_portrait
from core.dataset.synthetic.looks import draw_looks
from core.faces.align import align
from core.images import RGB, read_image, resize
from core.settings import CROP_PX

MOST = 300
DRAWN = 96
"""Drawn people, one picture of each."""


def clean_crops(root: Path | None, *, seed: int = 0) -> Sequence[RGB]:
    """Up to 300 large faces, uint8 (112, 112, 3), of the data set in the folder `root`, drawn from `seed`; 96 drawn
    people for None.

    Raises DatasetInvalid, StorageFailed, CameraUnclear for a data set without large faces.
    """
    if root is None:
        return _drawn(seed)
    dataset = read_dataset(root)
    paths = dataset.frame.loc[dataset.frame["kind"] == HR, "path"].tolist()
    if not paths:
        raise CameraUnclear(f"The data set {dataset.info.name} has no large faces.", "Choose another one.")
    chosen = np.random.default_rng(seed).permutation(len(paths))[:MOST]
    return [resize(read_image(dataset.file(paths[place])), CROP_PX) for place in sorted(chosen.tolist())]


def _drawn(seed: int) -> list[RGB]:
    cameras = list(CAMERAS)
    crops = []
    for person, looks in enumerate(draw_looks(DRAWN, seed)):
        camera = cameras[person % len(cameras)]
        portrait = draw_portrait(looks, person, person, camera, smiling=bool(person % 2), seed=seed)
        crops.append(align(portrait.rgb, portrait.landmarks))
    return crops
