"""Plans from folders and CSVs: who comes in, and a reason for whatever doesn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.gallery import ImportRejected
from core.gallery.bulk import plan_from_csv, plan_from_folder


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for name in [
        "Ada/1.jpg",
        "Ada/2.PNG",
        "Ada/notes.txt",
        "Ada/.hidden.jpg",
        "Bob/1.webp",
        "ada/9.jpg",
        "Empty/x.txt",
    ]:
        file = tmp_path / "people" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"no image is opened")
    return tmp_path / "people"


def test_a_folder_for_each_person(photographs):
    (photographs / "loose.jpg").write_bytes(b"")
    (photographs / ("a" * 201)).mkdir()
    (photographs / ("a" * 201) / "1.jpg").write_bytes(b"")
    plan = plan_from_folder(photographs)
    assert [(name, [path.name for path in paths]) for name, paths in plan.people] == [
        ("Ada", ["1.jpg", "2.PNG"]),
        ("Bob", ["1.webp"]),
    ]
    assert plan.photographs == 3
    reasons = {rejected.where: rejected.reason for rejected in plan.rejected}
    assert set(reasons) == {"Empty", "ada", "people", "a" * 201}
    assert "case" in reasons["ada"] and "no image" in reasons["Empty"] and "201" in reasons["a" * 201]


@pytest.mark.parametrize("pair", [("Ada", "Ada "), ("Zoe\u0308", "Zo\u00eb"), (" Ada", "Ada")])
def test_two_folders_of_one_name_once_cleaned(tmp_path, pair):
    for folder in pair:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_bytes(b"no image is opened")
    first, second = sorted(pair)
    plan = plan_from_folder(tmp_path)
    assert [paths for _, paths in plan.people] == [[tmp_path / first / "1.jpg"]]
    assert [rejected.where for rejected in plan.rejected] == [second]
    assert "Another folder gives the name" in plan.rejected[0].reason and "rename" in plan.rejected[0].reason


def test_rows_of_one_name_once_cleaned_are_one_person(photographs):
    table = photographs / "list.csv"
    table.write_text("path,identity\nAda/1.jpg,Zoe\u0308\nAda/2.PNG,Zo\u00eb \n", encoding="utf-8")
    plan = plan_from_csv(table)
    assert plan.people == [("Zo\u00eb", [photographs / "Ada/1.jpg", photographs / "Ada/2.PNG"])]


@pytest.mark.parametrize("make", ["missing", "file", "empty"])
def test_folders_that_hold_nobody(tmp_path, make):
    folder = tmp_path / "x"
    if make == "file":
        folder.write_text("x")
    if make == "empty":
        folder.mkdir()
    with pytest.raises(ImportRejected):
        plan_from_folder(folder)


def test_rows_of_a_csv(photographs):
    table = photographs / "list.csv"
    table.write_text(
        "\ufeffIdentity,note,Path\n"
        "Ada Lovelace,x,Ada/1.jpg\n"
        f"Ada Lovelace,x,{photographs / 'Ada' / '2.PNG'}\n"
        "Bob,,Bob/1.webp\n"
        "Bob,,Bob/none.jpg\n"
        "ADA LOVELACE,,ada/9.jpg\n"
        "Eve,,Bob/1.webp\n"
        "Bob,,Bob/1.webp\n"
        ",,Ada/1.jpg\n"
        "Bob\n"
        "Bob,,Ada/notes.txt\n"
        "\n"
        "Bob,,a\x07b\n",
        encoding="utf-8",
    )
    plan = plan_from_csv(table)
    assert plan.people == [
        ("Ada Lovelace", [photographs / "Ada/1.jpg", photographs / "Ada/2.PNG"]),
        ("Bob", [photographs / "Bob/1.webp"]),
    ]
    reasons = [(rejected.where, rejected.reason) for rejected in plan.rejected]
    words = ["no file", "case", "for “Bob”", "twice", "empty", "no path", "isn't an image", "no file"]
    assert [where for where, _ in reasons] == [f"line {n}" for n in (5, 6, 7, 8, 9, 10, 11, 13)]
    assert all(word in reason for word, (_, reason) in zip(words, reasons, strict=True))


def test_semicolons_and_quotes(photographs):
    table = photographs / "list.csv"
    table.write_text('path;identity\n"Ada/1.jpg";"Lovelace; Ada"\n')
    assert plan_from_csv(table).people == [("Lovelace; Ada", [photographs / "Ada/1.jpg"])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column path and no column identity"),
        (b"path,name\na,b\n", "no column identity"),
        (b"path,identity\n", "No row"),
        (b"path,identity,Path\na,b,c\n", "more than one column path"),
        (b"path,identity\nnone.jpg,Ada\n", "There is no file none.jpg"),
        (b"\xff\xfe\x00p", "UTF-8"),
        (b"path,identity\n\x00", "text file"),
        (b"path,identity\n" + b"a" * 200_000 + b",b\n", "isn't CSV"),
    ],
)
def test_csvs_that_cannot_be_used(tmp_path, content, words):
    table = tmp_path / "list.csv"
    table.write_bytes(content)
    with pytest.raises(ImportRejected, match=words):
        plan_from_csv(table)


@pytest.mark.parametrize("name", ["missing.csv", "folder", "a\x00b"])
def test_files_that_cannot_be_read(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ImportRejected):
        plan_from_csv(tmp_path / name)
