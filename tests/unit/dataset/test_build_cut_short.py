"""A build that is killed, interrupted, stopped, or refused by the disk leaves nothing half-made, wherever it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sets import add_pair, notes_set, tree

from core.dataset.build import build
from core.dataset.errors import BuildRefused
from core.dataset.layout import UNFINISHED_NAME
from core.dataset.manifest import read_dataset
from core.dataset.scan import scan
from core.dataset.unfinished import only_update
from core.errors import StorageFailed
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped

Order = Callable[..., dict[str, Any]]
KILLS, FEW_KILLS = 20, 8
NOBODY = 65534


@pytest.fixture(scope="module")
def order() -> Iterator[Order]:
    """Builds in a process of its own that is cut short before its `at`-th file operation."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("fork_server.py"))],
        cwd=Path(__file__).resolve().parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin and server.stdout

    def ask(
        source: Path, out: Path, at: int = 0, how: int = signal.SIGKILL, uid: int | None = None, **options: object
    ) -> dict[str, Any]:
        said = {"source": str(source), "out": str(out), "options": options, "at": at, "signal": int(how), "uid": uid}
        server.stdin.write(json.dumps(said) + "\n")
        server.stdin.flush()
        answer: dict[str, Any] = json.loads(server.stdout.readline())
        return answer

    yield ask
    server.stdin.close()
    server.wait()


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    return notes_set(tmp_path / "in", {f"{n:03}": 5 for n in range(1, 6)})


