"""Ingest: a data set from photographs, the same bytes after any interruption, nothing half-made, rejects listed."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sets import tree

from core.dataset.errors import BuildRefused, SourceInvalid
from core.dataset.ingest import ingest
from core.dataset.journal import JOURNAL_NAME, only_one, work_folder
from core.dataset.manifest import read_dataset
from core.dataset.rejects import read_rejects, thumbnail
from core.errors import StorageFailed
from core.images import read_image, sha256_of
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped
from tests.as_owner import AS_OWNER

ROOT = Path(__file__).resolve().parents[3]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _stopped_after(calls: int, people: Path, out: Path) -> None:
    asked = iter(range(1000))
    hooks = Hooks(should_stop=lambda: next(asked) >= calls)
    with pytest.raises(JobStopped):
        ingest(people, out, method="camera", seed=5, workers=1, hooks=hooks)


def test_photographs_become_a_data_set_and_rejects_are_listed(people: Path, in_files: Path) -> None:
    dataset = read_dataset(in_files)
    assert dataset.info.made_by == "ingest" and not dataset.info.synthetic and dataset.info.seed == 5
    assert dataset.info.counts["hr"] == 12 and dataset.info.counts["vlr"] == 36 and dataset.info.counts["pairs"] == 12
    for row in dataset.frame.itertuples():
        content = dataset.file(row.path).read_bytes()
        assert sha256_of(content) == row.sha256
        assert read_image(content).shape == (row.size_px, row.size_px, 3)
    rejects = read_rejects(in_files).set_index("source")["code"].to_dict()
    assert rejects == {
        "Person 0/broken.jpg": "unreadable",
        "Person 1/nobody.png": "no_face",
        "Person 2/dark.png": "too_dark",
    }
    assert _names(in_files.parent) == ["set"]


def test_rejects_can_be_looked_at(in_files: Path) -> None:
    seen = {row.source: thumbnail(row.file) for row in read_rejects(in_files).itertuples()}
    assert seen["Person 0/broken.jpg"] is None
    assert max(seen["Person 2/dark.png"].shape) <= 160


def test_more_workers_and_a_second_run_change_no_byte(people: Path, in_files: Path, tmp_path: Path) -> None:
    first = ingest(people, tmp_path / "set", method="camera", seed=5, workers=4)
    assert tree(tmp_path / "set") == tree(in_files)
    again = ingest(people, tmp_path / "set", method="camera", seed=5)
    assert (again.accepted, again.rejected, again.reused) == (first.accepted, first.rejected, 15)
    assert again.reasons == {"unreadable": 1, "no_face": 1, "too_dark": 1}


def test_stopped_it_shows_nothing_and_goes_on_where_it_was(people: Path, in_files: Path, tmp_path: Path) -> None:
    _stopped_after(11, people, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    done = ingest(people, tmp_path / "set", method="camera", seed=5)
    assert 0 < done.reused < 15
    assert tree(tmp_path / "set") == tree(in_files)
    assert _names(tmp_path) == ["set"]


@pytest.mark.parametrize(("shard_mb", "kills"), [(None, (1, 4, 8)), (1, (2, 7))], ids=["files", "shards"])
def test_killed_again_and_again_it_comes_to_the_same_bytes(
    people: Path, tmp_path: Path, request: pytest.FixtureRequest, shard_mb: int | None, kills: tuple[int, ...]
) -> None:
    """Killed as soon as the journal has so many lines, and a last time in the middle of a line."""
    out = tmp_path / "set"
    code = (
        "import sys; from pathlib import Path; from core.dataset.ingest import ingest; "
        f"ingest(Path(sys.argv[1]), Path(sys.argv[2]), method='camera', seed=5, shard_mb={shard_mb}, workers=2)"
    )
    journal = work_folder(out) / JOURNAL_NAME
    for lines in kills:
        process = subprocess.Popen([sys.executable, "-c", AS_OWNER + code, str(people), str(out)], cwd=ROOT)
        while process.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") >= lines):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with journal.open("ab") as file:
        file.write(b'{"i": 14, "rows": [')
    ingest(people, out, method="camera", seed=5, shard_mb=shard_mb)
    whole = request.getfixturevalue("in_files" if shard_mb is None else "in_shards")
    assert tree(out) == tree(whole)
    assert _names(tmp_path) == ["set"]


def test_images_that_a_power_cut_took_are_made_again(people: Path, in_files: Path, tmp_path: Path) -> None:
    _stopped_after(12, people, tmp_path / "set")
    images = sorted((work_folder(tmp_path / "set") / "root").rglob("*.png"))
    images[0].write_bytes(b"")
    images[1].unlink()
    ingest(people, tmp_path / "set", method="camera", seed=5)
    assert tree(tmp_path / "set") == tree(in_files)


def test_other_settings_start_afresh(people: Path, tmp_path: Path) -> None:
    calls = iter(range(1000))
    with pytest.raises(JobStopped):
        ingest(people, tmp_path / "set", sizes=(16,), workers=1, hooks=Hooks(should_stop=lambda: next(calls) >= 12))
    assert ingest(people, tmp_path / "set", sizes=(24,)).reused == 0
    assert {p.name for p in (tmp_path / "set" / "all").iterdir()} == {"hr_images", "vlr_images"}


def test_a_folder_that_holds_something_else_is_left_alone(people: Path, in_files: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BuildRefused):
        ingest(people, tmp_path)
    assert _names(tmp_path) == ["mine.txt"]
    with pytest.raises(BuildRefused, match="exists already"):
        ingest(people, in_files, seed=6)
    with pytest.raises(BuildRefused, match="own folder"):
        ingest(people, people / "out")


def test_two_at_once_into_one_folder_are_refused(people: Path, tmp_path: Path) -> None:
    with only_one(tmp_path / "set"), pytest.raises(BuildRefused, match="is running"):
        ingest(people, tmp_path / "set")


def test_what_can_not_be_ingested_is_said(in_files: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceInvalid):
        ingest(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(SourceInvalid, match="pairs already"):
        ingest(in_files, tmp_path / "out")
    (tmp_path / "empty" / "set").write_text("mine")
    with pytest.raises(BuildRefused):
        ingest(in_files.parent, tmp_path / "empty" / "set", aligned=True)
    assert _names(tmp_path / "empty") == ["set"]
    assert _names(tmp_path) == ["empty"]


def test_a_disk_that_takes_no_more_is_said_and_the_work_goes_on_later(
    people: Path, in_files: Path, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))  # an HR image is larger: its write fails as on a full disk
    try:
        with pytest.raises(StorageFailed, match="couldn't be written"):
            ingest(people, tmp_path / "set", method="camera", seed=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "set").exists()
    ingest(people, tmp_path / "set", method="camera", seed=5)
    assert tree(tmp_path / "set") == tree(in_files)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_permission_it_says_so(people: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StorageFailed):
        ingest(people, tmp_path / "locked" / "set")


def test_progress_counts_up_to_the_whole(people: Path, tmp_path: Path) -> None:
    told: list[dict] = []
    ingest(people, tmp_path / "set", hooks=Hooks(lambda kind, **data: told.append({"kind": kind, **data})))
    done = [event["done"] for event in told if event["kind"] == "progress"]
    assert done == sorted(done) and done[0] == 0 and done[-1] == 15
    assert told[-1]["total"] == 15 and told[-1]["rejected"] == 3 and told[-1]["left_s"] == 0


def test_the_job_gives_its_report_and_a_stop_is_a_stop(people: Path, tmp_path: Path) -> None:
    from core.dataset.runs import ingest as run
    from core.jobs.context import JobContext
    from core.jobs.run_dir import create_run

    config = {
        "source": str(people),
        "out": str(tmp_path / "set"),
        "sizes": [16, 32],
        "limits": {"severe_dark": 0.0, "advised_dark": 0.0},
    }
    a_run = create_run(tmp_path / "runs", "ingest", "people", config)
    nothing = lambda kind, /, **data: None  # noqa: E731
    with pytest.raises(JobStopped):
        run(JobContext(a_run, a_run.config, nothing, lambda: True, False))
    report = run(JobContext(a_run, a_run.config, nothing, lambda: False, True))
    assert report["photographs"] == 15 and report["rejected"] >= 2
    assert np.isfinite(report["seconds"])
