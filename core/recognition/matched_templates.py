"""Resolution-matched templates: an enrolled face at 32, 24 and 16 px, through the upscaler in use.

A far camera's probe lacks detail that a full-size template has; a template that lacks the same detail is closer to it.
The score of an identity is the highest over its means, one for each size, so matched templates complement the full-size
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.errors import SettingsInvalid
from core.gallery.records import NewTemplate
from core.images import encode_image, resize
from core.settings import CROP_PX, VLR_SIZES_PX

if TYPE_CHECKING:
    from core.encoder.pair import EncoderPair
    from core.faces.detect import Detector
    from core.recognition.results import DraftPhoto
    from core.sr import Upscaler

MATCHED_SIZES_PX = tuple(reversed(VLR_SIZES_PX))
"""32, 24 and 16 px."""


def matched_templates(
    encoders: EncoderPair,
    upscaler: Upscaler,
    detector: Detector,
    photos: Sequence[DraftPhoto],
    sizes_px: Sequence[int] = MATCHED_SIZES_PX,
    *,
    store_crops: bool = True,
) -> list[NewTemplate]:
    """Templates of kind "sr" at each size for every usable photograph of full size, embedded in one batch.

    The aligned face is reduced as a data set's images are (antialiased bicubic) and enlarged as a probe of that size
    would be; recognisability is measured on the reduced face. Photographs that are small themselves give none. With
    `store_crops` the small picture is kept (under 3 KB), so that another encoder or upscaler can embed it again. Raises
    SettingsInvalid for another size.
    """
    if wrong := [px for px in sizes_px if px not in VLR_SIZES_PX]:
        raise SettingsInvalid(
            f"There are no matched templates of {wrong[0]} px.", f"Choose from {', '.join(map(str, MATCHED_SIZES_PX))}."
        )
    full = [(photo, photo.probe) for photo in photos if photo.usable and photo.probe is not None]
    wanted = [
        (photo, resize(probe.aligned, px), px) for photo, probe in full if probe.size_px is None for px in sizes_px
    ]
    if not wanted:
        return []
    routes = [upscaler.route(px) for _, _, px in wanted]
    seen = [
        upscaler.super_resolve([crop])[0] if route.network else resize(crop, CROP_PX)
        for (_, crop, _), route in zip(wanted, routes, strict=True)
    ]
    vectors = encoders.encode(seen, [route.specialist for route in routes])
    return [
        NewTemplate(
            vector=vector,
            kind="sr",
            probe_px=float(px),
            size_px=px,
            image_sha256=photo.image_sha256,
            crop=encode_image(crop, "png") if store_crops else None,
            source=photo.name,
            recognisability=recognisability,
        )
        for (photo, crop, px), vector, recognisability in zip(
            wanted, vectors, detector.recognisability([crop for _, crop, _ in wanted]), strict=True
        )
    ]
