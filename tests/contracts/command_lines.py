"""Command lines that are run in this process, and a photograph without a face."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.cli import run


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


def grey(path: Path) -> None:
    """A photograph without a face."""
    from PIL import Image

    Image.new("RGB", (120, 120), (128, 128, 128)).save(path)
