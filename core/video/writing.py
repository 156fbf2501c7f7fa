"""Write frames as a video file: to a temporary file first, so that an interrupted run leaves no partial file."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid, StorageFailed

if TYPE_CHECKING:
    from av import VideoStream

_CODECS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", "yuv420p", {"preset": "veryfast", "crf": "23"}),
    ".mkv": ("matroska", "libx264", "yuv420p", {"preset": "veryfast", "crf": "23"}),
    ".mjpeg": ("mjpeg", "mjpeg", "yuvj420p", {"qmin": "2", "qmax": "3"}),
    ".y4m": ("yuv4mpegpipe", "wrapped_avframe", "yuv420p", {}),
}
"""Container, codec, pixel format and options, by the file's ending."""

_TICKS = 1000


class VideoWriter:
    """Frames of one size, each with its time. Closed by an error, it leaves no file."""

    def __init__(self, path: Path, size_wh: tuple[int, int], rate: Fraction) -> None:
        import av

        suffix = path.suffix.lower()
        if suffix not in _CODECS:
            raise SettingsInvalid(f"Video can't be written as '{path.suffix}'.", f"Choose {', '.join(_CODECS)}.")
        kind, codec, pixels, options = _CODECS[suffix]
        self.path = path
        # An odd side has no place in 4:2:0.
        self._size = (size_wh[0] // 2 * 2, size_wh[1] // 2 * 2)
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._last = -1
        self._timed = suffix in (".mp4", ".mkv")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._beside), "w", format=kind)
        except OSError as error:
            raise self._failed(error) from error
        self._stream = cast("VideoStream", self._container.add_stream(codec, rate=rate, options=options))
        self._stream.width, self._stream.height, self._stream.pix_fmt = *self._size, pixels
        if self._timed:
            self._stream.codec_context.time_base = Fraction(1, _TICKS)

    def add(self, rgb: NDArray[np.uint8], at: float) -> None:
        """The next frame, uint8 RGB (H, W, 3), shown from `at` seconds on. One of another size is brought to this
        video's. Raises StorageFailed."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame = frame.reformat(*self._size, format=self._stream.pix_fmt)
        self._last = max(self._last + 1, round(at * _TICKS)) if self._timed else self._last + 1
        frame.pts = self._last
        frame.time_base = Fraction(1, _TICKS) if self._timed else 1 / Fraction(self._stream.codec_context.framerate)
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            raise self._failed(error) from error

    def close(self, *, keep: bool = True) -> None:
        """Finish the file and put it in its place; without `keep` remove it. Raises StorageFailed."""
        try:
            if keep:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if keep:
                self._beside.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._beside.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep=error is None and self._last >= 0)

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(
            f"{self.path} couldn't be written: {error.strerror or type(error).__name__}.",
            "Free space or choose another folder.",
        )
