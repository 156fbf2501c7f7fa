"""A liveness challenge: turn the head as asked. It rejects a photograph held in front of the camera; a film or a mask
may pass, so it doesn't prove identity.

The yaw estimated from five landmarks is the nose's offset over half the eye distance. When a flat picture is moved,
tilted or turned about its own axes, both shrink alike, and the estimate stays within a few degrees: only a nose that
stands out moves it. Another photograph that takes its place makes the estimate jump, and a jump restarts the turn.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Direction = Literal["left", "right"]

TURN_DEG = 16.0
"""How far a head must be turned from the person's own front."""

BACK_DEG = 7.0
"""So near to the front a head must come back before the next turn."""

JUMP_DEG = 12.0
"""A larger change from one look to the next isn't a turning head: it is another picture, or too fast to follow."""

FRONT_DEG = 12.0
FRONT_LOOKS = 3
SECONDS_A_TURN = 10.0
GAP_S = 1.0
"""Looks further apart can't show that a head was turned in between."""


@dataclass(frozen=True)
class Liveness:
    """The state of a challenge: the next instruction, the number of turns done and asked, and whether all are done."""

    text: str
    done: int
    asked: int

    @property
    def passed(self) -> bool:
        return self.done == self.asked


def draw_turns(random: random_module.Random, turns: int = 2) -> tuple[Direction, ...]:
    """Directions in an unpredictable order."""
    return tuple(random.choice(("left", "right")) for _ in range(turns))


class Challenge:
    """The challenge of one person, which receives every look in order.

    Not to be shared between threads. `random` draws the turns, again after each failure; left and right are the
    person's own.
    """

    def __init__(self, random: random_module.Random, turns: int = 2) -> None:
        self._random, self._turns = random, turns
        self._begin()

    def _begin(self, why: str = "") -> None:
        self.directions: Sequence[Direction] = draw_turns(self._random, self._turns)
        self._done = 0
        self._why = why
        self._still: list[float] = []
        self._ahead: float | None = None
        self._away = False
        self._since: float | None = None
        self._last: tuple[float, float] | None = None

    @property
    def passed(self) -> bool:
        return self._done == len(self.directions)

    def look(self, yaw_deg: float | None, at_s: float) -> Liveness:
        """Process one look: the face's yaw (None without exactly one face) and its time in seconds of a monotonic
        clock."""
        if self.passed:
            return self._state("Thank you")
        if yaw_deg is None:
            self._begin(self._why)
            return self._state("Come in front of the camera, alone")
        before, self._last = self._last, (yaw_deg, at_s)
        if before is not None and (abs(yaw_deg - before[0]) > JUMP_DEG or at_s - before[1] > GAP_S):
            self._begin("More slowly: ")
            self._last = (yaw_deg, at_s)
        if self._ahead is None:
            return self._find_front(yaw_deg, at_s)
        return self._turn(yaw_deg, at_s)

    def _find_front(self, yaw_deg: float, at_s: float) -> Liveness:
        self._still = [*self._still, yaw_deg][-FRONT_LOOKS:] if abs(yaw_deg) <= FRONT_DEG else []
        if len(self._still) < FRONT_LOOKS:
            return self._state(f"{self._why}look straight into the camera")
        self._ahead, self._since, self._why = median(self._still), at_s, ""
        return self._state(self._wanted())

    def _turn(self, yaw_deg: float, at_s: float) -> Liveness:
        assert self._ahead is not None and self._since is not None
        turned = yaw_deg - self._ahead
        if self._away:
            if abs(turned) > BACK_DEG:
                return self._state("Back to the front")
            self._away, self._since = False, at_s
            self._done += 1
            return self._state("Thank you" if self.passed else self._wanted())
        sign = 1 if self.directions[self._done] == "left" else -1
        if turned * sign >= TURN_DEG:
            self._away = True
            return self._state("Back to the front")
        if turned * sign <= -TURN_DEG or at_s - self._since > SECONDS_A_TURN:
            self._begin("That wasn't it: ")
            return self._state("That wasn't it: look straight into the camera")
        return self._state(self._wanted())

    def _wanted(self) -> str:
        return f"Turn your head to your {self.directions[self._done]}, and back"

    def _state(self, text: str) -> Liveness:
        return Liveness(text[:1].upper() + text[1:], self._done, len(self.directions))
