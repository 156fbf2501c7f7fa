"""One 32 px crop, from pixels to a name: super-resolution, embedding, search among 10,000 people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.bench.galleries import filled_gallery
from core.bench.material import Material
from core.bench.measure import Times, in_turns
from core.bench.row import Row
from core.encoder.encode import WARM_UP_CROPS
from core.gallery.records import Space
from core.images import resize, to_tensor
from core.system.cpu import cpu_has_bfloat16
from tests.benchmarks.embedding import plain_model
from tests.benchmarks.rival_dsr import RivalDSR

COMMAND = (
    "RivalDSR (tests/benchmarks/rival_dsr.py: CNN and transformer, 5.6 M parameters, random weights) -> EdgeFace "
    "float32 NCHW -> torch.mv(templates, embedding).topk(5), all under torch.no_grad()"
)


def rows(material: Material) -> Iterator[Row]:
    """As it runs here, with what each step takes; then, where that is in bfloat16, without it."""
    templates = material.templates(material.size(10_000, 200))
    yield _row(material, templates, "", "")
    if cpu_has_bfloat16():
        with material.without_bfloat16():
            yield _row(material, templates, "-float32", ", bfloat16 off")


def _row(material: Material, templates: NDArray[np.float32], suffix: str, words: str) -> Row:
    from core.faces.detect import Detector
    from core.pipeline import Pipeline, PipelineConfig
    from core.sr import load_upscaler

    people, upscaler, encoder = len(templates), load_upscaler(material.dsr_file), material.load_encoder()
    space = Space(encoder.name, encoder.weights_sha256, upscaler.id, encoder.flip_tta, bicubic_px=upscaler.bicubic_px)
    with filled_gallery(material, templates, f"one-crop{suffix}", space=space) as gallery:
        pipeline = Pipeline(PipelineConfig(device="cpu", aligned=True), encoder, upscaler, Detector(), gallery)
        smalls = [resize(crop, 32) for crop in material.crops[:16]]
        rival, network = RivalDSR().eval(), plain_model(material)
        stored = torch.from_numpy(templates)
        turn = {"ours": 0, "plain": 0}

        def following(side: str) -> NDArray[np.uint8]:
            turn[side] += 1
            return smalls[turn[side] % len(smalls)]

        def plain() -> object:
            with torch.no_grad():
                enlarged = rival(to_tensor([following("plain")]).contiguous())
                embedding = nn.functional.normalize(network(enlarged)[0], dim=0)
                return torch.mv(stored, embedding).topk(5)

        for _ in range(WARM_UP_CROPS + 2):
            pipeline.run(smalls[0])
        calls = {"ours": lambda: pipeline.run(following("ours")), "plain": plain}
        times = in_turns(calls, rounds=material.size(80, 3), warm_up=2)
        # Alone as well: right after the baseline nothing of ours is left in the processor's cache.
        alone: Times = in_turns({"ours": calls["ours"]}, rounds=material.size(300, 3), warm_up=5)["ours"]
        steps = ", ".join(f"{step} {ms:.1f}" for step, ms in _steps(pipeline, smalls).items())
    p50, base = 1e3 * times["ours"].median, 1e3 * times["plain"].median
    return Row(
        f"one-crop{suffix}",
        f"One 32 px crop: DSR, embedding, 1:{people:,}{words}",
        "ms",
        p50,
        base,
        base / p50,
        "p50 <= 8 ms",
        p50 <= 8,
        COMMAND,
        f"p99 {1e3 * times['ours'].p99:.1f} ms; crop after crop, without the baseline between: p50 "
        f"{1e3 * alone.median:.1f}, p99 {1e3 * alone.p99:.1f} ms; steps in ms: {steps}; engine {encoder.engine}; "
        "quality and decision included in ours",
    )


def _steps(pipeline: object, smalls: list[NDArray[np.uint8]]) -> dict[str, float]:
    """Median milliseconds of each step that a recognition reports; "find" holds cut, quality and super-resolution."""
    from core.pipeline import Pipeline

    assert isinstance(pipeline, Pipeline)
    taken = [pipeline.run(small).timings_ms for small in smalls]
    names = {"detect and align": "cut, judge and super-resolve"}
    return {names.get(step, step): float(np.median([each[step] for each in taken])) for step in taken[0]}
