"""Downloads against a real server on this machine: whole, broken off, resumed, wrong, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import StorageFailed
from core.models.download import fetch
from core.models.encoders import hash_file
from core.models.errors import DownloadFailed
from core.models.variants import Variant
from tests.unit.models.file_server import CONTENT, HALF, Log, Site, blob_id


def test_a_whole_file_arrives_with_progress(get, site: Site, log: Log, tmp_path: Path) -> None:
    path = get()
    assert path == tmp_path / "edgeface_xxs.pt"
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["edgeface_xxs.pt"], "nothing else stays"
    assert site.requests[0]["path"] == "/files/edgeface_xxs.pt"
    assert log.states == ["downloading", "checking", "done"]
    counts = [event.done_bytes for event in log.events if event.state == "downloading"]
    assert counts == sorted(counts) and counts[-1] == len(CONTENT)
    assert {event.total_bytes for event in log.events if event.state == "downloading"} == {len(CONTENT)}


def test_what_is_there_and_right_is_not_downloaded(get, site: Site, log: Log, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt").write_bytes(CONTENT)
    assert get() == tmp_path / "edgeface_xxs.pt"
    assert site.requests == [] and log.states == ["present"]


def test_another_file_of_that_name_is_left_alone(get, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt").write_bytes(b"the user's own")
    assert get() == tmp_path / "edgeface_xxs-2.pt"
    assert (tmp_path / "edgeface_xxs.pt").read_bytes() == b"the user's own"


def test_a_broken_transfer_goes_on_where_it_stopped(get, site: Site, log: Log) -> None:
    site.break_at = [HALF, 8192]
    assert get().read_bytes() == CONTENT
    assert [r.get("range") for r in site.requests] == [None, f"bytes={HALF}-", f"bytes={HALF + 8192}-"]
    assert [r.get("if-range") for r in site.requests] == [None, '"v1"', '"v1"']
    assert log.pauses == [1.0, 2.0], "each pause twice the one before"
    assert "resuming" in log.states


def test_a_later_call_resumes(get, site: Site, tmp_path: Path) -> None:
    site.break_at = [HALF, 0, 0, 0]
    with pytest.raises(DownloadFailed, match=f"{HALF:,} bytes are kept"):
        get()
    assert (tmp_path / "edgeface_xxs.pt.part").stat().st_size == HALF
    assert not (tmp_path / "edgeface_xxs.pt").exists()
    site.requests.clear()
    assert get().read_bytes() == CONTENT
    assert site.requests[0]["range"] == f"bytes={HALF}-"


def test_a_file_that_changed_on_the_server_is_begun_afresh(get, site: Site, log: Log, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(b"x" * HALF)
    (tmp_path / "edgeface_xxs.pt.part.etag").write_text('"v0"')
    assert get().read_bytes() == CONTENT
    assert site.requests[0]["if-range"] == '"v0"' and len(site.requests) == 1
    assert "restarting" in log.states


def test_pieces_of_two_files_are_thrown_away_and_fetched_again(get, site: Site, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(b"x" * HALF)  # no ETag is known for it
    assert get().read_bytes() == CONTENT
    assert [r.get("range") for r in site.requests] == [f"bytes={HALF}-", None]


def test_a_server_that_ignores_ranges_restarts_cleanly(get, site: Site, log: Log) -> None:
    site.ranges = False
    site.break_at = [HALF]
    assert get().read_bytes() == CONTENT
    assert "restarting" in log.states and "resuming" not in log.states


def test_everything_had_come_before(get, site: Site, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(CONTENT)
    assert get().read_bytes() == CONTENT
    assert len(site.requests) == 1, "one question, answered with 416"


def test_a_part_longer_than_the_file_is_thrown_away(get, site: Site, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(CONTENT + b"more")
    assert get().read_bytes() == CONTENT


def test_no_length_no_etag_no_ranges(get, site: Site) -> None:
    site.declare_length, site.etag, site.ranges = False, "", False
    assert get().read_bytes() == CONTENT


def test_a_weak_etag_is_no_guard_for_a_range(get, site: Site) -> None:
    site.etag, site.break_at = 'W/"v1"', [HALF]
    get()
    assert "if-range" not in site.requests[1]


def test_wrong_content_is_refused_and_deleted(get, site: Site, tmp_path: Path) -> None:
    site.content = b"<html>Please sign in</html>"
    with pytest.raises(DownloadFailed) as caught:
        get()
    assert list(tmp_path.iterdir()) == []
    assert blob_id(site.content) in caught.value.what and blob_id(CONTENT) in caught.value.what
    assert len(site.requests) == 1, "the same again would come"


def test_endless_content_is_cut_off(get, site: Site, tmp_path: Path) -> None:
    site.content = bytes(20_000_000)
    with pytest.raises(DownloadFailed, match="more than 17 MB"):
        get()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_came(get, site: Site, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))  # no file may grow beyond it: as on a full disk
    try:
        with pytest.raises(StorageFailed, match=r"edgeface_xxs\.pt couldn't be written"):
            get()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "edgeface_xxs.pt").exists()
    assert get().read_bytes() == CONTENT


def test_a_folder_that_is_a_file(site: Site, variant: Variant, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("")
    with pytest.raises(StorageFailed):
        fetch(variant, tmp_path / "weights", base_url=site.url)


def test_two_downloads_of_one_file_do_not_mix(get, site: Site, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "edgeface_xxs.pt.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DownloadFailed, match="being downloaded already"):
            get()
    assert get().read_bytes() == CONTENT


def test_hashes_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    # `printf 'hello\n' | git hash-object --stdin`, and sha256sum.
    assert hash_file(path).git_blob_id == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert hash_file(path).sha256 == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
