"""Re-embeds a gallery with random weights, a few crops at a time, to be killed amid the work: `GALLERY WEIGHTS`."""

from __future__ import annotations

import sys
from pathlib import Path

import core.enrolment.reembed
from core.access.actor import owner, resolve_with
from core.encoder.encode import load_encoder
from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.pipeline import Pipeline, PipelineConfig
from core.sr import bicubic


def pipeline_of(gallery: Path | str, weights: Path) -> Pipeline:
    encoder = load_encoder(weights, check=False, precision="float32", device="cpu")
    return Pipeline(PipelineConfig(), encoder, bicubic(), Detector(), Gallery.open(gallery))


if __name__ == "__main__":
    resolve_with(owner)
    core.enrolment.reembed.BATCH = 3
    core.enrolment.reembed._PROGRESS_EVERY_S = 0.0
    pipeline = pipeline_of(sys.argv[1], Path(sys.argv[2]))
    core.enrolment.reembed.reembed(
        pipeline, pipeline.gallery.store, on_event=lambda kind, **data: print(kind, data.get("done"), flush=True)
    )
    print("end", flush=True)
