"""Two encoders, one space: small faces go to the specialist, all others to the encoder, and the order stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.encoder import encode
from core.encoder.encode import Encoder, load_encoder
from core.encoder.health import health_faces
from core.encoder.pair import EncoderPair
from core.models.errors import SpecialistRefused
from core.models.files import file_facts
from core.models.specialists import Specialist
from core.models.variants import VARIANTS
from tests.made_weights import STARTER, random_encoder

MIXED = [False, True, True, False, True]


@pytest.fixture
def pair(starter: Encoder, specialist_file: Path) -> EncoderPair:
    return EncoderPair(starter, Specialist.of(file_facts(specialist_file)))


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return health_faces()[:5]


def mixed(large: np.ndarray, small: np.ndarray) -> np.ndarray:
    return np.stack([small[place] if chosen else large[place] for place, chosen in enumerate(MIXED)])


def test_each_crop_is_embedded_by_its_network_in_order(
    pair: EncoderPair, starter: Encoder, small_encoder: Encoder, crops: np.ndarray
) -> None:
    large, small = starter.encode(crops), small_encoder.encode(crops)
    assert np.einsum("nd,nd->n", large, small).max() < 0.999, "the two networks differ"
    np.testing.assert_allclose(pair.encode(crops, MIXED), mixed(large, small), atol=1e-5)
    np.testing.assert_allclose(pair.encode(list(crops), [True] * 5), small, atol=1e-5)
    np.testing.assert_array_equal(pair.encode(crops, [False] * 5), large)
    assert pair.encode([], []).shape == (0, 512)


def test_norms_and_agreement_are_those_of_the_same_network(
    pair: EncoderPair, starter: Encoder, small_encoder: Encoder, crops: np.ndarray
) -> None:
    np.testing.assert_allclose(
        pair.norms(crops, MIXED), mixed(starter.norms(crops), small_encoder.norms(crops)), rtol=1e-4
    )
    with_norms = zip(starter.encode_with_norms(crops), small_encoder.encode_with_norms(crops), strict=True)
    for got, (large, small) in zip(pair.encode_with_norms(crops, MIXED), with_norms, strict=True):
        np.testing.assert_allclose(got, mixed(large, small), rtol=1e-4, atol=1e-5)
    both = zip(starter.encode_with_agreement(crops), small_encoder.encode_with_agreement(crops), strict=True)
    for got, (large, small) in zip(pair.encode_with_agreement(crops, MIXED), both, strict=True):
        np.testing.assert_allclose(got, mixed(large, small), rtol=1e-4, atol=1e-5)


def test_the_specialist_is_loaded_with_the_first_small_face_and_once(
    pair: EncoderPair, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []

    def counted(path: Path, **options: object) -> Encoder:
        loads.append(path)
        return load_encoder(path, **options)

    monkeypatch.setattr(encode, "load_encoder", counted)
    pair.encode(crops, [False] * 5)
    assert pair.specialist is None and loads == [], "large faces cost nothing more"
    pair.encode(crops, MIXED)
    pair.norms(crops, MIXED)
    assert len(loads) == 1 and pair.specialist is not None


def test_it_runs_as_the_encoder_does(specialist_file: Path, crops: np.ndarray) -> None:
    flipping = load_encoder(STARTER, device="cpu", precision="float32", use_tta=True)
    pair = EncoderPair(flipping, Specialist.of(file_facts(specialist_file)))
    by_hand = load_encoder(specialist_file, device="cpu", precision="float32", use_tta=True)
    np.testing.assert_allclose(pair.encode(crops, [True] * 5), by_hand.encode(crops), atol=1e-5)
    assert pair.specialist is not None and pair.specialist.info.precision == "float32"
    assert pair.specialist.info.health is not None, "checked, as the encoder was"


def test_beside_weights_of_another_space_it_is_refused(starter: Encoder, specialist_file: Path) -> None:
    specialist = Specialist.of(file_facts(specialist_file))
    with pytest.raises(SpecialistRefused, match=r"space of edgeface-xxs-starter .* beside random"):
        EncoderPair(random_encoder(), specialist)
    with pytest.raises(SpecialistRefused, match="doesn't say for which weights"):
        EncoderPair(starter, replace(specialist, weights_sha256=""))
    exported = random_encoder("export.safetensors")
    exported.info = replace(exported.info, exported_from=specialist.weights_sha256)
    EncoderPair(exported, specialist)


def test_beside_official_weights_it_may_be_that_of_their_int8_version(starter: Encoder, specialist_file: Path) -> None:
    own = replace(Specialist.of(file_facts(specialist_file)), weights_sha256=VARIANTS["edgeface_xxs"].int8_sha256)
    info = replace(starter.info, variant="edgeface_xxs", space_of="")
    with pytest.raises(SpecialistRefused):
        EncoderPair(Encoder(starter.network, info), own)
    published = Encoder(starter.network, replace(info, official=True))
    assert EncoderPair(published, own).specialist is None, "taken, and not loaded yet"
    EncoderPair(Encoder(starter.network, replace(info, space_of=own.weights_sha256)), own)
