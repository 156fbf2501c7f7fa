"""pip-audit on the pins, where its service can be reached: `python -m tests.audit_pins PIP-AUDIT`.

Ends with code 1 for a known weakness. What the service didn't know or wasn't asked is said, never taken for sound.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

FILES = ("requirements.txt", "requirements-dev.txt")


def audit(program: str, path: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each pin of a file; None where its service can't be reached."""
    command = [program, "--progress-spinner", "off", "--format", "json", "-r", path, "--no-deps", "--disable-pip"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return None


def told(found: list[dict[str, Any]] | None) -> tuple[str, bool]:
    """(a line on it, whether a weakness is known)."""
    checked = [one for one in found or [] if "vulns" in one]
    weak = [f"{one['name']} {one['version']}: {each['id']}" for one in checked for each in one["vulns"]]
    if not checked:
        return "its service can't be reached from here; the pins weren't checked", False
    left = len(found or []) - len(checked)
    line = (
        f"{len(checked)} pins checked{f', {left} unknown to it' if left else ''}: {'; '.join(weak) or 'none is weak'}"
    )
    return line, bool(weak)


def main(argv: list[str]) -> int:
    """0 where no pin is known to be weak."""
    answers = [(path, *told(audit(argv[0], path))) for path in FILES]
    for path, line, _ in answers:
        print(f"pip-audit, {path}: {line}.")
    return int(any(weak for _, _, weak in answers))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
