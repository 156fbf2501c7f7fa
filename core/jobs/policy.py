"""The policy of runs: how many are active at once, at which priority and with how many threads."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from core.errors import SettingsInvalid
from core.models.active_file import read_active, write_active
from core.settings import Settings

MOST_AT_ONCE = 64
MOST_NICE = 19


@dataclass(frozen=True)
class Policy:
    """How runs share the machine: `at_once` runs are active at a time, later ones wait in a queue."""

    at_once: int = 1
    niceness: int = 5
    """0 (as important as the dashboard) to 19 (only when nothing else wants the processor)."""
    threads: int | None = None
    """Threads that a run's mathematics may use; None: as many as the libraries choose."""


def read_policy(settings: Settings) -> Policy:
    """The policy in use; the default where none was chosen. Raises SettingsInvalid."""
    chosen = read_active(settings).get("jobs") or {}
    if not isinstance(chosen, dict):
        raise SettingsInvalid(f'"jobs" in {settings.active_path} is no object.', "Remove that entry.")
    known = {key: value for key, value in chosen.items() if key in asdict(Policy())}
    return _checked(replace(Policy(), **known))


def write_policy(settings: Settings, policy: Policy) -> None:
    """Use `policy` from the next run on; the queue follows `at_once` too. Raises SettingsInvalid, StorageFailed."""
    write_active(settings, jobs=asdict(_checked(policy)))


def _checked(policy: Policy) -> Policy:
    limits = {"at_once": (1, MOST_AT_ONCE), "niceness": (0, MOST_NICE), "threads": (1, 1024)}
    for name, (low, high) in limits.items():
        value = getattr(policy, name)
        if name == "threads" and value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise SettingsInvalid(
                f"{name.replace('_', ' ')} of runs is {value!r}, expected {low} to {high}.",
                "See `edgeface-studio runs settings`.",
            )
    return policy
