"""State of a live enrolment: the captures to take, when one is taken automatically, and the text on the screen.

A capture is taken once all conditions have held for a moment, the best look of that moment; or on request. Frames
are held in memory only, until the session is cleared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.faces.quality import problems
from core.video.guide import (
    USUAL,
    Advice,
    GuideLimits,
    Sight,
    Step,
    advise,
    hindrance,
    step_text,
    steps_for,
)
from core.video.liveness import Challenge, Liveness

Frame = NDArray[np.uint8]

HOLD_S = 0.6
"""How long all conditions must hold before a capture is taken."""

REST_S = 0.9
"""How long none is taken after a capture, so that the next picture differs."""

_NEVER_BY_HAND = ("no_face", "two_faces")


@dataclass(frozen=True, eq=False)
class Capture:
    """One captured frame, uint8 RGB (H, W, 3): its step, what it shows, and whether it was taken automatically or by
    hand."""

    step: Step
    frame: Frame
    sight: Sight
    by: Literal["itself", "hand"]


@dataclass(frozen=True, eq=False)
class CaptureView:
    """Result of one look, for the screen. `position` counts from 0 and is None when all captures are there; `held` is
    the share of the moment that has passed, 0 to 1; `refused` says why a capture asked for by hand wasn't taken."""

    sight: Sight
    advice: Advice
    taken: int
    wanted: int
    position: int | None
    step: Step | None
    held: float = 0.0
    liveness: Liveness | None = None
    refused: str = ""

    @property
    def complete(self) -> bool:
        return self.position is None

    @property
    def text(self) -> str:
        """The instruction to show now."""
        if self.liveness is not None and not self.liveness.passed:
            return self.liveness.text
        return "All pictures are taken" if self.complete else self.advice.text


class CaptureSession:
    """The captures of one person. `look` is called on one thread; everything else from any.

    `see` finds the faces of a frame; `challenge` is to be passed before anything is taken; `clock` gives seconds.
    """

    def __init__(
        self,
        see: Callable[[Frame], Sight],
        captures: int = USUAL,
        *,
        challenge: Challenge | None = None,
        limits: GuideLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = steps_for(captures)
        self._see, self._challenge, self._clock = see, challenge, clock
        self._limits = limits or GuideLimits()
        self._lock = threading.Lock()
        self._slots: list[Capture | None] = [None] * captures
        self._asked = False
        self._good_since: float | None = None
        self._best: tuple[Frame, Sight] | None = None
        self._rest_until = 0.0

    @property
    def captures(self) -> tuple[Capture | None, ...]:
        """One entry a step, None where nothing is taken yet."""
        with self._lock:
            return tuple(self._slots)

    @property
    def taken(self) -> tuple[Capture, ...]:
        """Those that are there, in the order of the steps."""
        return tuple(capture for capture in self.captures if capture is not None)

    def take(self) -> None:
        """Take the next look whatever its pose, as long as it shows one face that can be recognised."""
        with self._lock:
            self._asked = True

    def retake(self, position: int) -> None:
        """Forget one capture; its step is wanted again. Raises IndexError."""
        with self._lock:
            self._slots[position] = None
            self._wait()

    def clear(self) -> None:
        """Forget every picture."""
        with self._lock:
            self._slots = [None] * len(self._slots)
            self._asked = False
            self._wait()

    def look(self, frame: Frame) -> CaptureView:
        """Look at a frame, uint8 RGB (H, W, 3), which must not change afterwards; take it when the time has come."""
        sight = self._see(frame)
        now = self._clock()
        with self._lock:
            live = self._live(sight, now)
            position = next((n for n, slot in enumerate(self._slots) if slot is None), None)
            asked, self._asked = self._asked, False
            if position is None:
                return self._view(sight, Advice("good", ""), None, live)
            step = self.steps[position]
            advice = advise(sight, step, front=self._front(), limits=self._limits)
            if live is not None and not live.passed:
                refused = "First do as asked above." if asked else ""
                return self._view(sight, advice, position, live, refused=refused)
            if asked:
                return self._by_hand(frame, sight, advice, position, live)
            return self._by_itself(frame, sight, advice, position, live, now)

    def _live(self, sight: Sight, now: float) -> Liveness | None:
        if self._challenge is None:
            return None
        against = hindrance(sight, self._limits)
        alone = against is None or against.code not in _NEVER_BY_HAND
        return self._challenge.look(sight.quality.yaw_deg if alone and sight.quality is not None else None, now)

    def _by_hand(self, frame: Frame, sight: Sight, advice: Advice, position: int, live: Liveness | None) -> CaptureView:
        severe = [each.text for each in problems(sight.quality) if each.severe] if sight.quality is not None else []
        if advice.code in _NEVER_BY_HAND or severe:
            why = f"Not taken: {'; '.join(severe)}." if severe else f"Not taken. {advice.text}."
            return self._view(sight, advice, position, live, refused=why)
        self._keep(position, frame, sight, "hand")
        return self._after(sight, live)

    def _by_itself(
        self, frame: Frame, sight: Sight, advice: Advice, position: int, live: Liveness | None, now: float
    ) -> CaptureView:
        if not advice.good:
            self._wait(keep_rest=True)
            return self._view(sight, advice, position, live)
        if now < self._rest_until:
            return self._view(sight, Advice("good", step_text(self.steps[position])), position, live)
        if self._good_since is None:
            self._good_since = now
        if self._best is None or _worth(sight) > _worth(self._best[1]):
            self._best = (frame, sight)
        held = (now - self._good_since) / HOLD_S
        if held < 1:
            return self._view(sight, advice, position, live, held=held)
        self._keep(position, *self._best, "itself")
        return self._after(sight, live)

    def _keep(self, position: int, frame: Frame, sight: Sight, by: Literal["itself", "hand"]) -> None:
        self._slots[position] = Capture(self.steps[position], frame, sight, by)
        self._wait()

    def _wait(self, *, keep_rest: bool = False) -> None:
        self._good_since = self._best = None
        if not keep_rest:
            self._rest_until = self._clock() + REST_S

    def _after(self, sight: Sight, live: Liveness | None) -> CaptureView:
        position = next((n for n, slot in enumerate(self._slots) if slot is None), None)
        text = "" if position is None else step_text(self.steps[position])
        return self._view(sight, Advice("good", text), position, live)

    def _view(
        self,
        sight: Sight,
        advice: Advice,
        position: int | None,
        live: Liveness | None,
        *,
        held: float = 0.0,
        refused: str = "",
    ) -> CaptureView:
        taken = sum(slot is not None for slot in self._slots)
        step = None if position is None else self.steps[position]
        return CaptureView(sight, advice, taken, len(self._slots), position, step, held, live, refused)

    def _front(self) -> Sight | None:
        return next((slot.sight for slot in self._slots if slot is not None and slot.step == "front"), None)


def _worth(sight: Sight) -> float:
    return sight.quality.worth if sight.quality is not None else 0.0
