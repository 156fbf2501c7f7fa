"""An evaluation embeds as the product does: small views by the specialist, HR by the encoder, and caches apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.encoder.encode import Encoder
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.pictures import Picture
from core.evaluation.sr_quality import sr_quality
from core.evaluation.systems import every_system, open_system, system_of
from core.evaluation.views import View
from core.faces.align import align
from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.images import read_image, resize
from core.models.errors import SpecialistRefused
from core.pipeline import Pipeline, PipelineConfig
from core.settings import load_settings
from core.sr import load_upscaler
from tests.made_weights import STARTER
from tests.unit.evaluation.sets import embed_photographs


@pytest.fixture(scope="module")
def routed(starter: Encoder, specialist_file: Path) -> Pipeline:
    return Pipeline(PipelineConfig(), starter, load_upscaler(specialist_file), Detector(), Gallery.open(":memory:"))


@pytest.fixture(scope="module")
def photographs_of_ada(photographs: Path) -> list[Path]:
    return [photographs / "images" / "Ada" / f"Ada_000{number}.jpg" for number in (1, 2)]


def test_every_view_goes_to_the_network_of_its_size(
    routed: Pipeline, small_encoder: Encoder, photographs_of_ada: list[Path]
) -> None:
    embedded = embed_photographs(routed, photographs_of_ada, sizes=(None, 64, 16))
    pictures = [read_image(path) for path in photographs_of_ada]
    crops = [align(rgb, routed.detector.detect(rgb)[0].landmarks) for rgb in pictures]
    expected = {
        None: routed.encoder.encode(crops),
        64: routed.encoder.encode([resize(resize(crop, 64), 112) for crop in crops]),
        16: small_encoder.encode([resize(resize(crop, 16), 112) for crop in crops]),
    }
    for size, vectors in expected.items():
        np.testing.assert_allclose(embedded["aligned", size].vectors, vectors, atol=1e-4)
    np.testing.assert_array_equal(embedded["end to end", None].vectors, embedded["aligned", None].vectors)
    afar = embedded["end to end", 16].vectors
    assert np.einsum("nd,nd->n", afar, expected[16]).min() > 0.5


def test_norms_are_the_same_networks(routed: Pipeline, small_encoder: Encoder, photographs_of_ada: list[Path]) -> None:
    rgb = read_image(photographs_of_ada[0])
    crop = align(rgb, routed.detector.detect(rgb)[0].landmarks)
    embedded = embed_photographs(routed, photographs_of_ada[:1], sizes=(16,), modes=("aligned",))["aligned", 16]
    [norm] = small_encoder.norms([resize(resize(crop, 16), 112)])
    assert embedded.measure("norm")[0] == pytest.approx(norm, rel=1e-3)


def test_similarity_of_the_same_picture_differs_by_encoder(routed: Pipeline, photographs_of_ada: list[Path]) -> None:
    pictures = [Picture(path, "", path.name, False, str(place) * 64) for place, path in enumerate(photographs_of_ada)]
    rows = sr_quality(system_of(routed), pictures, [View("aligned", 16)])
    assert list(rows["upscaler"]) == ["bicubic", "bicubic", "small", "small"]
    bicubic, small = rows[:2], rows[2:]
    np.testing.assert_array_equal(bicubic["psnr_db"].to_numpy(), small["psnr_db"].to_numpy())
    assert (bicubic["similarity"].to_numpy() != small["similarity"].to_numpy()).all()


def test_caches_of_small_views_are_the_pairs_and_those_of_hr_the_encoders(specialist_file: Path) -> None:
    both = open_system(SystemSpec(weights=str(STARTER), upscaler=str(specialist_file)))
    plain = open_system(SystemSpec(weights=str(STARTER), upscaler="bicubic"))
    assert both.upscaler_name == "small" and both.upscaler_id != plain.upscaler_id
    small = [system.embedding_key({}, upscales=True, aligned=True) for system in (both, plain)]
    assert small[0] != small[1]
    whole = [system.embedding_key({}, upscales=False, aligned=True) for system in (both, plain)]
    assert whole[0] == whole[1], "full-size embeddings are shared"


def test_beside_other_weights_no_system_is_opened(specialist_file: Path, random_weights: Path) -> None:
    with pytest.raises(SpecialistRefused):
        open_system(SystemSpec(weights=str(random_weights), upscaler=str(specialist_file)))
    specs = every_system(load_settings(), [str(STARTER)], [str(specialist_file), "bicubic"])
    assert [Path(str(spec.upscaler)).stem for spec in specs] == ["small", "bicubic"]


def test_of_several_weights_a_specialist_goes_with_its_own(specialist_file: Path, random_weights: Path) -> None:
    weights = [str(STARTER), str(random_weights)]
    specs = every_system(load_settings(), weights, [str(specialist_file), "bicubic"])
    named = [(Path(str(spec.weights)).name, Path(str(spec.upscaler)).stem) for spec in specs]
    assert named == [(STARTER.name, "small"), (STARTER.name, "bicubic"), (random_weights.name, "bicubic")]
    with pytest.raises(SpecialistRefused):
        every_system(load_settings(), weights, [str(specialist_file)])
