"""Roles and permissions. Each of the three roles includes the permissions of the one before."""

from __future__ import annotations

from enum import StrEnum

from core.access.errors import AccessError


class Permission(StrEnum):
    """An action that needs permission; the value completes the sentence "You can't ..."."""

    VIEW = "look at this"
    ENROL = "enrol or change people"
    DELETE = "delete people"
    EXPORT = "export or import"
    DATA = "make, check or remove data sets"
    RUN = "train, evaluate or manage runs"
    WEIGHTS = "change the weights or settings in use"
    ANYWHERE = "name any folder or address"
    MAINTAIN = "back up, restore or encrypt the gallery"
    ACCESS = "manage who may sign in, or read the audit trail"


class Role(StrEnum):
    """Viewer: recognise and look. Operator: also enrol, delete, export, data sets and runs. Admin: everything."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_ADDED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.VIEW}),
    Role.OPERATOR: frozenset({Permission.ENROL, Permission.DELETE, Permission.EXPORT, Permission.DATA, Permission.RUN}),
    Role.ADMIN: frozenset({Permission.WEIGHTS, Permission.ANYWHERE, Permission.MAINTAIN, Permission.ACCESS}),
}


def permissions(role: Role | None) -> frozenset[Permission]:
    """Return all permissions of a role; none for None."""
    if role is None:
        return frozenset()
    order = list(Role)
    return frozenset().union(*(_ADDED[each] for each in order[: order.index(role) + 1]))


def least_role(permission: Permission) -> Role:
    """Return the lowest role that has a permission."""
    return next(role for role in Role if permission in _ADDED[role])


def role_of(text: str) -> Role:
    """Return the role of that name, ignoring case. Raises AccessError."""
    try:
        return Role(text.strip().lower())
    except ValueError as error:
        raise AccessError(f"There is no role '{text[:40]}'.", f"Choose {', '.join(Role)}.") from error
