"""A small data set of real faces made unlike, and pipelines of real parts: random weights, with and without a DSR."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from safetensors.torch import save_file

from core.evaluation.pictures import Picture, pictures_of_dataset
from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.pipeline import Pipeline, PipelineConfig
from core.sr import bicubic
from core.sr.network import DSR, DSRConfig
from core.sr.upscale import FORMAT, load_upscaler
from tests.made_weights import random_encoder
from tests.unit.evaluation.sets import small_dataset

settings.register_profile("any machine", deadline=None)  # how long an example takes proves nothing
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Picture]:
    """Six people with three images each, and one with a single image."""
    return pictures_of_dataset(small_dataset(tmp_path_factory.mktemp("sets") / "small"))


@pytest.fixture(scope="session")
def dsr_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DSR file that changes pictures a little, and leaves 24 px to bicubic."""
    torch.manual_seed(3)
    network = DSR(DSRConfig(4, 1))
    torch.nn.init.normal_(network.tail.weight, std=0.05)
    path = tmp_path_factory.mktemp("dsr") / "tiny-dsr.safetensors"
    config = {"channels": 4, "blocks": 1, "min_px": 12, "max_px": 40, "use_bicubic_px": [24]}
    save_file(network.state_dict(), str(path), {"format": FORMAT, "config": json.dumps(config)})
    return path


@pytest.fixture(scope="session")
def plain_pipeline() -> Pipeline:
    """Bicubic alone."""
    return Pipeline(PipelineConfig(), random_encoder(), bicubic(), Detector(), Gallery.open(":memory:"))


@pytest.fixture(scope="session")
def pipeline(plain_pipeline: Pipeline, dsr_file: Path) -> Pipeline:
    """The same encoder with the DSR."""
    return Pipeline(
        plain_pipeline.config,
        plain_pipeline.encoder,
        load_upscaler(dsr_file),
        plain_pipeline.detector,
        plain_pipeline.gallery.store,
    )
