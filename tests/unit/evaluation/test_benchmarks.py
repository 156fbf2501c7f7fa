"""Each benchmark on a miniature in its published layout: who is enrolled, what the protocol counts, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from skimage import data

from core.evaluation.benchmarks import NAMES, BenchmarkMissing, require_layout, run_benchmark
from core.evaluation.benchmarks import run as module
from core.evaluation.benchmarks.layouts import read_identification, read_pairs_layout
from core.evaluation.benchmarks.published import published
from core.evaluation.benchmarks.rates import Part, open_set
from core.evaluation.embedding import Embedded
from core.evaluation.evaluation_spec import Plan
from core.evaluation.intervals import share_interval
from core.evaluation.pictures import Picture
from core.evaluation.systems import system_of
from core.evaluation.vector_cache import QUALITY

PLAN = Plan(bootstrap=20)


def cells(names: list[str]) -> np.ndarray:
    """A MATLAB cell array of texts, (N, 1)."""
    out = np.empty((len(names), 1), dtype=object)
    for row, name in enumerate(names):
        out[row, 0] = name
    return out


def picture(path: Path, side: int = 24, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.random.default_rng(shade).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(path)


@pytest.fixture()
def tinyface(tmp_path: Path) -> Path:
    base = tmp_path / "tinyface" / "Testing_Set"
    gallery, probes = ["1_1.jpg", "1_2.jpg", "2_1.jpg"], ["1_3.jpg", "2_2.jpg"]
    for number, name in enumerate(gallery):
        picture(base / "Gallery_Match" / name, shade=number)
    for number, name in enumerate(probes):
        picture(base / "Probe" / name, shade=10 + number)
    picture(base / "Gallery_Distractor" / "0_0_x_1_face0.jpg", shade=20)
    ids = {"gallery_match_img_ID_pairs.mat": ("gallery", gallery), "probe_img_ID_pairs.mat": ("probe", probes)}
    for file, (kind, names) in ids.items():
        numbers = np.array([[int(name.split("_")[0])] for name in names], np.uint16)
        savemat(base / file, {f"{kind}_set": cells(names), f"{kind}_ids": numbers})
    return tmp_path / "tinyface"


@pytest.fixture()
def survface(tmp_path: Path) -> Path:
    base = tmp_path / "QMUL-SurvFace" / "Face_Identification_Test_Set"
    parts = {
        "gallery": ["7_cam1_1.jpg", "7_cam1_2.jpg", "8_cam1_1.jpg"],
        "mated_probe": ["7_cam2_1.jpg", "8_cam2_1.jpg"],
        "unmated_probe": [f"u_cam3_{i}.jpg" for i in range(10)],
    }
    for part, names in parts.items():
        for number, name in enumerate(names):
            picture(base / part / name, side=20, shade=len(part) * 100 + number)
    for kind in ("gallery", "mated_probe"):
        numbers = np.array([[int(name.split("_")[0])] for name in parts[kind]], np.uint16)
        savemat(base / f"{kind}_img_ID_pairs.mat", {f"{kind}_set": cells(parts[kind]), f"{kind}_ids": numbers})
    return tmp_path / "QMUL-SurvFace"


@pytest.fixture()
def scface(tmp_path: Path) -> Path:
    root = tmp_path / "SCface_database"
    for number in (1, 2):
        picture(root / "mugshot_frontal_cropped_all" / f"{number:03d}_frontal.JPG", shade=number)
        picture(root / "mugshot_frontal_original_all" / f"{number:03d}_frontal.jpg", shade=number)
        for distance in (1, 2, 3):
            for camera in (1, 5):
                name = f"{number:03d}_cam{camera}_{distance}.jpg"
                picture(root / f"surveillance_cameras_distance_{distance}" / f"cam_{camera}" / name, shade=distance)
                picture(root / "surveillance_cameras_all" / name, shade=distance)
            picture(root / "surveillance_cameras_IR_cam6" / f"{number:03d}_cam6_{distance}.jpg")
    return root


def test_tinyface_is_read_by_its_lists(tinyface: Path) -> None:
    layout = read_identification("tinyface", tinyface)
    assert layout.gallery.identities == ("1", "1", "2") and layout.probes["all probes"].identities == ("1", "2")
    assert len(layout.distractors.paths) == 1 and layout.distractors.identities[0] not in ("0", "1", "2")
    for file in (tinyface / "Testing_Set").glob("*.mat"):
        file.unlink()
    assert read_identification("tinyface", tinyface / "Testing_Set").gallery.identities == ("1", "1", "2")


def test_survface_is_read_with_its_strangers(survface: Path) -> None:
    layout = read_identification("survface", survface)
    assert layout.gallery.identities == ("7", "7", "8") and layout.probes["mated probes"].identities == ("7", "8")
    assert len(layout.strangers.paths) == 10
    evaluation = survface / "Face_Identification_Evaluation"
    evaluation.mkdir()
    for file in (survface / "Face_Identification_Test_Set").glob("*.mat"):
        file.rename(evaluation / file.name)
    assert read_identification("survface", survface).gallery.identities == ("7", "7", "8")


def test_scface_counts_each_image_once_and_no_infrared(scface: Path) -> None:
    layout = read_identification("scface", scface)
    assert layout.gallery.identities == ("001", "002")
    assert all("original" in str(path) for path in layout.gallery.paths), "the originals go before the cropped ones"
    assert list(layout.probes) == ["distance 1 (4.20 m)", "distance 2 (2.60 m)", "distance 3 (1.00 m)"]
    assert all(len(files.paths) == 4 for files in layout.probes.values())


def known(vectors: dict[str, list[float]], missed: tuple[str, ...] = ()):
    """Embeddings by file name, where arithmetic is to be checked; `missed` files have no usable face."""

    def embed(system, pictures, views, *hooks, **options):
        rows = np.array([vectors[picture.path.name] for picture in pictures], np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        there = np.array([picture.path.name not in missed for picture in pictures])
        quality = np.full((len(rows), len(QUALITY)), np.nan, np.float32)
        return {view: Embedded(view.mode, None, rows, there, there, quality) for view in views}

    return embed


def test_tinyface_by_hand(tinyface: Path, pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {
        "1_1.jpg": [1, 0, 0],
        "1_2.jpg": [0, 1, 0],
        "2_1.jpg": [0, 0, 1],
        "0_0_x_1_face0.jpg": [0, 0.5, 1],
        "1_3.jpg": [0.1, 1, 0],
        "2_2.jpg": [0, 0.4, 1],
    }
    monkeypatch.setattr(module, "embed", known(vectors))
    rows = run_benchmark("tinyface", tinyface, [system_of(pipeline)], PLAN).table("benchmark")
    values = rows.set_index("measure")["value"]
    # The first probe's nearest picture is its person's second one; the second's is the distractor, then its own.
    assert values["rank-1"] == 0.5 and values["rank-5"] == 1.0

    monkeypatch.setattr(module, "embed", known(vectors, missed=("1_3.jpg",)))
    missing = run_benchmark("tinyface", tinyface, [system_of(pipeline)], PLAN)
    rows = missing.table("benchmark").set_index("measure")
    # The first probe, which was right, has no usable face now: an error, as published figures count it.
    assert rows["value"].tolist() == [0.0, 0.5] and rows["acquired_only"].tolist() == [0.0, 1.0]
    assert rows["probes"].tolist() == [2, 2] and rows["failure_to_acquire"].tolist() == [0.5, 0.5]
    every = rows.loc["rank-5", ["acquired_only_high", "acquired_only_low", "failure_to_acquire_low"]].tolist()
    assert every[0] == 1 > every[1] and 0 < every[2] < 0.5, "each rate has an interval, also that of one of one"
    assert rows.loc["rank-5", "value_low"] <= 0.5 <= rows.loc["rank-5", "value_high"] < 1
    assert "rank-5 50.00 %" in missing.text


def test_survface_by_hand(survface: Path, pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {
        "7_cam1_1.jpg": [1, 0.2, 0],
        "7_cam1_2.jpg": [1, -0.2, 0],
        "8_cam1_1.jpg": [0, 1, 0],
        "7_cam2_1.jpg": [0.9, 0, 0.43589],
        "8_cam2_1.jpg": [0, 0.5, 0.86603],
        **{f"u_cam3_{i}.jpg": [c, 0, np.sqrt(1 - c * c)] for i, c in enumerate(np.linspace(0.05, 0.95, 10))},
    }
    monkeypatch.setattr(module, "embed", known(vectors))
    rows = run_benchmark("survface", survface, [system_of(pipeline)], PLAN).table("benchmark").set_index("measure")
    # Strangers' tops are 0.05, 0.15, ... 0.95: at FPIR 30 % three of them pass, and a genuine 0.9, but not 0.5.
    assert rows.loc["TPIR20 at FPIR 30 %", "value"] == 0.5
    assert 0.65 < rows.loc["TPIR20 at FPIR 30 %", "threshold"] <= 0.75
    assert rows.loc["TPIR20 at FPIR 10 %", "value"] == 0.5 and rows.loc["TPIR20 at FPIR 10 %", "threshold"] > 0.85
    assert np.isnan(rows.loc["TPIR20 at FPIR 1 %", "value"]), "ten strangers can't tell one in a hundred"

    lost = ("7_cam2_1.jpg", *(f"u_cam3_{i}.jpg" for i in range(7, 10)))
    monkeypatch.setattr(module, "embed", known(vectors, missed=lost))
    rows = run_benchmark("survface", survface, [system_of(pipeline)], PLAN).table("benchmark").set_index("measure")
    # Three of ten strangers have no usable face, so that none of them gets a name: three more may.
    assert 0.34 < rows.loc["TPIR20 at FPIR 30 %", "threshold"] <= 0.45
    assert rows.loc["TPIR20 at FPIR 30 %", "value"] == 0.5 and rows.loc["TPIR20 at FPIR 30 %", "acquired_only"] == 1


def test_survfaces_interval_includes_the_thresholds_error() -> None:
    """Mated scores lie where the few highest strangers decide: with the threshold held still it would be narrow."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(200), 2)
    genuine, strangers = rng.normal(0.45, 0.02, len(who)), rng.normal(0.3, 0.1, 40)

    def part(people: np.ndarray, cosines: np.ndarray) -> Part:
        vectors = np.zeros((len(people), 201), np.float32)
        vectors[np.arange(len(people)), people] = cosines
        vectors[:, 200] = np.sqrt(1 - cosines**2)
        quality = np.full((len(people), len(QUALITY)), np.nan, np.float32)
        pictures = [Picture(Path("x"), str(person), "x", True, "") for person in people]
        there = np.ones(len(people), bool)
        return Part(pictures, Embedded("aligned", None, vectors, there, there, quality))

    parts = {
        "gallery": part(np.arange(200), np.ones(200)),
        "mated probes": part(who, genuine),
        "strangers": part(np.arange(40), strangers),
    }
    row = next(row for row in open_set(parts, Plan(bootstrap=200)) if "10 %" in row["measure"])
    hits = genuine >= row["threshold"]
    still = share_interval(hits, who, resamples=200)
    assert row["value"] == hits.mean() and still is not None
    assert row["value_low"] < row["value"] < row["value_high"]
    assert row["value_high"] - row["value_low"] > 2 * (still[1] - still[0])


