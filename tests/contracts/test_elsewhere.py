"""Everything can be imported, and the basic paths go, without what only POSIX systems have.

This isn't Windows, whose files and processes differ in more than names; it keeps the code from leaning on what isn't
there.
"""

from __future__ import annotations

import os
import subprocess
import sys

from core.settings import PROJECT_ROOT


def test_modules_and_basic_commands_without_posix(own_data_dir):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EDGEFACE_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.elsewhere"],
        cwd=PROJECT_ROOT,
        env={**environment, "EDGEFACE_ENGINE": "eager"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.rstrip().endswith("used")
