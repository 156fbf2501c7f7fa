"""A pipeline with random weights: everything but the meaning of its scores is real."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.images import read_image
from core.pipeline import Pipeline, PipelineConfig
from core.sr import bicubic
from tests.made_weights import STARTER, save_specialist

if TYPE_CHECKING:
    from core.encoder.encode import Encoder


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A real photograph that ships with scikit-image: Eileen Collins, NASA; 512 x 512 px, one face of about 100 px."""
    spec = importlib.util.find_spec("skimage")
    return read_image(Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png")


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete XXS file that recognises nobody."""
    import torch

    from core.encoder.network import build_network
    from core.models.variants import VARIANTS

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    torch.save(build_network(VARIANTS["edgeface_xxs"]).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def make_pipeline(random_weights: Path) -> Callable[..., Pipeline]:
    """Pipelines with an empty gallery in memory; settings as in PipelineConfig."""
    from core.encoder.encode import load_encoder

    encoder = load_encoder(random_weights, check=False, precision="float32")

    def make(**settings: object) -> Pipeline:
        config = PipelineConfig(**settings)
        return Pipeline(config, encoder, bicubic(), Detector(), Gallery.open(":memory:"))

    return make


@pytest.fixture(scope="session")
def specialist_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A specialist of the starter, "small", for faces of up to 48 px."""
    return save_specialist(tmp_path_factory.mktemp("weights") / "small.safetensors", STARTER)


@pytest.fixture(scope="session")
def starter() -> Encoder:
    """The shipped encoder, on the CPU in float32."""
    from core.encoder.encode import load_encoder

    return load_encoder(STARTER, device="cpu", precision="float32")


@pytest.fixture(scope="session")
def small_encoder(specialist_file: Path) -> Encoder:
    """That specialist, loaded by hand as `starter` is."""
    from core.encoder.encode import load_encoder

    return load_encoder(specialist_file, device="cpu", precision="float32")


@pytest.fixture()
def saved(tmp_path: Path):
    """Saves any object with torch.save under a name that says nothing, and gives its path."""

    def save(content: object, name: str = "weights.bin") -> Path:
        import torch

        path = tmp_path / name
        torch.save(content, path)
        return path

    return save


@pytest.fixture(scope="session")
def xxs_state():
    """A complete XXS state dict with random weights, timm's own key names."""
    import torch

    from core.encoder.network import build_network
    from core.models.variants import VARIANTS

    torch.manual_seed(0)
    return {key: tensor.clone() for key, tensor in build_network(VARIANTS["edgeface_xxs"]).state_dict().items()}
