"""What was read is kept while its file is the same, and never longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import StorageFailed
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, create_run, delete_run, list_runs
from core.jobs.stat_cache import StatCache
from core.jobs.state import State, now, stored_state, write_state

LONG_AGO_NS = 1_700_000_000_000_000_000


def settle(path: Path) -> None:
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("a")
    settle(path)
    return path


class Reader:
    def __init__(self, path: Path, most: int = 4096) -> None:
        self.path, self.reads, self.kept = path, 0, StatCache[str](most)

    def __call__(self, path: Path | None = None) -> str:
        wanted = path or self.path

        def read() -> str:
            self.reads += 1
            return wanted.read_text()

        return self.kept.get(wanted, read)


def test_a_file_that_stays_as_it_is_is_read_once(file: Path) -> None:
    look = Reader(file)
    assert [look(), look(), look.reads] == ["a", "a", 1]


def test_a_change_is_seen_at_once_also_within_one_tick_of_the_clock(file: Path) -> None:
    look = Reader(file)
    assert look() == "a"
    for text in "bcd":  # of the same size, and perhaps of the same time
        file.write_text(text)
        assert look() == text


def test_another_file_of_the_same_size_and_time_in_its_place_is_seen(file: Path, tmp_path: Path) -> None:
    look = Reader(file)
    assert look() == "a"
    other = tmp_path / "other"
    other.write_text("b")
    settle(other)
    other.replace(file)
    assert look() == "b"


def test_what_is_gone_is_gone(file: Path) -> None:
    look = Reader(file)
    look()
    file.unlink()
    with pytest.raises(FileNotFoundError):
        look()


def test_the_oldest_readings_go(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    look = Reader(paths[0], most=2)
    for path in paths:
        path.write_text(path.name)
        settle(path)
        look(path)
    assert look(paths[2]) == "c" and look.reads == 3
    assert look(paths[0]) == "a" and look.reads == 4


def test_runs_come_and_go_in_the_list_at_once(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    assert list_runs(root) == [] == list_runs(root, "train")
    first = create_run(root, "train", "first", {})
    assert list_runs(root) == [first] == list_runs(root, "train")
    settle(root / "train")
    settle(root)
    assert list_runs(root) == [first]
    second = create_run(root, "video", "second", {})
    third = create_run(root, "train", "third", {})
    assert set(list_runs(root)) == {first, second, third}
    write_state(first.path, State("done", queued=now(), ended=now()))
    settle(root / "train")
    assert list_runs(root, "train") == [third, first]
    delete_run(first)
    assert list_runs(root, "train") == [third]


def test_a_list_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "runs"
    runs = [create_run(root, "train", f"run {number}", {"n": number}) for number in range(3)]
    for path in (root, root / "train", *(run.path / name for run in runs for name in ("config.json", "state.json"))):
        settle(path)

    def everything() -> list[tuple[Run, State, object]]:
        return [(run, stored_state(run.path), run.config["n"]) for run in list_runs(root)]

    before = everything()
    read: list[Path] = []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or b"{}")
    monkeypatch.setattr(Path, "iterdir", lambda path: read.append(path) or iter(()))
    assert everything() == before and read == []


def test_a_state_that_changed_is_read_again(tmp_path: Path) -> None:
    run = create_run(tmp_path / "runs", "train", "a", {})
    settle(run.path / "state.json")
    assert stored_state(run.path).status == "queued"
    write_state(run.path, State("failed", queued=now(), ended=now()))
    settle(run.path / "state.json")
    assert run.state().status == "failed"
    (run.path / "state.json").write_bytes(b"damaged")
    assert run.state().status == "interrupted"


def test_a_configuration_can_be_changed_by_who_asked_without_harm(tmp_path: Path) -> None:
    run = create_run(tmp_path / "runs", "train", "a", {"seeds": [1]})
    settle(run.path / "config.json")
    run.config["seeds"].append(2)
    assert run.config == {"seeds": [1]}
    (run.path / "config.json").write_bytes(b"damaged")
    with pytest.raises(StorageFailed):
        _ = run.config
    (run.path / "config.json").unlink()
    with pytest.raises(RunNotFound):
        _ = run.config
