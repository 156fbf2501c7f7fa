"""The jobs that make data sets: what they leave, and that a second attempt goes on where the first was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sets import notes_set, tree

from core.dataset import runs
from core.dataset.check_cache import stored_verdict
from core.dataset.errors import BuildRefused, SourceInvalid
from core.dataset.library import datasets_root
from core.dataset.manifest import read_dataset
from core.jobs.context import JobContext
from core.jobs.errors import JobStopped
from core.jobs.run_dir import create_run, runs_root
from core.settings import load_settings


class Job:
    """A run's folder and what its job would be given, without a process."""

    def __init__(self, kind: str, **config: Any) -> None:
        self.run = create_run(runs_root(load_settings()), kind, "test", config)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.stop_after = -1

    def context(self, *, resumed: bool = False) -> JobContext:
        return JobContext(self.run, self.run.config, self._tell, self._should_stop, resumed)

    def _tell(self, kind: str, /, **data: Any) -> None:
        self.events.append((kind, data))

    def _should_stop(self) -> bool:
        return 0 <= self.stop_after <= len(self.events)


@pytest.fixture()
def root() -> Path:
    return datasets_root(load_settings())


def test_a_demo_is_drawn_checked_and_its_verdict_kept(root: Path) -> None:
    job = Job("demo", out=str(root / "demo"), identities=2, images=5)
    report = runs.demo(job.context())
    assert report["made"] == [str(root / "demo")] and "2 people" in report["text"]
    kept = stored_verdict(load_settings(), read_dataset(root / "demo"))
    assert kept is not None and kept.verdict.ok == report["ok"]
    assert {"progress", "verdict"} == {kind for kind, _ in job.events}
    with pytest.raises(BuildRefused):  # another run: what is there isn't its own
        runs.demo(Job("demo", out=str(root / "demo"), identities=2, images=5).context())


def test_a_build_killed_after_it_was_in_place_goes_on_to_its_check(root: Path, tmp_path: Path, monkeypatch) -> None:
    source = notes_set(tmp_path / "in", {"001": 6, "002": 6, "003": 6})
    job = Job("build", source=str(source), out=str(root / "set"), mode="both", shares={"train": 0.6, "val": 0.4})
    monkeypatch.setattr(runs, "_checked", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        runs.build(job.context())
    before = tree(root)
    monkeypatch.undo()
    report = runs.build(job.context(resumed=True))
    assert tree(root) == before and report["ok"] is True
    assert [Path(each).name for each in report["made"]] == ["closed-set", "identity-disjoint"]
    assert "closed-set: 2 people" in report["text"] or "closed-set: 1 people" in report["text"]
    assert all(stored_verdict(load_settings(), read_dataset(Path(each))) for each in report["made"])


def test_a_stop_is_a_stop_and_leaves_nothing_half_made(root: Path, tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 6, "002": 6})
    job = Job("build", source=str(source), out=str(root / "set"))
    job.stop_after = 0
    with pytest.raises(JobStopped):
        runs.build(job.context())
    assert not (root / "set").exists()
    job.stop_after = -1
    assert runs.build(job.context(resumed=True))["ok"]


def test_an_update_adds_what_is_new(root: Path, tmp_path: Path) -> None:
    source = notes_set(tmp_path / "in", {"001": 6, "002": 6})
    runs.build(Job("build", source=str(source), out=str(root / "set")).context())
    notes_set(source, {"003": 6}, first_seed=500)
    report = runs.build(Job("build", source=str(source), out=str(root / "set"), update=True).context())
    assert report["text"].startswith("closed-set: 3 people")


def test_photographs_are_taken_in_and_checked_where_asked(root: Path, people: Path) -> None:
    plain = {"source": str(people), "method": "bicubic", "seed": 0, "sizes": [16]}
    report = runs.ingest(Job("ingest", out=str(root / "a"), **plain).context())
    assert report["made"] == [str(root / "a")] and "ok" not in report and report["rejected"] == 3
    report = runs.ingest(Job("ingest", out=str(root / "b"), check=True, **plain).context())
    assert "ok" in report and stored_verdict(load_settings(), read_dataset(root / "b")) is not None
    assert runs.check(Job("check", root=str(root / "a")).context())["ok"] == report["ok"]


def test_an_empty_source_is_said_to_be_one(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceInvalid):
        runs.build(Job("build", source=str(tmp_path / "empty"), out=str(root / "set")).context())
