"""README's commands as they are written: the fenced blocks are run in order, on a few drawn people.

What differs from a reader's machine: one epoch a stage (SMALLER), and jobs work in this process, all but the first.
Commands that need a network or a camera (ONLY_PARSED) and those between the lines are parsed, not run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import run
from core.dataset.synthetic.head import View, portray
from core.dataset.synthetic.looks import Expression, draw_looks
from core.jobs import launch, worker
from core.settings import PROJECT_ROOT
from core.training import presets

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_PARSED = ("weights fetch",)
SMALLER = {"--stage2-epochs 20": "--stage2-epochs 1", "dataset demo": "dataset demo --identities 2 --images 5"}

ADA, OTHERS, TRAINED_ON, STRANGERS = 0, range(1, 4), range(4, 24), range(24, 40)
LOOKS = draw_looks(STRANGERS.stop, 0)


def between_the_lines() -> list[str]:
    text = BLOCK.sub("", README)
    return [" ".join(found.split()) for found in re.findall(r"`edgeface-studio ([^`]+)`", text)]


def parses(words: list[str]) -> bool:
    """Options are parsed before help is shown; an unknown one, or an unknown command, is a mistake."""
    return run([*words, "--help"]) == 0


def draw(path: Path, person: int, picture: int) -> None:
    random = np.random.default_rng([person, picture])
    view = View(*(random.uniform(-limit, limit) for limit in (12, 5, 4)), gain=random.uniform(0.9, 1.1))
    portrait = portray(LOOKS[person], Expression(smile=random.uniform(-0.2, 0.4)), view, noise_seed=picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(portrait.rgb).save(path, quality=95)


def works(line: str, capsys: pytest.CaptureFixture[str]) -> bool:
    """Run a line of a block and see that it ends well; whether there was something to run."""
    for long, short in SMALLER.items():
        line = line.replace(long, short)
    program, *words = shlex.split(line) or [""]
    if program == "make":
        assert re.search(rf"^{words[0]}:", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    elif " ".join(words).startswith(ONLY_PARSED):
        assert parses(words), line
    elif program:
        assert program == "edgeface-studio", line
        code = run(words)
        said = capsys.readouterr()
        assert code == 0, f"{line}\n{said.out}\n{said.err}"
        return True
    return False


@pytest.fixture()
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where a reader stands: photographs, and the project's own weights as if they had been fetched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(PROJECT_ROOT / "data" / "models"))
    for number in (1, 2, 3):
        draw(tmp_path / f"ada{number}.jpg", ADA, number)
    for number, name in enumerate(("photo.jpg", "photos/1.jpg", "a.jpg", "b.jpg"), start=10):
        draw(tmp_path / name, ADA, number)
    for person in OTHERS:
        for number in range(3):
            draw(tmp_path / "people" / f"Person {person}" / f"{number}.jpg", person, number)
    for person in TRAINED_ON:
        for number in range(5):
            draw(tmp_path / "photographs" / f"Person {person}" / f"{number}.jpg", person, number)
    for person in STRANGERS:
        for number in range(4):
            draw(tmp_path / "strangers" / f"Person {person}" / f"{number}.jpg", person, number)
    fetched = tmp_path / "data" / "weights" / "edgeface_xxs.safetensors"
    fetched.parent.mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "data" / "models" / "edgeface-xxs-starter.safetensors", fetched)
    for kind, recipes in presets.PRESETS.items():
        short = {
            name: replace(recipe, stages=tuple(replace(stage, epochs=1) for stage in recipe.stages))
            for name, recipe in recipes.items()
        }
        monkeypatch.setitem(presets.PRESETS, kind, short)
    monkeypatch.setattr("core.training.timing._STEPS", 1)  # the estimate would take longer than the training
    in_a_process, started = launch._start, []

    def start(run: launch.Run, *rest: object) -> None:
        started.append(run)
        if len(started) == 1:
            in_a_process(run, *rest)
        else:
            worker.main([str(run.path)])

    monkeypatch.setattr(launch, "_start", start)
    monkeypatch.setattr(worker, "_listen", lambda: lambda: False)
    monkeypatch.setattr(worker, "resolve_with", lambda resolver: None)  # this process stays who it is
    environment = dict(os.environ)
    assert run(["runs", "settings", "--niceness", "0"]) == 0
    yield
    os.environ.clear()
    os.environ.update(environment)


def test_the_commands_of_the_readme_in_order(reader, capsys) -> None:
    ran = 0
    for language, block in BLOCK.findall(README):
        capsys.readouterr()
        if language == "python":
            exec(compile(block, "README.md", "exec"), {})
            assert capsys.readouterr().out.startswith("match Ada Lovelace")
            continue
        assert not language, f"a block of {language} that isn't run"
        for line in block.splitlines():
            ran += works(line.partition("#")[0].strip(), capsys)
    assert ran > 20


@pytest.mark.parametrize("line", between_the_lines())
def test_commands_between_the_lines_are_parsed(line, capsys) -> None:
    assert parses(shlex.split(line)), capsys.readouterr().err


@pytest.mark.skipif(shutil.which("make") is None, reason="make isn't installed")
def test_the_recipe_of_make_models_is_parsed(capsys) -> None:
    asked = ["make", "-n", "models", "DATASET=faces", "PHOTOGRAPHS=lfw", "PAIRS=pairs.txt", "FOLDS=5-7", "CROPS=crops"]
    told = subprocess.run(asked, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line for line in told.replace("\\\n", " ").splitlines() if line.startswith(".venv/bin/edgeface-studio ")]
    assert len(lines) == 14
    for line in lines:
        assert parses(shlex.split(line)[1:]), line + capsys.readouterr().err
