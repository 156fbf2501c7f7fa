"""Fixtures that every level of test shares."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.access.actor import owner, resolve_with
from tests.older_files import unpack

# Tests run side by side, one a core: more threads in each would only wait for one another. Set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_LOGGERS = ("core", "dashboard")

SHARED_VARIABLE = "EDGEFACE_SHARED"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out slow simulations unless they are asked for: `pytest -m slow`. They have an hour each."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    for item in slow:
        item.add_marker(pytest.mark.timeout(3600))
    if "slow" in config.getoption("markexpr"):
        return
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_configure() -> None:
    """Fixtures of more than one test act as the owner too."""
    resolve_with(owner)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with real photographs and official weights; tests that need it skip where it is missing."""
    value = os.environ.get(SHARED_VARIABLE)
    if not value:
        pytest.skip(f"{SHARED_VARIABLE} isn't set: no real photographs or official weights here")
    path = Path(value)
    if not (path / "data" / "lfw" / "pairs.txt").is_file():
        pytest.skip(f"{SHARED_VARIABLE} has no data/lfw/pairs.txt")
    return path


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Handlers and levels of the project's loggers as they were: commands and the dashboard's entry configure them."""
    before = [(logger, list(logger.handlers), logger.level) for logger in map(logging.getLogger, _LOGGERS)]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test gets a data folder of its own: none touches the user's gallery, weights or choices.

    The weights that the project ships are out of sight too, but for the landmark network: a test that wants some puts
    them into `models_dir`.
    """
    path = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(path))
    monkeypatch.setenv("EDGEFACE_MODELS_DIR", str(path / "models"))
    monkeypatch.delenv("EDGEFACE_GALLERY", raising=False)
    monkeypatch.setenv("EDGEFACE_ENGINE", "eager")  # choosing one takes a second, and each test would again
    return path


@pytest.fixture(autouse=True)
def who_acts() -> Iterator[None]:
    """Every test acts as the owner, whatever asks for somebody else since the dashboard was imported."""
    earlier = resolve_with(owner)
    yield
    resolve_with(earlier)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """A command that a test runs in its own process makes that process private: the next test begins as usual."""
    earlier = os.umask(0o022)
    yield
    os.umask(earlier)


@pytest.fixture
def models_dir(own_data_dir: Path) -> Path:
    """Where the weights that the project ships lie in a test: empty at first."""
    path = own_data_dir / "models"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("files"))


@pytest.fixture
def older(unpacked: Path, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the older data folder, which is the one in use."""
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(unpacked / "data"))
    return unpacked
