"""A few kills at each place of the gallery, and four processes at once. `make endurance` does it long, everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_acknowledged_is_lost():
    command = [
        sys.executable,
        "-m",
        "tests.endurance",
        "--gallery-only",
        "--kills",
        "7",
        "--seconds",
        "2",
        "--side-by-side",
        "5",
    ]
    run = subprocess.run(
        [*command, "--processes", "4"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said = json.loads(run.stdout)
    assert said["kills"] == 7 and all(place["kills"] == 1 for place in said["places"].values())
    assert said["together"]["writes"] >= 4 and said["together"]["lost"] == 0
    mixed = said["side by side"]
    assert mixed["acknowledged"] > 20 and mixed["lost"] == mixed["unexpected"] == mixed["trail lines missing"] == 0
