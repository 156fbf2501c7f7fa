"""Captures from a camera at this machine, in a window: space takes a picture, good ones are taken by themselves.

The loop knows neither OpenCV nor Tk: it takes frames from an iterator and shows them in whatever has `show` and `key`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.video.capture import Capture, CaptureSession
from core.video.preview import draw_preview

RGB = NDArray[np.uint8]

CAMERA_PX = (640, 480)
_SILENT_READS = 30


class CameraMissing(CoreError):
    """There is no camera of that number, another program has it, or it stopped giving pictures."""

    help_topic = "camera"


class NoDisplay(CoreError):
    """There is no screen to show a window on."""

    help_topic = "camera"


class CaptureCancelled(CoreError):
    """The person closed the window before all pictures were taken; nothing is kept."""


class Window(Protocol):
    """The window that shows the person's own picture."""

    def show(self, rgb: RGB) -> None:
        """Show a picture (H, W, 3) now."""

    def key(self) -> str:
        """The key pressed since the last call: "space", "escape" (or the window closed), "" for none."""


def capture(
    frames: Iterable[RGB],
    window: Window,
    session: CaptureSession,
    *,
    on_capture: Callable[[int, Capture], None] | None = None,
) -> tuple[Capture, ...]:
    """Show frames until all captures are taken; `on_capture(number, capture)` is called for each, from 1 on.

    Raises CaptureCancelled when the person cancels, after deleting every picture; CameraMissing when frames end first.
    """
    reported = 0
    for frame in frames:
        key = window.key()
        if key == "escape":
            session.clear()
            raise CaptureCancelled("The enrolment was cancelled; no picture was kept.", "Start it again when you like.")
        if key == "space":
            session.take()
        view = session.look(frame)
        window.show(draw_preview(frame, view))
        taken = session.taken
        if on_capture is not None and len(taken) > reported:
            on_capture(len(taken), taken[-1])
        reported = len(taken)
        if view.complete or len(taken) == len(session.steps):
            return taken
    session.clear()
    raise CameraMissing("The camera stopped sending pictures.", "Check that it is still connected, then start again.")


def camera_frames(number: int = 0) -> Generator[RGB, None, None]:
    """Frames of camera `number`, uint8 RGB, newest first where the driver allows; ends when the camera is silent.

    The camera is opened at the first frame and released when the iterator is closed. Raises CameraMissing.
    """
    log = cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)  # its warnings about a camera that isn't there would stand before ours
    camera = cv2.VideoCapture(number)
    log.setLogLevel(level)
    try:
        if not camera.isOpened():
            raise CameraMissing(
                f"There is no camera {number}, or another program is using it.",
                "Connect it, close calls and other camera programs, or choose another with --camera.",
            )
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_PX[0])
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_PX[1])
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        silent = 0
        while silent < _SILENT_READS:
            there, bgr = camera.read()
            if there:
                silent = 0
                yield np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)
            else:
                silent += 1
                time.sleep(0.05)
    finally:
        camera.release()


class TkWindow:
    """A Tk window, since this OpenCV is built without windows. Raises NoDisplay."""

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise _no_display("this Python is built without Tk") from error
        try:
            self._root: Any = tkinter.Tk()
        except tkinter.TclError as error:
            raise _no_display("no display can be opened") from error
        self._tk = tkinter
        self._pressed: list[str] = []
        self._root.title(title)
        self._root.resizable(False, False)
        self._label: Any = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._root.bind("<space>", lambda _event: self._pressed.append("space"))
        self._root.bind("<Escape>", lambda _event: self._pressed.append("escape"))
        self._root.protocol("WM_DELETE_WINDOW", lambda: self._pressed.append("escape"))

    def show(self, rgb: RGB) -> None:
        height, width = rgb.shape[:2]
        header = f"P6 {width} {height} 255 ".encode()
        # The label must keep a reference, or Tk shows nothing.
        self._image = self._tk.PhotoImage(data=header + rgb.tobytes(), format="PPM")
        self._label.configure(image=self._image)
        self._root.update()

    def key(self) -> str:
        self._root.update()
        return self._pressed.pop(0) if self._pressed else ""

    def close(self) -> None:
        self._root.destroy()


def capture_in_window(
    session: CaptureSession, *, camera: int = 0, on_capture: Callable[[int, Capture], None] | None = None
) -> tuple[Capture, ...]:
    """`capture` from a real camera in a real window. Raises NoDisplay, CameraMissing, CaptureCancelled."""
    title = "EdgeFace Studio: space takes a picture, Esc cancels"
    with closing(TkWindow(title)) as window, closing(camera_frames(camera)) as frames:
        return capture(frames, window, session, on_capture=on_capture)


def _no_display(why: str) -> NoDisplay:
    return NoDisplay(
        f"A window can't be shown: {why}.",
        "Run this at the machine's own screen, enrol in the browser, or give photographs with --photos.",
    )
