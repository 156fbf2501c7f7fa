"""Galleries in and out of a pipeline, as the notes use them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import CoreError, SettingsInvalid
from core.gallery.store import Gallery
from core.pipeline import load_gallery, save_gallery


@pytest.fixture()
def filled(make_pipeline):
    pipeline = make_pipeline()
    for seed, name in enumerate(("Ada", "Grace")):
        pipeline.gallery.add(name, np.random.default_rng(seed).normal(size=512))
    return pipeline


def test_a_pt_of_names_and_embeddings_goes_round(filled, make_pipeline, tmp_path) -> None:
    path = tmp_path / "my_gallery.pt"
    assert save_gallery(filled, path) == 2
    stored = torch.load(path, weights_only=True)
    assert set(stored) == {"Ada", "Grace"} and stored["Ada"].shape == (512,)
    other = make_pipeline()
    load_gallery(other, path)
    assert other.gallery._labels == ["Ada", "Grace"]
    probe = stored["Grace"].numpy()[None]
    assert other.gallery.search(probe)[0][0].name == "Grace"


def test_the_portable_export_goes_round(filled, make_pipeline, tmp_path) -> None:
    path = tmp_path / "people.efgallery"
    assert save_gallery(filled, path) == 2
    other = make_pipeline()
    load_gallery(other, path)
    assert other.gallery._labels == ["Ada", "Grace"]


def test_a_database_becomes_the_pipelines_own(filled, make_pipeline, tmp_path) -> None:
    path = tmp_path / "gallery.db"
    with Gallery.open(path):
        pass
    load_gallery(filled, path)
    assert filled.gallery.size == 0
    filled.gallery.add("Mary", np.ones(512))
    filled.gallery.store.close()
    again = make_pipeline()
    load_gallery(again, path)
    assert again.gallery._labels == ["Mary"]


def test_another_ending_is_refused(filled, tmp_path) -> None:
    with pytest.raises(SettingsInvalid, match=r"\.pt or \.efgallery"):
        save_gallery(filled, tmp_path / "gallery.xlsx")


@pytest.mark.parametrize("name", ["missing.pt", "missing.efgallery", "text.pt", "text.efgallery", "text.db"])
def test_a_wrong_file_changes_nothing(filled, tmp_path, name) -> None:
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("not a gallery")
    with pytest.raises(CoreError) as refused:
        load_gallery(filled, path)
    assert refused.value.what and refused.value.next_step
    assert filled.gallery._labels == ["Ada", "Grace"]
