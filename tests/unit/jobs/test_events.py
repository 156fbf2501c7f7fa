"""Events and logs: read live by offset, no event lost or seen twice, whatever moment a reader or a kill falls on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StorageFailed
from core.jobs.events import EventLog, read_events, tail_text

DATA = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=20) | st.none(), max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("events")


@given(st.lists(DATA, max_size=6), st.lists(st.integers(0, 600), max_size=8))
@settings(deadline=None, max_examples=50)
def test_a_reader_at_any_moment_sees_each_event_once(folder, items, moments):
    """The file grows byte by byte for a reader: whatever lengths it is seen at, the events are the same."""
    whole, growing = folder / "whole.jsonl", folder / "growing.jsonl"
    whole.unlink(missing_ok=True)
    log = EventLog(whole)
    for item in items:
        log.append("progress", **item)
    log.close()
    content = whole.read_bytes() if items else b""
    seen, offset = [], 0
    for length in [*sorted(min(moment, len(content)) for moment in moments), len(content)]:
        growing.write_bytes(content[:length])
        events, offset = read_events(growing, offset)
        seen += events
    assert [event.data for event in seen] == items
    assert {event.kind for event in seen} <= {"progress"}
    assert offset == len(content)


@given(st.integers(0, 400))
@settings(deadline=None, max_examples=50)
def test_a_line_cut_by_a_kill_costs_no_other_event(folder, length):
    path = folder / "cut.jsonl"
    path.unlink(missing_ok=True)
    log = EventLog(path)
    for number in range(4):
        log.append("progress", number=number)
    log.close()
    content = path.read_bytes()[:length]
    path.write_bytes(content)
    before, offset = read_events(path)
    again = EventLog(path)
    again.append("progress", number="after")
    again.close()
    numbers = [event.data["number"] for event in read_events(path)[0]]
    assert numbers[: len(before)] == list(range(len(before))) and numbers[-1] == "after"
    assert len(numbers) - 1 == sum(content.startswith(line) for line in _prefixes(content))
    assert [event.data["number"] for event in read_events(path, offset)[0]] == numbers[len(before) :]


def _prefixes(content: bytes) -> list[bytes]:
    """Every beginning of `content` that ends with a whole event, its line end there or not."""
    whole = []
    lines = content.splitlines(keepends=True)
    for count, line in enumerate(lines, 1):
        try:
            json.loads(line)
        except ValueError:
            continue
        whole.append(b"".join(lines[:count]))
    return whole


def test_no_file_no_events_and_a_new_file_is_read_from_its_start(tmp_path):
    path = tmp_path / "events.jsonl"
    assert read_events(path) == ([], 0) and read_events(path, 10) == ([], 0)
    assert tail_text(path) == ("", 0)
    log = EventLog(path)
    log.append("one")
    assert [event.kind for event in read_events(path, 10_000)[0]] == ["one"]


def test_lines_that_are_no_events_are_passed_over(tmp_path):
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.append("one", kind="any name will do", at=1, self=2)
    with path.open("ab") as file:
        file.write(b'{"at": 1}\n[]\n\xff\n\n{"at": "x", "kind": "k", "data": {}}\nnull\n')
    log.append("two")
    assert [event.kind for event in read_events(path)[0]] == ["one", "two"]
    assert read_events(path)[0][0].data == {"kind": "any name will do", "at": 1, "self": 2}


def test_threads_write_whole_lines(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")

    def write(worker: int) -> None:
        for number in range(200):
            log.append("progress", worker=worker, number=number)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events, _ = read_events(log.path)
    assert len(events) == 800
    for worker in range(4):
        assert [e.data["number"] for e in events if e.data["worker"] == worker] == list(range(200))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_clear_error(tmp_path):
    with pytest.raises(StorageFailed, match="No space left"):
        EventLog(Path("/dev/full")).append("one")


def test_a_folder_that_is_gone_is_a_clear_error(tmp_path):
    log = EventLog(tmp_path / "gone" / "events.jsonl")
    with pytest.raises(StorageFailed, match="gone"):
        log.append("one")
    (tmp_path / "gone").mkdir()
    log.append("two")
    assert [event.kind for event in read_events(log.path)[0]] == ["two"]


@given(st.text(), st.lists(st.integers(0, 200), max_size=8))
@settings(deadline=None, max_examples=50)
def test_text_read_in_pieces_is_the_text(folder, text, moments):
    path = folder / "output.log"
    content = text.encode("utf-8")
    seen, offset = "", 0
    for length in [*sorted(min(moment, len(content)) for moment in moments), len(content)]:
        path.write_bytes(content[:length])
        more, offset = tail_text(path, offset)
        seen += more
    assert seen == text and offset == len(content)


@given(st.binary(), st.integers(0, 50))
@settings(deadline=None, max_examples=50)
def test_any_bytes_can_be_tailed(folder, content, most):
    path = folder / "binary.log"
    path.write_bytes(content)
    text, offset = tail_text(path, most_bytes=most)
    assert len(text.encode("utf-8")) <= 3 * most and len(content) - 3 <= offset <= len(content)


def test_a_long_log_is_shown_from_the_start_of_a_line(tmp_path):
    path = tmp_path / "output.log"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    assert tail_text(path, most_bytes=20) == ("line 98\nline 99\n", path.stat().st_size)
