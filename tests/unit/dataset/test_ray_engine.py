"""An ingest by workers on Ray: the same bytes as by threads, through ended workers, stops and kills; localhost only."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from core.access.actor import Actor, acting_as
from core.access.errors import NotAllowed
from core.access.roles import Role
from core.dataset import engine as engines
from core.dataset.engine import Engine
from core.dataset.ingest import ingest
from core.dataset.journal import JOURNAL_NAME, work_folder
from core.dataset.photograph import Photograph, Recipe, Rejected
from core.errors import SettingsInvalid
from core.images import sha256_of
from core.jobs.context import NO_HOOKS, Hooks
from core.jobs.errors import JobStopped
from core.jobs.ray_pool import RayFailed, ray_pool
from tests.as_owner import AS_OWNER

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray isn't installed")

ROOT = Path(__file__).resolve().parents[3]
GIVEN = {"method": "camera", "seed": 5}


def _tree(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): sha256_of(p.read_bytes()) for p in sorted(root.rglob("*")) if p.is_file()}


def _children(name: str) -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if name in " ".join(child.cmdline())]


def _lines(out: Path) -> int:
    journal = work_folder(out) / JOURNAL_NAME
    return journal.read_bytes().count(b"\n") if journal.is_file() else 0


def _ray_folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("edgeface-ray-*"))


def _after(wanted: int, out: Path, act: Callable[[], bool | None]) -> Hooks:
    """Hooks that act once, when so many photographs are recorded; they stop the ingest if `act` returns True."""
    acted: list[bool | None] = []

    def should_stop() -> bool:
        if not acted and threading.current_thread() is threading.main_thread() and _lines(out) >= wanted:
            acted.append(act())
        return bool(acted and acted[0])

    return Hooks(should_stop=should_stop)


@pytest.fixture(scope="module")
def many(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three people with every photograph four times, so that a run lasts."""
    root = tmp_path_factory.mktemp("many")
    for path in people.rglob("*.*"):
        for copy in range(4):
            target = root / path.parent.name / f"{path.stem} {copy}{path.suffix}"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    return root


