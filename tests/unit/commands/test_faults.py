"""Whatever goes wrong ends with a code and one line: mistakes, faults, Ctrl-C, a reader who leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.errors import CoreError
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == "", "nothing on standard output"
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    return lines[0]


def test_a_usage_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["identify", "a.jpg", "--size", "17"]) == 2
    line = one_error(capsys)
    assert "'17' is not one of '16', '24', '32'" in line and "edgeface-studio identify photos --help" in line


def test_no_argument_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_a_long_path_is_the_users_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gallery", "list", "--gallery-path", "x" * 300]) == 2
    assert "too long" in one_error(capsys)


def test_text_from_outside_cannot_colour_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["weights", "info", "\x1b[31mred\nfile"]) == 2
    assert "\x1b" not in one_error(capsys)


def test_a_damaged_choice_is_said(own_data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_data_dir / "active.json").write_text("{")
    assert cli.run(["compare", __file__, __file__]) == 2
    one_error(capsys)
    assert cli.run(["gallery", "export", "x.pt"]) == 2
    one_error(capsys)


def fail_inside(name: str) -> None:
    try:
        raise KeyError(name)
    except KeyError as error:
        raise ValueError(f"{name} again") from error


def test_a_fault_leaves_a_log_without_names(own_data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError) as caught:
        fail_inside("Lovelace"[::-1])
    assert cli._fault(caught.value) == 1
    line = one_error(capsys)
    [log] = (own_data_dir / "logs").iterdir()
    assert str(log) in line and "ValueError" in line
    text = log.read_text()
    assert "ecalevoL" not in text, "what the error said stays out of the log"
    assert "builtins.ValueError" in text and "caused by\nbuiltins.KeyError" in text
    assert "test_faults.py" in text and "fail_inside" in text, "where it happened"


def test_a_fault_whose_log_cannot_be_written_is_still_one_line(
    own_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_data_dir / "logs").touch()
    assert cli._fault(RuntimeError("Ada")) == 1
    assert "couldn't be saved" in one_error(capsys)


@pytest.mark.parametrize("text", ["What", "What.", "What?", " What. "])
def test_sentences_end_once(text: str) -> None:
    assert cli._sentence(text) in ("What.", "What?")


def test_errors_have_the_form_what_and_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._mistake(f"{cli._sentence(CoreError('It broke').what)} Mend\nit.") == 2
    assert one_error(capsys) == "error: It broke. Mend it."


def start(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "core", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_a_reader_who_leaves_early_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "core", "weights", "list", "--json"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert process.returncode == 1 and process.stderr == b""


def test_an_ascii_terminal_prints_any_name(own_data_dir: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with start("weights", "info", "Zoë", env=environment) as process:
        _, err = process.communicate()
    assert process.returncode == 2 and err.startswith(b"error: ") and err.count(b"\n") == 1


def test_ctrl_c_ends_with_130(own_data_dir: Path) -> None:
    template = NewTemplate(vector=np.eye(512, dtype=np.float32)[0], kind="hr", probe_px=112.0)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        gallery.enrol("Ada", [template], space=Space("any", "0" * 64, "bicubic", False))

    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell starts its background jobs with the signal ignored

    with start("gallery", "remove", "Ada", stdin=subprocess.PIPE, preexec_fn=heed) as process:
        assert process.stderr is not None
        asked = b""
        while not asked.endswith(b"[y/N] ") and (character := process.stderr.read(1)):
            asked += character
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130
        assert b"Traceback" not in process.stderr.read()
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        assert gallery.size == 1, "nothing was removed"
