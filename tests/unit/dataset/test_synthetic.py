"""The demo: the notes' layout, the same bytes from the same seed, faces that are found and told apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.dataset.degrade import replay
from core.dataset.errors import BuildRefused
from core.dataset.manifest import Dataset, read_dataset
from core.dataset.scan import scan
from core.dataset.synthetic.demo import make_demo
from core.dataset.synthetic.head import View, portray
from core.dataset.synthetic.looks import Expression, draw_looks
from core.errors import SettingsInvalid
from core.faces.align import align
from core.faces.detect import Detector
from core.images import read_image, resize
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_demo(tmp_path_factory.mktemp("demo") / "demo", identities=5, images=10, seed=4)


def _hr(dataset: Dataset) -> np.ndarray:
    paths = dataset.frame.loc[dataset.frame["kind"] == "hr", "path"]
    return np.stack([read_image(dataset.file(path)) for path in paths])


def test_it_says_that_it_is_synthetic_and_what_is_in_it(demo: Dataset) -> None:
    assert demo.info.synthetic and demo.info.made_by == "demo" and demo.info.mode == "closed-set"
    assert demo.info.counts["identities"] == 5 and demo.info.counts["pairs"] == 50
    splits = demo.frame[demo.frame["kind"] == "hr"].groupby("split")["identity"].agg(["count", "nunique"])
    assert splits.loc["train"].tolist() == [40, 5] and splits.loc["val"].tolist() == [10, 5]
    assert (demo.frame["session"] == demo.frame["split"].map({"train": "01", "val": "02"})).all()


def test_its_names_and_folders_are_the_notes(demo: Dataset, tmp_path: Path) -> None:
    import shutil

    assert (
        demo.frame["path"]
        .str.fullmatch(
            r"(train|val)/(hr_images|vlr_images|vlr_images_16|vlr_images_24)/\d{3}_0[12]_0[12]_\d{3}_\d{2}_crop_112\.png"
        )
        .all()
    )
    for split in ("train", "val"):
        shutil.copytree(demo.root / split, tmp_path / split)
    found = scan(tmp_path)
    assert found.layout == "notes"
    again = found.frame.set_index("path").loc[demo.frame["path"]]
    for column in ("identity", "split", "kind", "pair", "session", "camera", "illumination"):
        assert again[column].tolist() == demo.frame[column].tolist()


def test_every_vlr_is_its_hr_degraded_as_its_row_says(demo: Dataset) -> None:
    hr = {row.pair: row.path for row in demo.frame.itertuples() if row.kind == "hr"}
    for row in demo.frame[demo.frame["kind"] == "vlr"].iloc[::7].itertuples():
        again = replay(read_image(demo.file(hr[row.pair])), json.loads(row.degradation))
        assert np.array_equal(again, read_image(demo.file(row.path)))


def test_the_same_seed_gives_the_same_bytes_and_another_other_people(demo: Dataset, tmp_path: Path) -> None:
    again = make_demo(tmp_path / "again", identities=5, images=10, seed=4)
    assert again.key == demo.key
    other = make_demo(tmp_path / "other", identities=2, images=2, seed=5)
    assert not set(other.frame["sha256"]) & set(demo.frame["sha256"])


def test_the_detector_finds_the_faces_and_the_landmarks_are_where_they_were_drawn(demo: Dataset) -> None:
    detector = Detector()
    found = [len(detector.detect(crop, small_faces=False)) == 1 for crop in _hr(demo)]
    assert np.mean(found) >= 0.95
    errors = []
    for looks in draw_looks(6, 1):
        for yaw in (-20, 0, 20):
            portrait = portray(looks, Expression(smile=0.5), View(yaw_deg=yaw, roll_deg=yaw / 4))
            [face] = detector.detect(portrait.rgb, small_faces=False)
            errors.append(np.linalg.norm(face.landmarks - portrait.landmarks, axis=1).mean())
    assert np.mean(errors) < 5  # of about 125 px between the crop's sides


def test_a_person_is_closer_to_themself_than_to_others_in_plain_pixels_of_one_pose() -> None:
    crops = []
    for looks in draw_looks(8, 2):
        for smile in (0.0, 0.6):
            portrait = portray(looks, Expression(smile=smile), View())
            crops.append(resize(align(portrait.rgb, portrait.landmarks), 32).astype(float).ravel())
    distance = np.linalg.norm(np.array(crops)[:, None] - np.array(crops)[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) // 2 == np.arange(16) // 2).all()


def test_head_turns_move_the_nose_towards_where_it_looks() -> None:
    [looks] = draw_looks(1, 0)
    left, front, right = (portray(looks, Expression(), View(yaw_deg=yaw)).landmarks for yaw in (-20, 0, 20))
    middle = [points[2, 0] - points[:2, 0].mean() for points in (left, front, right)]
    assert middle[0] < -3 < middle[1] < 3 < middle[2]
    up = portray(looks, Expression(), View(pitch_deg=15)).landmarks
    assert up[2, 1] - up[:2, 1].mean() < front[2, 1] - front[:2, 1].mean()


@pytest.mark.shared
def test_the_official_encoder_tells_them_apart(demo: Dataset, shared_dir: Path) -> None:
    from core.encoder.encode import load_encoder

    encoder = load_encoder(shared_dir / "weights" / "edgeface_xxs_q.pt", precision="float32")
    vectors = encoder.encode(_hr(demo))
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    identity = demo.frame.loc[demo.frame["kind"] == "hr", "identity"].to_numpy()
    assert (identity[scores.argmax(axis=1)] == identity).mean() >= 0.9


def test_stopped_or_refused_it_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(JobStopped):
        make_demo(tmp_path / "demo", identities=3, images=2, hooks=Hooks(should_stop=lambda: True))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("keep")
    with pytest.raises(BuildRefused):
        make_demo(tmp_path / "mine", identities=2, images=2)
    with pytest.raises(SettingsInvalid):
        make_demo(tmp_path / "demo", identities=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert make_demo(tmp_path / "one", identities=1, images=2).key == read_dataset(tmp_path / "one").key
