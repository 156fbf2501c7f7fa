"""Files that leave: made for whoever may export, at the moment when they are asked for, and noted in the trail."""

from __future__ import annotations

from collections.abc import Callable

from core.access.actor import Actor, acting_as, require
from core.access.roles import Permission
from core.access.trail import write_trail
from core.settings import Settings


def audited_download(
    settings: Settings, what: str, make: Callable[[], bytes], *, again: Callable[[Actor], Actor] | None = None
) -> Callable[[], bytes]:
    """A function that gives the bytes of `make`, in any thread, for who acts now; each call adds a line to the trail.

    `what` is told in the trail, and so names nobody who is enrolled. `again` gives who that is by the time of the call:
    a role may have been taken away since. Raises NotAllowed, here and at the call; StorageFailed at the call when the
    trail can't be written: nothing leaves unnoticed.
    """
    asked = require(Permission.EXPORT)

    def give() -> bytes:
        with acting_as(asked if again is None else again(asked)):
            require(Permission.EXPORT)
            content = make()
            write_trail(settings, "downloaded", what)
            return content

    return give
