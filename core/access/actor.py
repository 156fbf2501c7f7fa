"""Who acts at this moment, and whether they may.

Each entry point names who answers, with `resolve_with`: commands the owner of the data folder, a run's process the
person who started the run, the dashboard its visitor. Where none did, nobody acts. A thread that works for somebody
does it inside `acting_as`. A program of your own begins with `resolve_with(owner)`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from core.access.errors import NotAllowed
from core.access.roles import Permission, Role, least_role, permissions

LOCAL = "local"
"""The actor's name where nobody signed in."""

VARIABLE, ROLE_VARIABLE = "EDGEFACE_ACTOR", "EDGEFACE_ROLE"
"""Tell a run's process for whom it works, and with which role."""


@dataclass(frozen=True)
class Actor:
    """Somebody with a role; without one they may do nothing. `name` stands in the audit trail."""

    name: str
    role: Role | None

    def may(self, permission: Permission) -> bool:
        return permission in permissions(self.role)


NOBODY = Actor("nobody", None)
"""Not signed in, where signing in is needed."""

Resolver = Callable[[], Actor]

_acting: ContextVar[Actor | None] = ContextVar("edgeface_actor", default=None)
_resolver: Resolver | None = None


def owner() -> Actor:
    """Whoever can read the data folder: every role's limits end there."""
    return Actor(os.environ.get(VARIABLE, "").strip()[:200] or LOCAL, Role.ADMIN)


def run_actor() -> Actor:
    """The person who started this process's run, with the role they had then; nobody where that isn't said."""
    try:
        return Actor(os.environ[VARIABLE].strip()[:200] or LOCAL, Role(os.environ[ROLE_VARIABLE]))
    except (KeyError, ValueError):
        return NOBODY


def resolve_with(resolver: Resolver | None) -> Resolver | None:
    """From now on ask `resolver` who acts, in every thread of this process (None: nobody does); the earlier one."""
    global _resolver
    earlier, _resolver = _resolver, resolver
    return earlier


def current_actor() -> Actor:
    """Who acts: named by `acting_as`, else by the resolver, else nobody."""
    named = _acting.get()
    if named is not None:
        return named
    return NOBODY if _resolver is None else _resolver()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """What runs inside is done by `actor`: in this thread, not in those that it starts."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def allowed(permission: Permission) -> bool:
    """Whether who acts has that permission."""
    return current_actor().may(permission)


def require(permission: Permission) -> Actor:
    """Who acts, when they may. Raises NotAllowed."""
    actor = current_actor()
    if actor.may(permission):
        return actor
    if actor.role is None and _resolver is None:
        raise NotAllowed(
            "Nobody says who acts.",
            "Start your own program with: from core.access.actor import owner, resolve_with; resolve_with(owner).",
        )
    if actor.role is None:
        raise NotAllowed("You aren't signed in.", "Sign in, then try again.")
    raise NotAllowed(
        f"Your role {actor.role} can't {permission}.",
        f"Ask for the role {least_role(permission)}, or have somebody do it who has that.",
    )


def trail_name(given: str) -> str:
    """Whom a trail names: who acts, where somebody signed in, else what the caller gave."""
    name = current_actor().name
    return given if name == LOCAL else name
