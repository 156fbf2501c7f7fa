"""The current actor and their permissions.

Each entry point sets a resolver with `resolve_with`: commands the owner of the data folder, a run's process the person
who started the run, the dashboard its visitor. Without one, every permission is refused. A thread that works for an
actor uses `acting_as`. A program of your own begins with `resolve_with(owner)`.
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
"""The actor's name where sign-in is off."""

VARIABLE, ROLE_VARIABLE = "EDGEFACE_ACTOR", "EDGEFACE_ROLE"
"""Environment variables that give a run's process its actor and their role."""


@dataclass(frozen=True)
class Actor:
    """A user with a role; without a role nothing is allowed. `name` appears in the audit trail."""

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
    """Return the owner of the data folder, who isn't subject to role checks."""
    return Actor(os.environ.get(VARIABLE, "").strip()[:200] or LOCAL, Role.ADMIN)


def run_actor() -> Actor:
    """Return who started this process's run, with their role at that time; NOBODY where it isn't recorded."""
    try:
        return Actor(os.environ[VARIABLE].strip()[:200] or LOCAL, Role(os.environ[ROLE_VARIABLE]))
    except (KeyError, ValueError):
        return NOBODY


def resolve_with(resolver: Resolver | None) -> Resolver | None:
    """Set the function that returns the current actor, for every thread; return the previous one."""
    global _resolver
    earlier, _resolver = _resolver, resolver
    return earlier


def current_actor() -> Actor:
    """Return the actor set by `acting_as`, else by the resolver, else NOBODY."""
    named = _acting.get()
    if named is not None:
        return named
    return NOBODY if _resolver is None else _resolver()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Run the block as `actor`, in this thread only."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def allowed(permission: Permission) -> bool:
    """Whether the current actor has that permission."""
    return current_actor().may(permission)


def require(permission: Permission) -> Actor:
    """Return the current actor if they have the permission. Raises NotAllowed."""
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
    """Return the signed-in user's name for the trail, else `given`."""
    name = current_actor().name
    return given if name == LOCAL else name
