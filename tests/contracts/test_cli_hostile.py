"""Files that no command can use: one line and code 2, nothing in them is run, and they are left as they are."""

from __future__ import annotations

import os
import pickle
import shlex
import struct
import zlib
from pathlib import Path

import pytest
from command_lines import grey, refused

from core.cli import run


class Bomb:
    """A pickle that makes a file when it is executed."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (os.system, (f"touch {shlex.quote(str(self.mark))}",))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is width x height and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.fixture()
def hostile(tmp_path: Path) -> dict[str, Path]:
    """Files and folders that no command can use, by what is wrong with them. None is created by running the bomb."""
    import torch

    files = {
        "text": (tmp_path / "text.jpg", b"this is a letter, not a photograph"),
        "empty": (tmp_path / "empty.png", b""),
        "huge": (tmp_path / "huge.png", png_header(20_000, 20_000)),
        "wide": (tmp_path / "wide.png", png_header(2_000_000, 1)),
        "cut off": (tmp_path / "cut.png", png_header(200, 200)),
        "noise": (tmp_path / "noise.webp", bytes(range(256)) * 8),
        "formula name": (tmp_path / "=cmd()\n.jpg", b"no picture either"),
    }
    for path, content in files.values():
        path.write_bytes(content)
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    bomb = tmp_path / "bomb.pt"
    bomb.write_bytes(pickle.dumps({"state_dict": Bomb(tmp_path / "exploded")}))
    zipped = tmp_path / "zipped_bomb.pt"
    torch.save({"model": Bomb(tmp_path / "exploded")}, zipped)
    other = tmp_path / "other_network.pt"
    torch.save(torch.nn.Linear(4, 4).state_dict(), other)
    return {
        **{what: path for what, (path, _) in files.items()},
        "folder": folder,
        "missing": tmp_path / "missing.jpg",
        "bomb": bomb,
        "zipped bomb": zipped,
        "other network": other,
    }


PICTURES = ("text", "empty", "huge", "wide", "cut off", "noise", "formula name", "folder", "missing", "bomb")
WEIGHTS = ("text", "empty", "noise", "folder", "missing", "bomb", "zipped bomb", "other network", "huge")


@pytest.mark.parametrize("what", PICTURES)
def test_compare_refuses_what_is_no_photograph(what, hostile, capsys):
    refused(capsys, "compare", hostile[what], hostile[what])
    assert not (hostile["bomb"].parent / "exploded").exists()


@pytest.mark.parametrize("command", ["info", "verify", "use"])
@pytest.mark.parametrize("what", WEIGHTS)
def test_weights_commands_refuse_what_is_no_encoder_and_run_nothing(command, what, hostile, capsys, own_data_dir):
    refused(capsys, "weights", command, hostile[what])
    assert not (hostile["bomb"].parent / "exploded").exists()
    assert not (own_data_dir / "active.json").exists()


@pytest.mark.parametrize("what", WEIGHTS)
def test_a_run_with_such_weights_is_refused(what, hostile, capsys):
    picture = hostile["text"].with_name("grey.png")
    grey(picture)
    refused(capsys, "compare", picture, picture, "--weights", hostile[what])
    refused(capsys, "enroll", "--user-id", "Ada", "--photos", picture, "--weights", hostile[what])
    assert not (hostile["bomb"].parent / "exploded").exists()


@pytest.mark.parametrize(
    "what", ["text", "empty", "noise", "folder", "missing", "bomb", "zipped bomb", "other network"]
)
def test_gallery_import_refuses_what_is_no_gallery(what, hostile, capsys, own_data_dir):
    refused(capsys, "gallery", "import", hostile[what])
    assert not (hostile["bomb"].parent / "exploded").exists()


@pytest.mark.parametrize("what", ["text", "folder", "noise", "huge", "bomb"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("gallery", "list"),
        ("gallery", "show", "Ada"),
        ("gallery", "remove", "Ada", "--yes"),
        ("gallery", "tidy"),
        ("gallery", "rename", "Ada", "Eve"),
        ("identify", "PICTURE"),
        ("gallery", "export", "OUT"),
        ("enroll", "--user-id", "Ada", "--photos", "PICTURE"),
    ],
    ids=" ".join,
)
def test_what_is_no_gallery_is_refused_and_left_as_it_is(arguments, what, hostile, capsys, tmp_path):
    picture, out = tmp_path / "grey.png", tmp_path / "out.efgallery"
    grey(picture)
    target = hostile[what]
    before = target.read_bytes() if target.is_file() else None
    filled = [{"PICTURE": str(picture), "OUT": str(out)}.get(argument, argument) for argument in arguments]
    refused(capsys, *filled, "--gallery-path", target)
    assert before is None or target.read_bytes() == before
    assert not out.exists()


NO_CSV = [
    b"",
    b"\n\n",
    b"path;identity\n",
    b"file,name\na.jpg,Ada\n",
    b"\xff\xfe\x00",
    b"\0" * 99,
    b"path,identity\nmissing.jpg,Ada\n",
    b'path,identity\n"a.jpg',
]


@pytest.mark.parametrize("content", NO_CSV)
def test_a_csv_that_names_nobody_is_refused(content, tmp_path, capsys):
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    refused(capsys, "enroll", "csv", path)


def test_a_folder_of_nobody_is_refused(tmp_path, capsys, hostile):
    for target in (tmp_path / "missing", hostile["text"], hostile["folder"]):
        refused(capsys, "enroll", "folder", target)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "\x1b[31mred", "n" * 300, "\u200b", "\u202etxt"])
def test_a_name_that_cannot_be_shown_is_refused(name, tmp_path, capsys):
    picture = tmp_path / "grey.png"
    grey(picture)
    refused(capsys, "enroll", "--user-id", name, "--photos", picture)


@pytest.mark.parametrize("threshold", ["2", "-1.5", "nan", "inf"])
def test_a_threshold_that_is_no_cosine_is_refused(threshold, tmp_path, capsys):
    picture = tmp_path / "grey.png"
    grey(picture)
    assert "-1 to 1" in refused(capsys, "compare", picture, picture, "--threshold", threshold)


def test_without_weights_the_next_step_is_named(tmp_path, capsys):
    picture = tmp_path / "grey.png"
    grey(picture)
    for arguments in (("compare", picture, picture), ("enroll", "--user-id", "Ada", "--photos", picture)):
        line = refused(capsys, *arguments)
        assert "edgeface-studio weights fetch edgeface_xxs" in line and "weights use" in line


def test_a_damaged_choice_of_weights_is_said(capsys, own_data_dir, tmp_path):
    picture = tmp_path / "grey.png"
    grey(picture)
    for content in ("{", "[]", '{"encoder": 3}', '{"encoder": {"path": "gone.pt", "sha256": "00"}}', "\0"):
        (own_data_dir / "active.json").write_text(content)
        refused(capsys, "compare", picture, picture)
        assert run(["weights", "list"]) == 0
        assert run(["doctor"]) == 1


def test_a_data_folder_that_is_a_file_is_said(capsys, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(file))
    for arguments in (("doctor",), ("weights", "list"), ("gallery", "list")):
        assert "EDGEFACE_DATA_DIR" in refused(capsys, *arguments)
