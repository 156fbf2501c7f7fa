"""What every command promises: help with an example, one line and code 2 for a mistake, never a traceback."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer.main
from command_lines import refused

from core.cli import app, run

TREE = typer.main.get_command(app)


def walk(command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(TREE))
LEAVES = [path for path, command in COMMANDS.items() if not getattr(command, "commands", None)]


# Help ---------------------------------------------------------------------------------------------------------------


def test_the_promised_commands_are_there():
    names = {" ".join(path) for path in LEAVES}
    assert {
        "doctor",
        "register",
        "identify photos",
        "identify video",
        "identify rate",
        "compare",
        "inspect",
        "enroll photos",
        "enroll folder",
        "enroll csv",
        "weights list",
        "weights info",
        "weights verify",
        "weights fetch",
        "weights use",
        "weights use-run",
        "weights export",
        "weights average",
        "gallery reembed",
        "gallery list",
        "gallery show",
        "gallery rename",
        "gallery remove",
        "gallery export",
        "gallery import",
        "gallery merge",
        "gallery erase",
        "gallery retention",
        "gallery purge",
        "gallery backup",
        "gallery backups",
        "gallery restore",
        "gallery make-key",
        "gallery encrypt",
        "gallery change-key",
        "gallery decrypt",
        "evaluate pairs",
        "evaluate dataset",
        "evaluate sweep",
        "evaluate compare",
        "evaluate calibrate",
        "evaluate benchmark",
        "evaluate matched",
        "evaluate pooling",
        "bench",
        "weights export-onnx",
    } <= names


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
    ("enroll", "--user-id", "Ada", "--photos", "a.jpg", "--num-captures", "5"),
    ("enroll", "--user-id", "Ada", "--photos", "a.jpg", "--camera", "0"),
    ("evaluate", "dataset", "--dataset-root", "here", "--peer-bgr"),
    ("weights", "export", "run:", "x.safetensors"),
    ("weights", "export-onnx", "bicubic", "x.onnx"),
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


# Faults and interruptions -------------------------------------------------------------------------------------------


def test_a_fault_of_the_program_is_one_line_that_names_a_log(capsys, own_data_dir, monkeypatch):
    import core.diagnostics.doctor

    def broken(settings):
        raise ZeroDivisionError(" ".join(["some", "body"]))

    monkeypatch.setattr(core.diagnostics.doctor, "examine", broken)
    assert run(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    [log] = (own_data_dir / "logs").iterdir()
    assert str(log) in err
    assert "in broken" in log.read_text() and "some body" not in log.read_text()


def test_an_interruption_is_130(capsys, monkeypatch):
    import core.diagnostics.doctor

    def interrupted(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(core.diagnostics.doctor, "examine", interrupted)
    assert run(["doctor"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_fault():
    command = f"{shlex.quote(sys.executable)} -m core weights list --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "{" and done.stderr == ""


def test_json_of_an_empty_installation_is_json(capsys):
    assert run(["weights", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == []
