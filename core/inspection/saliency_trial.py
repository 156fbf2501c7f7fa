"""Test saliency maps against chance: the loss of score by covering the top tenth, and by covering random tenths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.pictures import Picture
from core.images import RGB
from core.inspection.saliency import STRIDE_PX, Encode, covered, most_salient, saliency
from core.inspection.subject import Reduction, subject_of_picture
from core.settings import CROP_PX

if TYPE_CHECKING:
    from core.pipeline import Pipeline


@dataclass(frozen=True)
class Drops:
    """Loss of cosine when a tenth of the face is covered: the `top` tenth of the map, the same shape at random
    places (`elsewhere`) and random cells of 8 px (`scattered`), each the mean of a few draws."""

    top: float
    elsewhere: float
    scattered: float


def top_tenth(
    encode: Encode, crop: RGB, target: NDArray[np.float32], random: np.random.Generator, draws: int = 4
) -> Drops:
    """Measure the loss by the map's top tenth and by random tenths. Random single pixels would lose less still: the
    fill restores them from their neighbours."""
    heat = saliency(encode, crop, target).heat
    top = most_salient(heat)
    cells = CROP_PX // STRIDE_PX
    masks = [np.zeros_like(top), top]
    masks += [np.roll(top, tuple(random.integers(0, CROP_PX, 2)), (0, 1)) for _ in range(draws)]
    for _ in range(draws):
        chosen = np.zeros(cells * cells, bool)
        chosen[random.choice(cells * cells, round(cells * cells / 10), replace=False)] = True
        masks.append(np.kron(chosen.reshape(cells, cells), np.ones((STRIDE_PX, STRIDE_PX), bool)))
    scores = encode(np.stack([covered(crop, mask) for mask in masks])) @ target
    lost = scores[0] - scores[1:]
    return Drops(float(lost[0]), float(lost[1 : 1 + draws].mean()), float(lost[1 + draws :].mean()))


def saliency_trial(
    pipeline: Pipeline,
    pictures: Sequence[Picture],
    reduction: Reduction,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """A row for each picture: image, and `Drops` of the enlarged face's cosine to its HR crop."""
    random = np.random.default_rng(seed)
    rows = []
    for number, picture in enumerate(pictures, start=1):
        subject = subject_of_picture(picture, reduction)
        assert subject.hr is not None
        crop = pipeline.upscaler.super_resolve([subject.vlr])[0]
        target = pipeline.encoder.encode([subject.hr])[0]
        rows.append({"image": picture.name, **vars(top_tenth(pipeline.encode_as_small, crop, target, random))})
        if on_progress is not None:
            on_progress(number, len(pictures))
    return pd.DataFrame(rows)
