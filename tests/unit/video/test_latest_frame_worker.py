"""The newest frame wins: no queue, no growing delay, a clean end."""

import threading

from core.video.latest_frame_worker import LatestFrameWorker


def test_the_latest_result_is_that_of_the_newest_frame():
    with LatestFrameWorker(lambda frame: frame * 10, "test") as newest:
        assert newest.latest() is None
        assert newest.submit(4)
        assert newest.wait(0, 10)
        assert newest.latest() == 40


def test_frames_that_come_while_one_is_worked_on_are_overtaken_by_the_last():
    begun, go = threading.Event(), threading.Event()
    seen = []

    def slow(frame):
        seen.append(frame)
        begun.set()
        go.wait(10)
        return frame

    with LatestFrameWorker(slow, "test") as newest:
        newest.submit(0)
        assert begun.wait(10)
        for frame in range(1, 6):
            newest.submit(frame)
        go.set()
        assert newest.wait(1, 10)
        stats = newest.stats

    assert seen == [0, 5]
    assert newest.latest() == 5
    assert (stats.submitted, stats.worked, stats.skipped, stats.failed) == (6, 2, 4, 0)
    assert stats.latency_ms >= stats.work_ms >= 0


def test_work_that_raises_is_told_and_the_next_frame_is_worked_on():
    def picky(frame):
        if frame < 0:
            raise ValueError("negative")
        return frame

    with LatestFrameWorker(picky, "test") as newest:
        newest.submit(3)
        assert newest.wait(0, 10)
        newest.submit(-1)
        assert newest.wait(1, 10)
        assert isinstance(newest.error, ValueError)
        assert newest.latest() == 3
        newest.submit(7)
        assert newest.wait(2, 10)
        assert newest.error is None
        assert newest.latest() == 7
        assert newest.stats.failed == 1


def test_closing_ends_the_thread_and_refuses_frames():
    before = set(threading.enumerate())
    newest = LatestFrameWorker(lambda frame: frame, "test")
    assert len(set(threading.enumerate()) - before) == 1
    newest.close()
    newest.close()

    assert not set(threading.enumerate()) - before
    assert not newest.submit(1)
    assert not newest.wait(0, 0)
    assert newest.latest() is None


def test_the_work_may_close_it():
    box = []

    def last(frame):
        box[0].close()
        return frame

    newest = LatestFrameWorker(last, "test")
    box.append(newest)
    newest.submit(1)
    newest._thread.join(10)

    assert not newest._thread.is_alive()
