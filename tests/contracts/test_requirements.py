"""requirements.txt names each package once, and in its first block whatever the code imports."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from core.settings import PROJECT_ROOT

OPTIONAL = {"authlib", "playwright", "psycopg", "ray"}
"""Extras of pyproject.toml, and what `bench` measures the pages with where the tests' packages are installed."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> list[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [normal(re.split(r"[=<>\[; ]", line, maxsplit=1)[0]) for line in lines if line and not line.startswith("-")]


def imported() -> set[str]:
    found = set()
    for folder in ("core", "dashboard", "pages"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"core", "dashboard", "pages"}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"])
def test_each_package_is_named_once(name):
    names = pins(PROJECT_ROOT / name)
    assert sorted(names) == sorted(set(names))


def test_what_the_code_imports_is_pinned_as_such(tmp_path):
    whole = (PROJECT_ROOT / "requirements.txt").read_text(encoding="utf-8")
    (tmp_path / "direct.txt").write_text(whole.partition("# Transitive")[0], encoding="utf-8")
    direct = set(pins(tmp_path / "direct.txt")) | set(pins(PROJECT_ROOT / "requirements-bench.txt")) | OPTIONAL
    distributions = packages_distributions()
    missing = {
        module for module in imported() if not {normal(each) for each in distributions.get(module, [module])} & direct
    }
    assert not missing, "imported, but not in the first block of requirements.txt"
