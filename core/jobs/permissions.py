"""The permission to start, resume, stop or remove a run, by its kind."""

from __future__ import annotations

from core.access.roles import Permission

_BY_KIND = {
    **dict.fromkeys(("ingest", "build", "demo", "fetch", "check"), Permission.DATA),
    "reembed": Permission.ENROL,
}


def permission_for(kind: str) -> Permission:
    """The permission; kinds without one of their own train or measure."""
    return _BY_KIND.get(kind, Permission.RUN)
