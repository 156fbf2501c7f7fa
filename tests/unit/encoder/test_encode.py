"""Embeddings: shapes, norms, batches, precision, mirror images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.encoder.encode import load_encoder, resolve_device
from core.encoder.health import health_faces
from core.errors import SettingsInvalid
from core.faces.align import align
from core.faces.detect import Detector
from core.faces.face import choose_faces
from core.images import read_image, to_tensor
from core.system.cpu import cpu_has_bfloat16


@pytest.fixture(scope="module")
def random_encoder(tmp_path_factory, xxs_state):
    path = tmp_path_factory.mktemp("encoder") / "random.pt"
    torch.save(xxs_state, path)
    return load_encoder(path, check=False, precision="float32")


def test_rows_are_unit_float32(random_encoder) -> None:
    rows = random_encoder.encode(health_faces()[:5])
    assert rows.shape == (5, 512) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_arrays_lists_and_tensors_agree(random_encoder) -> None:
    faces = health_faces()[:3]
    rows = random_encoder.encode(faces)
    assert np.allclose(rows, random_encoder.encode(list(faces)), atol=1e-5)
    assert np.allclose(rows, random_encoder.encode(to_tensor(faces)), atol=1e-5)


def test_the_batch_size_changes_nothing(random_encoder) -> None:
    faces = health_faces()[:7]
    assert np.allclose(random_encoder.encode(faces), random_encoder.encode(faces, batch_size=2), atol=1e-4)


def test_no_images_no_rows(random_encoder) -> None:
    assert random_encoder.encode([]).shape == (0, 512)


@pytest.mark.parametrize("shape", [(32, 32, 3), (112, 112), (112, 112, 4), (3, 112, 112)])
def test_other_shapes_are_refused_with_what_was_expected(random_encoder, shape) -> None:
    with pytest.raises(SettingsInvalid, match=r"\(112, 112, 3\)"):
        random_encoder.encode([np.zeros(shape, dtype=np.uint8)])


def test_flip_tta_is_the_normalised_sum_of_both_views(tmp_path, xxs_state) -> None:
    path = tmp_path / "random.pt"
    torch.save(xxs_state, path)
    encoder = load_encoder(path, check=False, precision="float32", use_tta=True)
    batch = to_tensor(health_faces()[:2])
    with torch.inference_mode():
        raw = encoder.network(batch) + encoder.network(batch.flip(3))
    by_hand = (raw / raw.norm(dim=1, keepdim=True)).numpy()
    assert np.allclose(encoder.encode(batch), by_hand, atol=1e-5)
    mirrored = [np.ascontiguousarray(face[:, ::-1]) for face in health_faces()[:2]]
    assert np.allclose(encoder.encode(mirrored), by_hand, atol=1e-4), "a mirror image has the same embedding"


@pytest.mark.parametrize("flip", [False, True])
def test_norms_and_agreement_come_with_the_same_vectors(tmp_path, xxs_state, flip: bool) -> None:
    torch.save(xxs_state, tmp_path / "w.pt")
    encoder = load_encoder(tmp_path / "w.pt", use_tta=flip, precision="float32", check=False)
    images = health_faces()[:3]
    with torch.inference_mode():
        batch = to_tensor(images)
        plain, mirrored = encoder.network(batch), encoder.network(batch.flip(3))
    raw = (plain + mirrored) / 2 if flip else plain
    vectors, norms = encoder.encode_with_norms(images)
    assert np.array_equal(vectors, encoder.encode(images))
    assert norms == pytest.approx(raw.norm(dim=1).numpy(), rel=1e-4)
    again, same_norms, agreement = encoder.encode_with_agreement(images)
    assert again == pytest.approx(vectors, abs=1e-5) and same_norms == pytest.approx(norms, rel=1e-4)
    assert agreement == pytest.approx(torch.cosine_similarity(plain, mirrored).numpy(), abs=1e-4)
    assert [len(each) for each in encoder.encode_with_agreement([])] == [0, 0, 0]


def test_an_absent_device_names_those_there_are() -> None:
    with pytest.raises(SettingsInvalid, match=r"'tpu' isn't available.*auto, cpu"):
        resolve_device("tpu")


def test_an_unknown_variant_names_the_known_ones(tmp_path) -> None:
    with pytest.raises(SettingsInvalid, match="edgeface_xs_gamma_06"):
        load_encoder(tmp_path / "x.pt", variant="edgeface_huge")


@pytest.mark.shared
@pytest.mark.skipif(not cpu_has_bfloat16(), reason="this CPU has no bfloat16 instructions")
@pytest.mark.parametrize("name", ["edgeface_xxs_q", "edgeface_xs_q"])
def test_bfloat16_keeps_real_faces_within_a_thousandth(shared_dir, name: str) -> None:
    path = shared_dir / "weights" / f"{name}.pt"
    exact, quick = (load_encoder(path, precision=precision, check=False) for precision in ("float32", "bfloat16"))
    detector = Detector()
    crops = []
    for photo in sorted((shared_dir / "data" / "lfw" / "images").glob("*/*_0001.jpg"))[::180][:24]:
        rgb = read_image(photo)
        crops.append(align(rgb, choose_faces(detector.detect(rgb), "centre", rgb.shape)[0].landmarks))
    assert (exact.encode(crops) * quick.encode(crops)).sum(axis=1).min() >= 0.999
    # Faces of 25 px, enlarged, are the hardest: one of a hundred falls to 0.9986 with XS.
    small = (exact.encode(health_faces()) * quick.encode(health_faces())).sum(axis=1)
    assert small.mean() >= 0.999 and small.min() >= 0.998
