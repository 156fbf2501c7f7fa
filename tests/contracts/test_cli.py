"""What every command promises: help with an example, one line and code 2 for a mistake, never a traceback."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from core.cli import app, run

TREE = typer.main.get_command(app)


def walk(command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(TREE))
LEAVES = [path for path, command in COMMANDS.items() if not getattr(command, "commands", None)]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command line that can't work: code 2, nothing but one line on stderr, which is given back."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 2, f"{arguments}: code {code}\n{out}\n{err}"
    assert "Traceback" not in out + err
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: "), err
    return lines[0]


# Help ---------------------------------------------------------------------------------------------------------------


def test_the_promised_commands_are_there():
    names = {" ".join(path) for path in LEAVES}
    assert {
        "doctor", "register", "identify", "compare", "enroll photos", "enroll folder", "enroll csv",
        "weights list", "weights info", "weights verify", "weights fetch", "weights use",
        "gallery list", "gallery show", "gallery rename", "gallery remove", "gallery export", "gallery import",
        "evaluate pairs", "evaluate dataset", "evaluate sweep", "evaluate compare", "evaluate calibrate",
        "evaluate benchmark",
    } <= names  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "edgeface-studio")
def test_every_command_has_help_and_an_example_of_itself(path, capsys):
    assert run([*path, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: edgeface-studio" in out
    assert COMMANDS[path].help, "no help text"
    examples = [line.strip() for line in out.splitlines() if line.strip().startswith("edgeface-studio ")]
    assert examples
    shown = path[:-1] if path[-1:] == ("photos",) else path
    assert any(example.startswith(" ".join(("edgeface-studio", *shown))) for example in examples), examples


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_and_argument_says_what_it_is(path):
    for parameter in COMMANDS[path].params:
        assert getattr(parameter, "help", None), f"{parameter.name} has no help"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "edgeface-studio")
def test_examples_in_help_can_be_parsed(path, capsys):
    """Every option that an example names exists: it is parsed, not run."""
    run([*path, "--help"])
    out = capsys.readouterr().out
    for line in out.splitlines():
        if not line.strip().startswith("edgeface-studio "):
            continue
        words = shlex.split(line.strip())[1:]
        command = TREE
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        if "photos" in getattr(command, "commands", {}):
            command = command.commands["photos"]
        options = {option for parameter in command.params for option in getattr(parameter, "opts", [])}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("edgeface-studio 0.")


def test_help_loads_nothing_heavy():
    code = (
        "import sys, core.cli; core.cli.run(['identify', '--help']); "
        "print({'torch', 'pandas', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_python_m_core_is_the_command():
    done = subprocess.run([sys.executable, "-m", "core", "wights"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and "weights" in done.stderr and done.stderr.count("\n") == 1


# Command lines that can't work ---------------------------------------------------------------------------------------

MISTAKES = [
    ("wights",),
    ("--nonsense",),
    ("identify",),
    ("identify", "--nonsense", "a.jpg"),
    ("identify", "a.jpg", "--size", "17"),
    ("identify", "a.jpg", "--threshold", "high"),
    ("identify", "a.jpg", "--top-k", "x"),
    ("compare", "a.jpg"),
    ("compare", "a.jpg", "b.jpg", "c.jpg"),
    ("enroll",),
    ("enroll", "--user-id", "Ada"),
    ("enroll", "--photos", "a.jpg"),
    ("enroll", "folder"),
    ("enroll", "csv"),
    ("register", "--user-id"),
    ("weights", "nonsense"),
    ("weights", "fetch"),
    ("weights", "fetch", "nonsense"),
    ("weights", "fetch", "edgeface_xxs", "--base-url", "http://example.org/files"),
    ("weights", "fetch", "edgeface_xxs", "--base-url", "ftp://localhost/files"),
    ("weights", "use", "nonsense"),
    ("weights", "use", "edgeface_xxs"),
    ("weights", "info", ""),
    ("weights", "verify", "no\nsuch\x1b[31mfile"),
    ("gallery", "list"),
    ("gallery", "show", "Nobody"),
    ("gallery", "rename", "Nobody"),
    ("gallery", "import", "missing.efgallery"),
    ("gallery", "audit", "--limit", "0"),
    ("gallery", "list", "--gallery-path", ""),
    ("gallery", "list", "--gallery-path", "no\0path"),
    ("identify", "no\0path.jpg"),
    ("identify", "x" * 5000 + ".jpg"),
    ("compare", "missing.jpg", "missing.jpg"),
    ("evaluate", "pairs", "missing", "missing.txt"),
    ("evaluate", "pairs", "missing", "missing.txt", "--folds", "x"),
]


@pytest.mark.parametrize("arguments", MISTAKES, ids=lambda arguments: repr(" ".join(arguments))[:60])
def test_a_mistake_is_one_line_and_code_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(capsys, *arguments)


@pytest.mark.parametrize("group", [path for path in COMMANDS if path not in LEAVES and path != ("enroll",)])
def test_a_group_alone_shows_its_help_or_one_line(group, capsys):
    code = run(list(group))
    out, err = capsys.readouterr()
    assert code in (0, 2) and len(err.splitlines()) <= 1
    assert "Usage:" in out or len(err) < 300


# Hostile files -------------------------------------------------------------------------------------------------------


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
    [("gallery", "list"), ("gallery", "show", "Ada"), ("gallery", "remove", "Ada", "--yes"), ("gallery", "tidy"),
     ("gallery", "rename", "Ada", "Eve"), ("identify", "PICTURE"), ("gallery", "export", "OUT"),
     ("enroll", "--user-id", "Ada", "--photos", "PICTURE")],
    ids=" ".join,
)  # fmt: skip
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
    b"", b"\n\n", b"path;identity\n", b"file,name\na.jpg,Ada\n", b"\xff\xfe\x00", b"\0" * 99,
    b"path,identity\nmissing.jpg,Ada\n", b'path,identity\n"a.jpg',
]  # fmt: skip


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


def test_a_fault_of_the_program_is_one_line_that_names_a_log(capsys, own_data_dir, monkeypatch):
    import core.doctor

    def broken(settings):
        raise ZeroDivisionError(" ".join(["some", "body"]))

    monkeypatch.setattr(core.doctor, "examine", broken)
    assert run(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    [log] = (own_data_dir / "logs").iterdir()
    assert str(log) in err
    assert "in broken" in log.read_text() and "some body" not in log.read_text()


def test_an_interruption_is_130(capsys, monkeypatch):
    import core.doctor

    def interrupted(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(core.doctor, "examine", interrupted)
    assert run(["doctor"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_fault():
    command = f"{shlex.quote(sys.executable)} -m core weights list --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "{" and done.stderr == ""


def test_json_of_an_empty_installation_is_json(capsys):
    assert run(["weights", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == []


def grey(path: Path) -> None:
    """A photograph without a face."""
    from PIL import Image

    Image.new("RGB", (120, 120), (128, 128, 128)).save(path)
