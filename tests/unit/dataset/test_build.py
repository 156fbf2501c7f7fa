"""A build is right, repeatable, whole or absent, and leaves its source alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from sets import add_pair, notes_set, picture, tree

from core.dataset.build import build
from core.dataset.errors import BuildRefused
from core.dataset.manifest import read_dataset
from core.dataset.scan import scan
from core.images import encode_image
from core.jobs.context import Hooks

PEOPLE = {"001": 10, "002": 5, "003": 4}


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    """The notes' situation: other people in val than in train, somebody with too few images, and a test split."""
    root = notes_set(tmp_path / "frontal_only", PEOPLE)
    notes_set(root, {"006": 10}, "val", 100)
    return notes_set(root, {"011": 6}, "test", 200)


def side_of(root: Path) -> dict[str, str]:
    frame = read_dataset(root).frame
    return {Path(row.path).name: row.split for row in frame[frame["kind"] == "hr"].itertuples()}


def test_closed_set_gives_the_notes_summary(source: Path, tmp_path: Path) -> None:
    before = tree(source)
    [summary] = build(scan(source), tmp_path / "edgeface_finetune", seed=3)
    assert summary.text.splitlines() == [
        "Subjects:          3",
        "Train images:      20",
        "Val images:        5",
        "Split ratio:       80.0% train / 20.0% val",
        f"Output directory:  {tmp_path / 'edgeface_finetune'}",
        "Left out:          6 images of the source's test split, which stays unseen",
        "Left out:          4 images of people with fewer than 5",
    ]
    assert tree(source) == before
    built = read_dataset(tmp_path / "edgeface_finetune")
    assert built.info.mode == "closed-set" and built.info.seed == 3 and built.info.vlr_px == 32
    assert set(built.frame["split"]) == {"train", "val"} and built.info.counts["splits"]["val"]["pairs"] == 5
    for row in built.frame.itertuples():
        placed = built.file(row.path)
        assert placed.read_bytes() == (source / row.source).read_bytes()
        assert placed.samefile(source / row.source)
        assert row.path.split("/")[:2] == [row.split, f"{row.kind}_images"]


