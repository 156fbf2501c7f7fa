"""Reader of cameras and streams that returns the newest frame, on its own thread, and reconnects after a dropout.

with LiveSource(source, on_event) as live:
    for frame in live.frames(should_stop): ...
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType

from core.errors import CoreError
from core.video.sources import Frame, Source, SourceUnusable, decode, open_container

Report = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """Delays of reconnection: after `first_s`, then twice as long each time up to `most_s`; given up
    when no picture has come for `give_up_s`."""

    first_s: float = 1.0
    most_s: float = 30.0
    give_up_s: float = 600.0


class LiveSource:
    """A camera or stream, read until it is closed. The first connection is made at once; its errors are raised."""

    def __init__(
        self,
        source: Source,
        report: Report,
        *,
        patience: Patience | None = None,
        options: dict[str, str] | None = None,
    ) -> None:
        self.source = source
        self._report = report
        self._patience = patience or Patience()
        self._options = options
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._over: CoreError | None = None
        self._ending = threading.Event()
        self._began = time.monotonic()
        self._last_at = 0.0
        self._container = open_container(source, options)
        self._thread = threading.Thread(target=self._read, name="live-source", daemon=True)
        self._thread.start()

    def frames(self, should_stop: Callable[[], bool]) -> Iterator[Frame]:
        """The newest frame each time one is asked for, none twice, until `should_stop`. `at` is the time by this
        machine's clock. Raises SourceUnusable or NotAllowed when the source stays away."""
        while not should_stop() and not self._ending.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._over is not None, 0.2)
                frame, self._newest = self._newest, None
                over = self._over
            if frame is not None:
                yield frame
            elif over is not None:
                raise over

    def close(self) -> None:
        """Stop reading. May be called twice."""
        self._ending.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(15)

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        seen_at, wait_s = time.monotonic(), self._patience.first_s
        while True:
            error = self._read_on()
            if self._ending.is_set():
                return
            if self._last_at > seen_at:  # frames came since: the waiting times start again
                seen_at, wait_s = self._last_at, self._patience.first_s
            if not self._connect(error, seen_at, wait_s):
                return
            wait_s = min(2 * wait_s, self._patience.most_s)

    def _read_on(self) -> SourceUnusable:
        """Pass frames on until the source ends or fails; returns the reason."""
        try:
            for frame in decode(self._container, self.source):
                if self._ending.is_set():
                    break
                self._last_at = time.monotonic()
                with self._changed:
                    self._newest = Frame(frame.rgb, self._last_at - self._began)
                    self._changed.notify_all()
        except SourceUnusable as error:
            return error
        finally:
            self._container.close()
        return SourceUnusable(f"{self.source.shown} has ended.", "Check that the camera still sends.")

    def _connect(self, error: SourceUnusable, seen_at: float, wait_s: float) -> bool:
        """Reconnect until the source answers; False when reading is to end."""
        self._report(f"{error.what} Connecting again.")
        while not self._ending.wait(wait_s):
            try:
                self._container = open_container(self.source, self._options)
            except CoreError as again:
                wait_s = min(2 * wait_s, self._patience.most_s)
                if time.monotonic() - seen_at <= self._patience.give_up_s:
                    continue
                with self._changed:
                    self._over = again
                    self._changed.notify_all()
                return False
            self._report(f"{self.source.shown} is there again.")
            return True
        return False
