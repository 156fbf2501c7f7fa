"""`enroll --webcam`: pictures of one person from a camera of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.commands.shared.common import UsageMistake, note, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.video.capture import Capture


def webcam_pictures(captures: int, camera: int, *, quiet: bool) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Take pictures in a window and return (frames, names).

    Raises SettingsInvalid (captures), NoDisplay, CameraMissing, CaptureCancelled, DetectorMissing.
    """
    from core.faces.detect import Detector
    from core.video.capture import CaptureSession
    from core.video.guide import see
    from core.video.webcam import capture_in_window

    detector = Detector()
    session = CaptureSession(lambda rgb: see(detector, rgb), captures)
    if not quiet:
        note("the camera starts now; pictures are kept only when all of them are taken (Esc cancels)")

    def show_capture(number: int, taken: Capture) -> None:
        quality = taken.sight.quality
        if quality is not None and not quiet:
            say(f"  {number} of {captures}: {taken.step}, {quality.probe_px:.0f} px, sharpness {quality.sharpness:.2f}")

    taken = capture_in_window(session, camera=camera, on_capture=show_capture)
    frames = [one.frame for one in taken]
    return frames, [f"camera {number} ({one.step})" for number, one in enumerate(taken, start=1)]


def require_one_source(webcam: bool, photographs: bool) -> None:
    """Photographs or the camera, not both. Raises UsageMistake."""
    if webcam and photographs:
        raise UsageMistake("--webcam and photographs were both given.", "Name one of them.")
