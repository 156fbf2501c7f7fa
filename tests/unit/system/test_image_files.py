"""One list of endings for every place, and nothing in a folder is passed over in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.commands.shared.common import UsageMistake, image_files
from core.dataset.run_config import IngestOptions
from core.dataset.sources import list_photographs
from core.gallery.bulk import plan_from_folder
from core.settings import PROJECT_ROOT
from core.system.image_files import FORMATS_TEXT, IMAGE_SUFFIXES, endings_text, is_picture, pictures_under
from dashboard.ui.uploads import PHOTOGRAPH_TYPES


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Ada with a photograph of each kind and a system's leftovers, Grace one folder deeper, a group of two."""
    files = (
        "Ada/one.jpg",
        "Ada/two.HEIC",
        "Ada/three.avif",
        "Ada/raw.CR2",
        "Ada/notes.txt",
        "Ada/.hidden.jpg",
        "Ada/@eaDir/one.jpg/SYNOPHOTO_THUMB_M.jpg",
        "Ada/.thumbnails/one.jpg",
        "Ada/__MACOSX/._one.jpg",
        "Ada/holiday/four.jpg",
        "Grace/photos/one.png",
        "staff/Alan/a.jpg",
        "staff/Edsger/b.jpg",
        "@eaDir/x.jpg",
        "__MACOSX/Ada/._one.jpg",
    )
    for name in files:
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "JPEG")
    return tmp_path / "people"


def test_uploads_take_what_is_read() -> None:
    assert {f".{ending}" for ending in PHOTOGRAPH_TYPES} == IMAGE_SUFFIXES
    assert all(ending in endings_text() for ending in IMAGE_SUFFIXES)


def test_help_names_every_format() -> None:
    text = (PROJECT_ROOT / "dashboard" / "help" / "help.md").read_text(encoding="utf-8")
    assert all(name in text for name in FORMATS_TEXT.replace(" or", ",").split(", "))


def test_no_other_place_lists_endings() -> None:
    for path in (*(PROJECT_ROOT / "core").rglob("*.py"), *(PROJECT_ROOT / "dashboard").rglob("*.py")):
        if path.name not in ("image_files.py", "traces.py"):  # which names what is too large to search for names
            text = path.read_text(encoding="utf-8")
            assert '".jpeg"' not in text and '"jpeg", "png"' not in text, path


def test_bulk_enrolment_takes_deeper_folders_and_no_systems_own(people: Path) -> None:
    plan = plan_from_folder(people)
    found = {name: [path.relative_to(people).as_posix() for path in paths] for name, paths in plan.people}
    assert found == {
        "Ada": ["Ada/one.jpg", "Ada/raw.CR2", "Ada/three.avif", "Ada/two.HEIC", "Ada/holiday/four.jpg"],
        "Grace": ["Grace/photos/one.png"],
    }
    [left_out] = plan.rejected
    assert left_out.where == "staff" and "2 folders" in left_out.reason and "choose “staff”" in left_out.reason


def test_a_data_set_takes_the_same_files(people: Path) -> None:
    taken = {photograph.source for photograph in list_photographs(people, IngestOptions())}
    assert {"Ada/two.HEIC", "Ada/raw.CR2", "Ada/holiday/four.jpg", "Grace/photos/one.png"} <= taken
    assert not [source for source in taken if "eaDir" in source or "MACOSX" in source or "/." in source]


def test_commands_name_what_they_leave_out(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [path.name for path in image_files([str(people / "Ada")])]
    assert names == ["one.jpg", "raw.CR2", "three.avif", "two.HEIC"]
    assert "1 more in folders of its own, not taken" in capsys.readouterr().err
    with pytest.raises(UsageMistake, match=r"holds no image itself; its folders hold 1"):
        image_files([str(people / "Grace")])
    (people / "empty").mkdir()
    with pytest.raises(UsageMistake, match="holds no image") as refused:
        image_files([str(people / "empty")])
    assert ".heic" in str(refused.value)


def test_a_folder_called_like_a_picture_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    assert not is_picture(tmp_path / "a.jpg")
    assert list(pictures_under(tmp_path, lambda error: None)) == []
