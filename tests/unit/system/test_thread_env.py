from __future__ import annotations

import os
import subprocess
import sys

from core.system.thread_env import let_threads_wait

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_THREAD_TIMEOUT")


def test_what_the_user_chose_stays(monkeypatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    let_threads_wait()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE" and int(os.environ["OPENBLAS_THREAD_TIMEOUT"]) < 26


def test_dashboard_and_commands_choose_before_numpy_is_there() -> None:
    """Read when the libraries are loaded, so later is too late."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    for begin in ("import dashboard", "import core.cli; core.cli.let_threads_wait()"):
        program = f"import os, sys; {begin}; print('numpy' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
        out = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert out.split() == ["False", "PASSIVE"], begin