def moments(operations: int, kills: int) -> list[int]:
    """So many of a build's file operations, early to late, and the last few: those make it visible."""
    late = range(operations - 5, operations + 1)
    early = kills - len(late)
    return [1 + (operations - len(late) - 1) * kill // early for kill in range(early)] + list(late)


def sides(root: Path) -> dict[str, str]:
    frame = read_dataset(root).frame
    return dict(zip(frame["path"], frame["split"], strict=True))


@pytest.mark.parametrize(("mode", "link", "kills"), [("closed-set", "hard", KILLS), ("both", "copy", FEW_KILLS)])
def test_killed_many_times_a_build_comes_to_the_same_files(
    order: Order, source: Path, tmp_path: Path, mode: str, link: str, kills: int
) -> None:
    undisturbed = tmp_path / "a" / "out"
    done = order(source, undisturbed, mode=mode, link=link)
    before, whole = tree(source), tree(undisturbed)
    out = tmp_path / "b" / "out"
    killed = 0
    for at in moments(done["operations"], kills):
        answer = order(source, out, at, mode=mode, link=link)
        killed += answer["how"] == "killed"
        assert not out.exists(), f"killed before operation {at} of {done['operations']} it shows something"
    assert killed == kills
    assert order(source, out, mode=mode, link=link)["how"] == "done"
    assert tree(out) == whole and tree(source) == before
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize(("mode", "link", "kills"), [("closed-set", "copy", FEW_KILLS), ("both", "hard", KILLS)])
def test_killed_many_times_an_update_keeps_what_was_there_and_comes_to_the_same_files(
    order: Order, source: Path, tmp_path: Path, mode: str, link: str, kills: int
) -> None:
    """Every kill begins from what the one before left behind."""
    roots = {name: tmp_path / name / "out" for name in ("undisturbed", "killed")}
    for out in roots.values():
        build(scan(source), out, mode=mode, link=link, seed=1)
    earlier = {part: sides(part) for part in parts(roots["killed"], mode)}
    files = tree(roots["killed"])
    for number in range(6):
        add_pair(source, "train", f"{1 + number % 5:03}_01_01_051_9{number}", 500 + number)
    done = order(source, roots["undisturbed"], mode=mode, link=link, seed=1, update=True)
    assert done["how"] == "done"
    expected = table_and_files(roots["undisturbed"], mode)
    killed = 0
    for at in moments(done["operations"], kills):
        killed += order(source, roots["killed"], at, mode=mode, link=link, seed=1, update=True)["how"] == "killed"
        for part, before in earlier.items():
            after = sides(part)
            assert before.items() <= after.items(), f"killed before operation {at} an image moved"
            for path in after:
                assert (part / path).is_file(), f"killed before operation {at} the table names what isn't there"
        now = tree(roots["killed"])
        assert all(now[path] == content for path, content in files.items() if path.endswith(".png"))
    assert killed >= kills // 2
    assert order(source, roots["killed"], mode=mode, link=link, seed=1, update=True)["how"] == "done"
    assert table_and_files(roots["killed"], mode) == expected


def parts(out: Path, mode: str) -> list[Path]:
    return [out / "closed-set", out / "identity-disjoint"] if mode == "both" else [out]


def table_and_files(out: Path, mode: str) -> object:
    """Every file, hidden ones too, and every row; a table that was finished in two goes may have another order."""
    images = {path: content for path, content in tree(out).items() if path.endswith(".png")}
    rest = sorted(path for path in tree(out) if path not in images)
    columns = ["path", "identity", "split", "kind", "pair", "sha256"]
    return images, rest, [sorted(read_dataset(p).frame[columns].itertuples(index=False)) for p in parts(out, mode)]


@pytest.mark.parametrize("update", [False, True])
def test_ctrl_c_at_any_moment_leaves_what_was_there(order: Order, source: Path, tmp_path: Path, update: bool) -> None:
    out = tmp_path / "b" / "out"
    out.parent.mkdir()
    if update:
        build(scan(source), out, seed=1)
        add_pair(source, "train", "002_01_01_051_77", 700)
        before = tree(out)
    done = order(source, tmp_path / "a", seed=1) if not update else None
    for at in moments(done["operations"], FEW_KILLS)[:-1] if done else range(1, 6):
        assert order(source, out, at, signal.SIGINT, seed=1, update=update)["how"] == "KeyboardInterrupt"
        assert (tree(out) == before) if update else not list(out.parent.iterdir())


def test_without_permission_it_says_so(order: Order, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("open")
    for folder in (root, *(above for above in root.parents if above.name.startswith("pytest-"))):
        folder.chmod(0o755)
    source = notes_set(root / "in", {"001": 5})
    (root / "locked").mkdir(mode=0o555)
    uid = NOBODY if os.geteuid() == 0 else None
    assert order(source, root / "locked" / "out", uid=uid)["how"] == "StorageFailed"
    (root / "locked").chmod(0o000)
    assert order(root / "locked" / "in", root / "x", uid=uid)["how"] == "StorageFailed"
    (root / "locked").chmod(0o755)
    build(scan(source), root / "out")
    add_pair(source, "train", "001_01_01_051_77", 700)
    before = tree(root / "out")
    for folder in (root / "out", *(path for path in (root / "out").rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    assert order(source, root / "out", uid=uid, update=True)["how"] == "StorageFailed"
    assert tree(root / "out") == before and not list((root / "locked").iterdir())


def test_two_updates_at_once_are_refused(source: Path, tmp_path: Path) -> None:
    build(scan(source), tmp_path / "out")
    with only_update(tmp_path / "out"), pytest.raises(BuildRefused, match="is running"):
        build(scan(source), tmp_path / "out", update=True)


def test_a_record_that_names_other_peoples_files_harms_none(source: Path, tmp_path: Path) -> None:
    build(scan(source), tmp_path / "out")
    mine = tmp_path / "mine.txt"
    mine.write_text("keep")
    first = read_dataset(tmp_path / "out").frame["path"].iloc[0]
    for said in ({"files": ["../mine.txt", str(mine), first, 3]}, {"files": 3}, [], "half a li"):
        text = said if isinstance(said, str) else json.dumps(said)
        (tmp_path / "out" / UNFINISHED_NAME).write_text(text)
        build(scan(source), tmp_path / "out", update=True)
        assert mine.exists() and (tmp_path / "out" / first).exists()
        assert not (tmp_path / "out" / UNFINISHED_NAME).exists()


def gone_or_same(source: Path, out: Path, error: type[BaseException], says: str, **options: Any) -> None:
    before = tree(source)
    with pytest.raises(error, match=says):
        build(scan(source), out, **options)
    assert tree(source) == before
    assert not out.exists() and not list(out.parent.glob(f".{out.name}*"))


def test_stopping_leaves_nothing(source: Path, tmp_path: Path) -> None:
    calls = iter([False, True])
    gone_or_same(source, tmp_path / "out", JobStopped, "Stopped", hooks=Hooks(should_stop=lambda: next(calls, True)))


def test_a_disk_that_refuses_is_said(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    gone_or_same(source, tmp_path / "out", StorageFailed, "No space left", link="copy")
