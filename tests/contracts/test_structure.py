"""The rules of direction: what may import what, and what the pages and the README promise."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE_IMPORTS = {"streamlit", "dashboard", "core", "pandas", "plotly"} | set(sys.stdlib_module_names)


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("page", sorted((ROOT / "pages").glob("*.py")), ids=lambda p: p.stem)
def test_pages_stay_thin_and_import_only_the_shell_and_core(page: Path) -> None:
    assert _imported(page) <= PAGE_IMPORTS
    assert len(page.read_text(encoding="utf-8").splitlines()) < 150


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_what_must_open_fast_imports_no_torch() -> None:
    modules = (
        "core.settings",
        "core.gallery",
        "core.faces.detect",
        "core.diagnostics.doctor",
        "core.jobs.launch",
        "core.jobs.worker",
        "core.cli",
    )
    each = "; ".join(f"import {module}; heavy('{module}')" for module in modules)
    code = f"import sys\ndef heavy(name):\n    print(name, *{{'torch', 'streamlit'}} & set(sys.modules))\n{each}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(modules)


def test_nothing_unpickles_and_every_torch_load_is_weights_only() -> None:
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("dashboard/**/*.py"), *ROOT.glob("pages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            call = ast.unparse(node.func)
            assert call not in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.jit.load", "joblib.load"), (
                path
            )
            if call == "torch.load":
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert options.get("weights_only") == "True", path
            if call == "np.load":
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert options.get("allow_pickle") == "False", path


def test_every_csv_is_written_in_one_place() -> None:
    """But for a data set's manifest, whose hash is the data set's key."""
    writers = {"csv.writer", "csv.DictWriter"}
    for path in [*ROOT.glob("core/**/*.py"), *ROOT.glob("dashboard/**/*.py"), *ROOT.glob("pages/*.py")]:
        if path.relative_to(ROOT).as_posix() in ("core/csv_export.py", "core/dataset/manifest.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                call = ast.unparse(node.func)
                assert call not in writers and not call.endswith(".to_csv"), f"{path}: {call}"


def _readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^edgeface-studio .+$", text, re.MULTILINE) + re.findall(r"`(edgeface-studio [^`]+)`", text)


@pytest.mark.parametrize("line", _readme_commands())
def test_every_command_in_the_readme_exists_with_its_options(line: str) -> None:
    from core.cli import run

    assert run([*shlex.split(line)[1:], "--help"]) == 0


def test_the_readmes_files_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / target).exists(), target


def test_every_download_asks_for_the_role_and_is_in_the_trail() -> None:
    offering = [path.name for path in (ROOT / "dashboard").rglob("*.py") if "download_button(" in path.read_text()]
    assert offering == ["downloads.py"], "dashboard.shell.downloads.offer_download offers downloads"


def test_joined_sql_is_marked_where_it_stands() -> None:
    """bandit looks at every statement that isn't one constant; none is left out for all files."""
    assert "B608" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
