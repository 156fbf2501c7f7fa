"""Nothing that anybody types reaches a shell: there is none, and a run's command line is two constants and a path."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core.jobs.launch as launching
from core.jobs.launch import WORKER, launch
from core.jobs.run_dir import slugged
from core.settings import load_settings

ROOT = Path(__file__).resolve().parents[3]
SHELLS = {
    "os.system",
    "os.popen",
    "system",
    "popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}
HOSTILE = "$(touch x); rm -rf / `id` && \n| ../../etc & \u202e'\"--help"


def sources() -> list[Path]:
    return [path for folder in ("core", "dashboard", "pages") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_module_starts_a_shell():
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                shell = any(
                    word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
                    for word in node.keywords
                )
                found += [f"{path.name}:{node.lineno}"] if shell or name in SHELLS else []
    assert not found


@given(st.text(max_size=80))
def test_a_runs_folder_is_named_in_letters_and_digits_whatever_was_typed(text):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slugged(text))


@pytest.mark.parametrize("slug", [HOSTILE, "../../x", "-rf", "", "x\x00y"])
def test_the_command_line_of_a_run_holds_no_setting(own_data_dir, monkeypatch, slug):
    started = []
    real = launching.subprocess.Popen

    def popen(command, **options):
        started.append((command, options))
        return SimpleNamespace(pid=real(["true"]).pid, wait=lambda: 0)

    monkeypatch.setattr(launching.subprocess, "Popen", popen)
    run = launch(load_settings(), "evaluate", {"dataset": HOSTILE, "note": HOSTILE}, slug=slug)
    command, options = started[0]
    assert command == [*WORKER, str(run.path)] and not options.get("shell")
    assert re.fullmatch(r"[0-9TZ]+-[a-z0-9-]+", run.path.name) and run.path.is_relative_to(own_data_dir)
    assert run.config["note"] == HOSTILE, "settings travel as a file"
