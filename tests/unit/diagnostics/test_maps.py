"""Clouds and maps: who is taken for whom, PCA, t-SNE, neighbours, and maps that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from face_sets import faces_dataset
from test_spread_and_similarity import cloud, unit

from core.diagnostics.cloud import ALONE, RIGHT, WRONG, cloud_of_gallery, cloud_of_pictures, drawn_people, outcomes
from core.diagnostics.layout import KEPT_MAPS, Layout, LayoutStore, nearest_same, pca, tsne
from core.diagnostics.source import Opened, Source, diagnose_config, read_diagnose_config, sizes_offered
from core.errors import SettingsInvalid
from core.evaluation.embedding import Embedded
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.pictures import Picture
from core.evaluation.views import View
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)


def picture(identity, number):
    return Picture(Path(f"{identity}-{number}.png"), identity, f"{identity}-{number}", True, f"{identity}-{number}")


def embedded(size, vectors, acquired):
    there = np.asarray(acquired, dtype=bool)
    return Embedded("aligned", size, vectors, there, there, np.zeros((len(there), 9), np.float32))


def test_a_cloud_holds_what_was_acquired_and_links_small_to_full_size():
    pictures = [picture("Ada", 0), picture("Ada", 1), picture("Bo", 0)]
    vectors = unit(np.random.default_rng(0).normal(size=(3, 8)))
    made = cloud_of_pictures(
        pictures,
        {
            View("aligned"): embedded(None, vectors, [True, True, False]),
            View("aligned", 16): embedded(16, vectors, [True, False, True]),
        },
    )
    assert made.table["image"].tolist() == ["Ada-0", "Ada-1", "Ada-0", "Bo-0"]
    assert made.table["hr"].tolist() == [0, 1, 0, -1] and made.views == ["HR", "16 px"]
    np.testing.assert_array_equal(made.vectors, vectors[[0, 1, 0, 2]])
    with pytest.raises(SettingsInvalid, match="nothing to show"):
        cloud_of_pictures(pictures, {View("aligned"): embedded(None, vectors, [False] * 3)})


def test_outcomes_leave_the_own_photograph_out_of_the_search():
    made = cloud(people=3, each=2, sizes=("HR",))
    made.vectors[1] = made.vectors[4]  # p0's second photograph is p2's first, number for number
    made.table.loc[5, "identity"] = "alone"
    found = outcomes(made)
    assert found["outcome"].tolist()[1] == WRONG and found["taken_for"][1] == "p2"
    assert found["outcome"].tolist()[2:4] == [RIGHT, RIGHT] and found["outcome"].tolist()[5] == ALONE
    assert found["genuine"][2] == pytest.approx(float(made.vectors[2] @ made.vectors[3]), abs=1e-6)


def test_a_gallerys_cloud_counts_versions_of_a_photograph_as_one():
    vectors = unit(np.random.default_rng(0).normal(size=(4, 512)))
    with Gallery.open(":memory:") as gallery:
        templates = [
            NewTemplate(vectors[0], "hr", 140.0, image_sha256="one"),
            NewTemplate(vectors[1], "sr", 16.0, 16, image_sha256="one"),
        ]
        gallery.enrol("Ada", templates, space=SPACE)
        gallery.enrol("Bo", [NewTemplate(vectors[2], "hr", 140.0, image_sha256="one")], space=SPACE)
        made = cloud_of_gallery(gallery, SPACE)
        other = Space("x", "b" * 64, "bicubic", False)
        with pytest.raises(SettingsInvalid, match="nobody has a template"):
            cloud_of_gallery(gallery, other)
    assert made.table["view"].tolist() == ["HR", "16 px", "HR"]
    assert made.table["photo"].tolist() == [0, 0, 1] and made.table["hr"].tolist() == [0, 0, 2]


def test_pca_finds_the_directions_of_most_variance():
    random = np.random.default_rng(0)
    rows = (random.normal(size=(200, 10)) * np.array([5, 3, *[0.1] * 8])).astype(np.float32)
    layout = pca(rows)
    assert layout.explained > 0.99 and " % of the variance" in layout.line
    centred = rows - rows.mean(axis=0)
    for axis in (0, 1):
        assert abs(np.corrcoef(layout.points[:, axis], centred[:, axis])[0, 1]) > 0.99
    np.testing.assert_array_equal(layout.points, pca(rows).points)


def test_tsne_keeps_people_together_and_says_so():
    made = cloud(people=6, each=8, sizes=("HR",), dim=32)
    people = np.repeat(np.arange(6), 8)
    layout = tsne(made.vectors, people)
    assert layout.points.shape == (48, 2) and layout.near_here > 0.6 and layout.near_there > 0.6
    np.testing.assert_array_equal(layout.points, tsne(made.vectors, people).points)


def test_a_collapse_can_be_laid_out_too():
    same = np.repeat(unit(np.ones((1, 16))), 12, axis=0)
    assert np.isfinite(tsne(same, np.arange(12)).points).all() and np.isfinite(pca(same).points).all()
    with pytest.raises(SettingsInvalid, match="at least 3"):
        pca(same[:2])


def test_nearest_same_asks_only_those_who_have_another():
    points = np.array([[0, 0], [0, 1], [5, 5], [5, 6], [9, 9]], dtype=np.float32)
    assert nearest_same(points, np.array([0, 0, 1, 2, 1])) == pytest.approx(2 / 4)
    assert np.isnan(nearest_same(points, np.arange(5)))


def test_kept_maps_come_back_and_the_oldest_go(tmp_path):
    store = LayoutStore(tmp_path)
    layout = Layout(np.ones((4, 2), np.float32), "tsne", near_here=0.5, near_there=0.9)
    for number in range(KEPT_MAPS + 3):
        store.write(f"{number:032d}" * 2, layout)
    assert len(list(tmp_path.glob("*.npz"))) == KEPT_MAPS
    store.write("f" * 64, layout)
    back = store.read("f" * 64, "tsne", 4)
    assert back is not None and (back.near_here, back.near_there) == (0.5, 0.9)
    assert store.read("f" * 64, "tsne", 5) is None and store.read("e" * 64, "tsne", 4) is None
    store.path("f" * 64, "tsne").write_bytes(b"damaged")
    assert store.read("f" * 64, "tsne", 4) is None


def test_people_stay_whole_when_they_are_drawn():
    pictures = [picture(f"p{n}", k) for n in range(20) for k in range(5)]
    drawn = drawn_people(pictures, 32)
    assert len(drawn) == 30 and drawn == drawn_people(pictures, 32)
    assert all(sum(one.identity == name for one in drawn) == 5 for name in {one.identity for one in drawn})
    assert drawn_people(pictures, 100) == pictures


def test_a_source_survives_a_runs_config_and_sizes_are_the_sets_own(tmp_path):
    source = Source(str(tmp_path), "test", (16,), SystemSpec(weights="w.pt"), seed=3)
    assert read_diagnose_config(diagnose_config("map", source)).source == source
    with pytest.raises(SettingsInvalid):
        read_diagnose_config({"task": "map", "sizes": ["x"]})
    assert sizes_offered(faces_dataset(tmp_path / "set", 2, vlr_px=20)) == [20]


@pytest.mark.shared
def test_a_data_set_is_embedded_once_and_other_vlr_files_of_the_same_faces_are_not_mixed_up(
    shared_dir, own_data_dir, tmp_path
):
    from core.commands.diagnose.options import embedded
    from core.settings import load_settings

    spec = SystemSpec(weights=str(shared_dir / "weights" / "edgeface_xxs_q.pt"), device="cpu")
    sound = faces_dataset(tmp_path / "sound", 4)
    opened = Opened(Source(str(sound.root), None, (16,), spec), load_settings())
    assert opened.missing() == 8
    first = embedded(opened)  # as the commands do, with progress
    again = Opened(Source(str(sound.root), None, (16,), spec), load_settings())
    assert again.missing() == 0 and again.cloud().key == first.key
    assert "4 people" in again.protocol and "the data set's VLR files" in again.protocol
    for file in (sound.root / "test" / "vlr_images").iterdir():
        file.unlink()
    swapped = faces_dataset(tmp_path / "swapped", 4)
    rows = swapped.frame["kind"] == "vlr"
    hashes = swapped.frame.loc[rows, "sha256"].tolist()
    paths = swapped.frame.loc[rows, "path"].tolist()
    swapped.frame.loc[rows, "path"], swapped.frame.loc[rows, "sha256"] = paths[::-1], hashes[::-1]
    other = Opened(Source(str(swapped.root), None, (16,), spec), load_settings(), swapped)
    assert other.missing() == 8  # the same HR images, other VLR files
    assert np.abs(other.cloud().vectors - first.vectors).max() > 0.05
