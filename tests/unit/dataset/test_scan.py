"""Every layout that people have is recognised, and what is none is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset import naming
from core.dataset.errors import SourceInvalid
from core.dataset.manifest import DatasetInfo, make_frame, write_dataset
from core.dataset.scan import scan
from core.images import encode_image, resize


def picture(path: Path, size: tuple[int, int] = (112, 112), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(20, 235, (8, 8, 3)).astype(np.uint8)
    path.write_bytes(encode_image(resize(coarse, size), "png"))
    return path


def notes(root: Path, folder: str = "train", who: str = "007", extra: str = "01_01_051_00") -> None:
    picture(root / folder / "hr_images" / f"{who}_{extra}_crop_128.png", (128, 128))
    picture(root / folder / "vlr_images" / f"{who}_{extra}_crop_32.png", (32, 32))


def test_the_notes_layout(tmp_path: Path) -> None:
    notes(tmp_path)
    notes(tmp_path, "val", "012", "02_01_010_07")
    found = scan(tmp_path)
    assert found.layout == "notes" and "train, val" in found.why
    hr = found.frame[found.frame["kind"] == "hr"].set_index("identity")
    assert hr.loc["007", "camera"] == "051" and hr.loc["012", "session"] == "02" and hr.loc["012", "split"] == "val"
    assert found.frame.groupby("pair")["kind"].agg(set).tolist() == [{"hr", "vlr"}] * 2


def test_processed_folders_and_further_sizes(tmp_path: Path) -> None:
    notes(tmp_path, "train_processed")
    picture(tmp_path / "train_processed" / "vlr_images_16" / "007_01_01_051_00_crop_16.png", (16, 16))
    found = scan(tmp_path)
    assert len(found.frame) == 3 and found.frame["pair"].nunique() == 1 and set(found.frame["split"]) == {"train"}


def test_one_name_in_two_splits_makes_two_pairs(tmp_path: Path) -> None:
    notes(tmp_path)
    notes(tmp_path, "val")
    assert set(scan(tmp_path).frame["pair"]) == {"train/007_01_01_051_00", "val/007_01_01_051_00"}


@pytest.mark.parametrize("pattern", ["(a+)+!$", "(a|aa)+!$", "(.*)*!$", r"(\w+\s?)*!$"])
def test_no_pattern_takes_more_time_than_its_name_is_long(pattern: str) -> None:
    """By backtracking each of these would take longer than anybody waits."""
    assert naming.fields_of("a" * 200, naming.compiled(pattern)) is None


def test_letters_and_digits_of_every_script_are_letters_and_digits() -> None:
    for stem, pattern, identity in (
        ("Zoë_1", r"(\w+)_\d", "Zoë"),
        ("Łukasz-é x_٣", r"(?P<identity>[\w -]+)_\d", "Łukasz-é x"),
        ("a]b", r"([^\]]+)", "a"),
    ):
        assert naming.fields_of(stem, naming.compiled(pattern)) == {"identity": identity}


def test_a_pattern_of_ones_own(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "hr_images" / "s3-left-ada.png")
    found = scan(tmp_path, pattern=r"s(?P<session>\d)-(?P<side>\w+)-(?P<identity>\w+)")
    assert found.frame.loc[0, ["session", "side", "identity"]].tolist() == ["3", "left", "ada"]
    for pattern in ("(", "no group", r"(a)(?=b)", r"(a)\1", "(a{1,1000}){1,1000}"):
        with pytest.raises(SourceInvalid, match="pattern"):
            scan(tmp_path, pattern=pattern)


def test_names_that_say_nobody(tmp_path: Path) -> None:
    notes(tmp_path)
    picture(tmp_path / "train" / "hr_images" / "holiday.png")
    with pytest.raises(SourceInvalid, match=r"1 of 3 file names.*holiday\.png"):
        scan(tmp_path)


def test_names_that_ingest_gives(tmp_path: Path) -> None:
    picture(tmp_path / "all" / "hr_images" / "Ada King__Ada_0001.png")
    row = scan(tmp_path).frame.iloc[0]
    assert (row["identity"], row["split"], row["pair"]) == ("Ada King", "", "Ada King__Ada_0001")


@pytest.mark.parametrize(("size", "layout"), [((112, 112), "crops"), ((250, 250), "photographs")])
def test_a_folder_a_person(tmp_path: Path, size, layout) -> None:
    for who in ("Ada", "Eve"):
        for n in range(3):
            picture(tmp_path / who / f"{n}.jpg", size)
    found = scan(tmp_path)
    assert found.layout == layout and "2 people" in found.why and len(found.frame) == 6
    assert scan(tmp_path, layout="photographs").layout == "photographs"


def test_a_csv_keeps_further_columns(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png", (300, 200))
    (tmp_path / "people.csv").write_text('file,who,mood\nin/a.png,"King, Ada",good\n')
    found = scan(tmp_path / "people.csv", columns={"path": "file", "identity": "who"})
    assert found.layout == "csv" and "photographs" in found.why
    assert found.frame.loc[0, ["identity", "mood", "path"]].tolist() == ["King, Ada", "good", "in/a.png"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,name\na.png,Ada\n", "no column 'identity'"),
        ("", "isn't a CSV"),
        ("path,identity\n", "no rows"),
        ("path,identity\nmissing.png,Ada\n", "row 2.*missing"),
        ("path,identity\na.png\n", "row 2"),
        ("path,identity\na.png,\n", "row 2.*empty"),
        ("path,identity\na.png,Ada\na.png,Ada\n", "twice"),
        ("path,identity,split\na.png,Ada,dev\n", "dev"),
        ('path,identity\n"a.png', "isn't a CSV"),
        ("path,identity\n\0,Ada\n", "isn't a CSV"),
        ("path,path,identity\na,a,a\n", "column twice"),
    ],
)
def test_a_csv_that_is_none(tmp_path: Path, content, says) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "people.csv").write_text(content)
    with pytest.raises(SourceInvalid, match=says):
        scan(tmp_path / "people.csv")


def test_a_data_set_of_ours(tmp_path: Path) -> None:
    picture(tmp_path / "all" / "hr_images" / "a.png")
    frame = make_frame([{"path": "all/hr_images/a.png", "identity": "x", "kind": "hr", "pair": "a"}])
    write_dataset(tmp_path, frame, DatasetInfo(name="x", vlr_px=24, made_by="ingest"))
    found = scan(tmp_path)
    assert (found.layout, found.vlr_px) == ("dataset", 24) and "ingest" in found.why


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="no images"):
        scan(tmp_path)
    picture(tmp_path / "loose.png")
    with pytest.raises(SourceInvalid, match="1 images but no folder a person"):
        scan(tmp_path)
    with pytest.raises(SourceInvalid, match="There is no"):
        scan(tmp_path / "gone")
    with pytest.raises(SourceInvalid, match="layout"):
        scan(tmp_path, layout="magic")


@pytest.mark.parametrize("pair", [("Ada", "ada"), ("Ada", "Ada "), ("Ada  L", "Ada L"), ("Zoe\u0308", "Zo\u00eb")])
def test_two_names_that_look_alike(tmp_path: Path, pair: tuple[str, str]) -> None:
    picture(tmp_path / pair[0] / "1.png")
    picture(tmp_path / pair[1] / "2.png")
    with pytest.raises(SourceInvalid, match=f"'{pair[0]}' and '{pair[1]}'"):
        scan(tmp_path)
