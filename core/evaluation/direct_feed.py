"""The systems that figures stand beside: the same encoder fed directly, and the official weights it was trained from.

What wins on small faces that were made by shrinking can lose on those of a camera, and a learned front end often
doesn't beat feeding the encoder faces enlarged by bicubic interpolation. So reports hold that row by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.lineage import ancestors_of
from core.models.encoders import WeightsFile, scan
from core.models.measured import BICUBIC
from core.settings import Settings


def with_direct_feed(specs: Sequence[SystemSpec], settings: Settings) -> list[SystemSpec]:
    """Return `specs` with what they stand beside: each encoder fed directly, then the stored official weights that any
    of them was trained from, fed directly; each system once, peers as they are.

    `specs` name files, as those of `every_system` do. Raises WeightsMissing, StorageFailed for a file that can't be
    read.
    """
    own = [spec for spec in specs if not spec.is_peer]
    fed = [replace(spec, upscaler=BICUBIC, beside=True) for spec in own]
    for spec in own:
        fed += [
            replace(spec, weights=str(file.path), upscaler=BICUBIC, beside=True)
            for file in _official_ancestors(Path(str(spec.weights)), settings)
        ]
    there = {replace(spec, beside=False) for spec in specs}
    return [*specs, *dict.fromkeys(spec for spec in fed if replace(spec, beside=False) not in there)]


def lacks_direct_feed(specs: Sequence[SystemSpec]) -> bool:
    """Whether an encoder of `specs` is measured without being fed directly."""
    there = {replace(spec, beside=False) for spec in specs}
    return any(replace(spec, upscaler=BICUBIC, beside=False) not in there for spec in specs if not spec.is_peer)


def _official_ancestors(weights: Path, settings: Settings) -> list[WeightsFile]:
    stored = {file.sha256: file for file in scan(settings) if file.official is not None}
    if not stored:
        return []
    named = ancestors_of([weights], settings).weights
    return [file for sha256, file in stored.items() if sha256 in named and file.path != weights]