def test_scface_by_hand(scface: Path, pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {"001_frontal.jpg": [1, 0], "002_frontal.jpg": [0, 1]}
    for camera in (1, 5):
        for distance, right in ((1, 0.3), (2, 0.6 if camera == 1 else 1.5), (3, 2.0)):
            vectors[f"001_cam{camera}_{distance}.jpg"] = [right, 1]
            vectors[f"002_cam{camera}_{distance}.jpg"] = [1, right]
    monkeypatch.setattr(module, "embed", known(vectors))
    rows = run_benchmark("scface", scface, [system_of(pipeline)], PLAN).table("benchmark")
    assert rows["value"].tolist() == [0.0, 0.5, 1.0] and rows["probes"].tolist() == [4, 4, 4]


def test_tinyface_with_real_parts(tinyface: Path, pipeline) -> None:
    """Noise is no face, yet the benchmark says that it is one: the whole picture is taken, and nothing is lost."""
    evaluation = run_benchmark("tinyface", tinyface, [system_of(pipeline)], PLAN)
    rows = evaluation.table("benchmark")
    assert rows["failure_to_acquire"].tolist() == [0.0, 0.0]
    assert rows["measure"].tolist() == ["rank-1", "rank-5"] and rows["value"].iloc[1] == 1.0
    assert "AdaFace" in evaluation.table("published")["by"].iloc[0]


@pytest.mark.parametrize(("name", "file"), [("lfw", "pairs.txt"), ("xqlfw", "xqlfw_pairs.txt")])
def test_pairs_benchmarks_take_lfws_layout(name: str, file: str, tmp_path: Path, pipeline) -> None:
    face = data.astronaut()[0:300, 80:380]
    folder = tmp_path / ("xqlfw_aligned_112" if name == "xqlfw" else "lfw")
    for person, some in {"Ada": [face, face // 2], "Bo": [face[:, ::-1], face[:, ::-1] // 2]}.items():
        for number, rgb in enumerate(some, 1):
            path = folder / person / f"{person}_{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(np.ascontiguousarray(rgb))
            (image.resize((112, 112)) if name == "xqlfw" else image).save(path)
    lines = ["2\t1", "Ada\t1\t2", "Ada\t1\tBo\t1", "Bo\t1\t2", "Ada\t2\tBo\t2"]
    (tmp_path / file).write_text("\n".join(lines))
    assert read_pairs_layout(name, tmp_path).aligned == (name == "xqlfw")
    evaluation = run_benchmark(name, tmp_path, [system_of(pipeline)], PLAN)
    [row] = evaluation.table("benchmark").to_dict("records")
    assert row["measure"] == "accuracy" and 0 <= row["value"] <= 1 and row["probes"] == 4
    assert row["failure_to_acquire"] == 0 < row["failure_to_acquire_high"] < 1
    assert len(evaluation.table("verification")) == 1


@pytest.mark.parametrize("name", NAMES)
def test_another_folder_is_refused_by_what_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkMissing):
        require_layout(name, tmp_path)


def test_damaged_lists_are_told(tinyface: Path) -> None:
    (tinyface / "Testing_Set" / "probe_img_ID_pairs.mat").write_bytes(b"no MATLAB")
    with pytest.raises(BenchmarkMissing, match="probe_img_ID_pairs"):
        require_layout("tinyface", tinyface)


def test_a_listed_image_that_is_missing_is_named(tinyface: Path) -> None:
    (tinyface / "Testing_Set" / "Probe" / "2_2.jpg").unlink()
    with pytest.raises(BenchmarkMissing, match=r"1 of 2 .*2_2\.jpg"):
        require_layout("tinyface", tinyface)


@pytest.mark.parametrize("name", NAMES)
def test_published_figures_are_cited_shares(name: str) -> None:
    rows = published(name)
    assert len(rows) and rows["source"].str.len().min() > 20
    assert rows["value"].dropna().between(0, 1).all()