@pytest.fixture(scope="module")
def by_threads(many: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("by threads") / "set"
    ingest(many, out, **GIVEN)
    return _tree(out)


@pytest.fixture
def short() -> Iterator[Path]:
    """An empty folder with a short path: those of sockets have at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="ef") as folder:
        yield Path(folder)


def test_the_same_bytes_by_two_workers_that_nobody_else_reaches(
    many: Path, by_threads: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    before, heard, workers, modes = signal.getsignal(signal.SIGTERM), set(), [], []

    def look() -> None:
        modes.extend(stat.S_IMODE(folder.stat().st_mode) for folder in _ray_folders())
        for child in psutil.Process().children(recursive=True):
            listening = [each for each in child.net_connections() if each.status == psutil.CONN_LISTEN]
            heard.update(each.laddr.ip.removeprefix("::ffff:") for each in listening)
        workers.extend(_children("ray::_Taker"))

    ingest(many, tmp_path / "set", engine="ray", workers=2, hooks=_after(5, tmp_path / "set", look), **GIVEN)
    assert _tree(tmp_path / "set") == by_threads
    assert len(workers) == 2 and modes == [0o700] and not _ray_folders()
    assert heard and all(ipaddress.ip_address(each).is_loopback for each in heard)
    assert signal.getsignal(signal.SIGTERM) is before and "RAY_AUTH_TOKEN" not in os.environ
    assert not (tmp_path / "home").exists()  # no token and no telemetry in a file
    assert not _children("ray")


def test_workers_that_end_are_replaced_and_no_byte_changes(
    many: Path, by_threads: dict[str, str], tmp_path: Path
) -> None:
    ended = []

    def kill() -> None:
        [first, *_] = ended[:] = _children("ray::_Taker")
        first.kill()

    ingest(
        many, tmp_path / "set", engine="ray", workers=2, hooks=_after(10, tmp_path / "set", kill), shard_mb=1, **GIVEN
    )
    assert len(ended) == 2
    ingest(many, tmp_path / "threads" / "set", shard_mb=1, **GIVEN)
    assert _tree(tmp_path / "set") == _tree(tmp_path / "threads" / "set")


def test_stopped_on_ray_it_goes_on_in_threads_and_the_other_way(
    many: Path, by_threads: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "set"
    for engine, wanted in (("ray", 10), ("threads", 30)):
        with pytest.raises(JobStopped):
            ingest(many, out, engine=engine, workers=2, hooks=_after(wanted, out, lambda: True), **GIVEN)
        assert not _children("ray")
    done = ingest(many, tmp_path / "set", engine="ray", workers=2, **GIVEN)
    assert 30 <= done.reused < 60
    assert _tree(tmp_path / "set") == by_threads


def test_killed_it_leaves_no_process_and_goes_on(many: Path, by_threads: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "set"
    code = (
        "import sys; from pathlib import Path; from core.dataset.ingest import ingest; "
        "ingest(Path(sys.argv[1]), Path(sys.argv[2]), method='camera', seed=5, workers=2, engine='ray')"
    )
    process = subprocess.Popen([sys.executable, "-c", AS_OWNER + code, str(many), str(out)], cwd=ROOT)
    while process.poll() is None and _lines(out) < 5:
        time.sleep(0.01)
    started = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert started
    _, alive = psutil.wait_procs(started, timeout=30)
    assert {each.name() for each in alive} <= {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}  # they look up rarely
    assert ingest(many, out, **GIVEN).reused >= 5
    assert _tree(out) == by_threads


def test_what_a_worker_cant_read_is_read_here_and_a_missing_folder_is_said(people: Path) -> None:
    there = Rejected("unreadable", "There is no such file.")
    whole, broken = people / "Person 0" / "0000.jpg", people / "Person 0" / "broken.jpg"
    with Engine().opened(Recipe(), NO_HOOKS) as (here, _):
        mine = engines._confirmed(Photograph(broken, "a", "a.png", "a"), there, here)
        assert isinstance(mine, Rejected) and mine.code == "unreadable" and mine != there
        with pytest.raises(RayFailed, match=f"couldn't read {whole}, which can be read here"):
            engines._confirmed(Photograph(whole, "a", "a.png", "a"), there, here)


def test_a_worker_of_another_version_refuses(people: Path) -> None:
    photograph = Photograph(people / "Person 0" / "broken.jpg", "a", "a.png", "a")
    taker = engines._Taker(Recipe(), ["format 5", "OpenCV 4", "models x"])
    with pytest.raises(RayFailed, match=r"would give other images: format \d+, expected format 5"):
        taker.work(photograph)


def test_what_ends_every_worker_is_named_and_the_pool_goes_on() -> None:
    class Ending:  # known here alone: Ray sends it as it is
        def work(self, item: str) -> str:
            if item == "bad":
                os._exit(1)
            return item if item != "fault" else str(1 / 0)

    class Broken:
        def __init__(self) -> None:
            raise OSError("no network")

        def work(self, item: str) -> str:
            return item

    with ray_pool(Ending, (), str, NO_HOOKS, workers=1) as pool:
        assert pool("good") == "good"
        with pytest.raises(RayFailed, match="3 workers ended unexpectedly while they worked on bad"):
            pool("bad")
        assert pool("good") == "good"
        with pytest.raises(RayFailed, match=r"Ray gave up \(.*ZeroDivision"):
            pool("fault")
    with (
        ray_pool(Broken, (), str, NO_HOOKS, workers=1) as pool,
        pytest.raises(RayFailed, match="No worker could be started"),
    ):
        pool("good")


def test_only_an_admin_names_a_cluster_and_an_unreachable_one_is_said(people: Path, tmp_path: Path) -> None:
    given = {"engine": "ray", "address": "127.0.0.1:1"}
    with acting_as(Actor("olga", Role.OPERATOR)), pytest.raises(NotAllowed):
        ingest(people, tmp_path / "set", **given)
    with pytest.raises(RayFailed, match=r"cluster at 127\.0\.0\.1:1 couldn't be reached"):
        ingest(people, tmp_path / "set", **given)
    with pytest.raises(RayFailed, match="isn't a cluster's HOST:PORT"):
        ingest(people, tmp_path / "set", engine="ray", address="ray://127.0.0.1:10001")
    with pytest.raises(SettingsInvalid, match="address belongs to the engine ray"):
        ingest(people, tmp_path / "set", address="127.0.0.1:1")


def test_without_ray_it_says_what_to_install(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RayFailed, match=r"edgeface-studio\[ray\]"):
        ingest(people, tmp_path / "set", engine="ray")
    assert isinstance(ingest(people, tmp_path / "set").accepted, int)