def test_the_same_seed_gives_the_same_files_and_manifest(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        build(scan(source), tmp_path / name, seed=5, link="copy")
    build(scan(source), tmp_path / "c", seed=6)
    assert (tmp_path / "a" / "manifest.csv").read_bytes() == (tmp_path / "b" / "manifest.csv").read_bytes()
    assert side_of(tmp_path / "a") != side_of(tmp_path / "c")


def test_every_step_of_a_build_tells_how_far_it_is(source: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    build(
        scan(source),
        tmp_path / "out",
        hooks=Hooks(lambda kind, **data: told.append((data["step"], data["done"], data["total"]))),
    )
    last = {step: (done, total) for step, done, total in told}
    assert list(last) == ["read", "compare", "place", "write"]
    pairs, built = 10 + 5 + 4 + 10, 10 + 5 + 10  # everybody but the test split; of them those with enough images
    assert last == {
        "read": (2 * pairs, 2 * pairs),
        "compare": (pairs, pairs),
        "place": (2 * built, 2 * built),
        "write": (2 * built, 2 * built),
    }
    for step in last:
        done = [each for name, each, _ in told if name == step]
        assert done == sorted(done)


def test_identity_disjoint(source: Path, tmp_path: Path) -> None:
    [summary] = build(scan(source), tmp_path / "out", mode="identity-disjoint", shares={"train": 0.5, "val": 0.5})
    frame = read_dataset(tmp_path / "out").frame
    assert (frame.groupby("identity")["split"].nunique() == 1).all() and summary.subjects == 4


def test_both_from_one_source(tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {f"{n:03}": 6 for n in range(10)})
    closed, disjoint = build(scan(source), tmp_path / "out", mode="both")
    assert (closed.out, disjoint.out) == (tmp_path / "out" / "closed-set", tmp_path / "out" / "identity-disjoint")
    a, b = side_of(closed.out), side_of(disjoint.out)
    assert not {n for n, s in a.items() if s == "val"} & {n for n, s in b.items() if s == "train"}
    assert not {n for n, s in b.items() if s != "train"} & {n for n, s in a.items() if s == "train"}


def test_update_adds_and_moves_none(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(scan(source), out, seed=1)
    before, files = side_of(out), tree(out)
    with pytest.raises(BuildRefused, match="exists already"):
        build(scan(source), out, seed=1)
    assert tree(out) == files
    add_pair(source, "train", "003_01_01_051_99", 900)
    add_pair(source, "val", "001_01_01_051_98", 901)
    (source / "train" / "hr_images" / "002_01_01_051_00.png").unlink()
    (source / "train" / "vlr_images" / "002_01_01_051_00.png").unlink()
    [summary] = build(scan(source), out, seed=1, update=True)
    after = side_of(out)
    assert before.items() <= after.items() and summary.added == 6 == len(after) - len(before)
    assert all((out / path).read_bytes() == content for path, content in files.items() if path.endswith(".png"))
    again = tree(out)
    [summary] = build(scan(source), out, seed=1, update=True)
    assert summary.added == 0 and tree(out) == again


def test_a_changed_image_under_an_earlier_name_is_a_new_image(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(scan(source), out, link="copy")
    before = tree(out)
    (source / "train" / "hr_images" / "001_01_01_051_00.png").unlink()
    (source / "train" / "vlr_images" / "001_01_01_051_00.png").unlink()
    add_pair(source, "train", "001_01_01_051_00", 777)
    [summary] = build(scan(source), out, update=True)
    after = tree(out)
    assert summary.added == 1 and all(after[p] == c for p, c in before.items() if p.endswith(".png"))
    assert read_dataset(out).frame["pair"].value_counts().max() == 2


def test_only_frontal(tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 6})
    for n in range(6):
        add_pair(source, "train", f"001_01_01_010_{n:02}", 50 + n)
    [summary] = build(scan(source), tmp_path / "out", only={"camera": "051"})
    assert summary.train + summary.val == 6 and "6 images whose camera isn't 051" in summary.text
    with pytest.raises(BuildRefused, match="no column 'mood'"):
        build(scan(source), tmp_path / "out2", only={"mood": "good"})


def test_one_name_twice_keeps_both_images(tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 6})
    notes_set(source, {"001": 6}, "val", 60)
    [summary] = build(scan(source), tmp_path / "out")
    frame = read_dataset(tmp_path / "out").frame
    assert summary.train + summary.val == 12 and frame["sha256"].nunique() == 24
    for pair, part in frame.groupby("pair"):
        assert part["kind"].tolist() == ["hr", "vlr"] and part["path"].map(lambda p: Path(p).name).nunique() == 1, pair


def test_one_picture_twice_stays_on_one_side(tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 10, "002": 10})
    for n in range(5):
        name = f"001_01_01_051_9{n}"
        add_pair(source, "train", name, n)
        (source / "train" / "hr_images" / f"{name}.png").write_bytes(encode_image(picture(n), "webp", 60))
    for seed in range(3):
        build(scan(source), tmp_path / f"out{seed}", seed=seed)
        sides = side_of(tmp_path / f"out{seed}")
        assert all(sides[f"001_01_01_051_9{n}.png"] == sides[f"001_01_01_051_0{n}.png"] for n in range(5))


# What can't be built -------------------------------------------------------------------------------------------------


def refused(source: Path, out: Path, says: str, error: type[Exception] = BuildRefused, **options: object) -> None:
    before = tree(source)
    with pytest.raises(error, match=says):
        build(scan(source), out, **options)
    assert tree(source) == before
    assert not out.exists() and not list(out.parent.glob(f".{out.name}*"))


def test_a_vlr_without_its_hr_and_the_reverse(source: Path, tmp_path: Path) -> None:
    hr = source / "train" / "hr_images" / "001_01_01_051_00.png"
    content = hr.read_bytes()
    hr.unlink()
    refused(source, tmp_path / "out", "1 VLR image has no HR image.*001_01_01_051_00")
    hr.write_bytes(content)
    (source / "train" / "vlr_images" / "001_01_01_051_01.png").unlink()
    refused(source, tmp_path / "out", "1 HR image has no VLR image.*001_01_01_051_01")


def test_an_unreadable_image(source: Path, tmp_path: Path) -> None:
    (source / "train" / "hr_images" / "001_01_01_051_00.png").write_bytes(b"cut")
    refused(source, tmp_path / "out", "1 images can't be read.*001_01_01_051_00")


def test_one_person_only_and_nobody_with_enough(tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 4})
    refused(source, tmp_path / "out", "One person", mode="identity-disjoint")
    refused(source, tmp_path / "out", "Nobody has 5")


def test_photographs_are_to_be_ingested_first(tmp_path: Path) -> None:
    path = tmp_path / "in" / "Ada" / "1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_image(picture(1, 250), "png"))
    refused(tmp_path / "in", tmp_path / "out", "no VLR images")


def test_not_into_the_source_and_not_with_nonsense(source: Path, tmp_path: Path) -> None:
    refused(source, source / "train" / "out", "is in the source")
    refused(source, tmp_path / "out", "mode", mode="magic")
    refused(source, tmp_path / "out", "link", link="soft")
    refused(source, tmp_path / "out", "seed", seed=-1)


def test_a_folder_of_somebody_elses_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    for update in (False, True):
        with pytest.raises(BuildRefused, match="exists already"):
            build(scan(source), tmp_path / "out", update=update)
    assert tree(tmp_path / "out") == {"thesis.txt": b"years of work"}
