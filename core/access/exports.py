"""Audited downloads: made when they are requested, for users who may export."""

from __future__ import annotations

from collections.abc import Callable

from core.access.actor import Actor, acting_as, require
from core.access.roles import Permission
from core.access.trail import write_trail
from core.settings import Settings


def audited_download(
    settings: Settings, what: str, make: Callable[[], bytes], *, again: Callable[[Actor], Actor] | None = None
) -> Callable[[], bytes]:
    """Return a function that gives the bytes of `make`, in any thread, for the current actor, and audits each call.

    `what` is written to the trail, so it must not name enrolled people. `again` returns the actor as of the call, whose
    role may have been revoked since. Raises NotAllowed, here and at the call; StorageFailed at the call when the trail
    can't be written.
    """
    asked = require(Permission.EXPORT)

    def give() -> bytes:
        with acting_as(asked if again is None else again(asked)):
            require(Permission.EXPORT)
            content = make()
            write_trail(settings, "downloaded", what)
            return content

    return give
