"""Feed every reader of files with what atheris invents by watching which lines run: `python -m tests.fuzz`.

Each reader gets some seconds in a process of its own: an answer or a CoreError within 10 s and 1 GB, or its input is
kept and the program ends with code 1. Prints how many inputs each was given, as JSON. Without atheris (it has wheels
for Linux and Python 3.11 to 3.13) Hypothesis's damaged files are fed instead.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.unit.test_hostile_files import READERS

INPUT_LIMIT_S = 10
_COUNT = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def fuzz(name: str, seconds: int, corpus: Path, found: Path) -> dict[str, object]:
    """What became of one reader."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "EDGEFACE_DATA_DIR": folder, "EDGEFACE_MODELS_DIR": folder, "OMP_NUM_THREADS": "1"}
        options = [f"-max_total_time={seconds}", f"-timeout={INPUT_LIMIT_S}", f"-artifact_prefix={found}/{name}-"]
        command = [sys.executable, "-m", "tests.fuzz.one", name, folder, *options, "-print_final_stats=1", str(corpus)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace", check=False)
    count = _COUNT.search(done.stderr)
    told: dict[str, object] = {"inputs": int(count[1]) if count else 0, "ok": done.returncode == 0 and bool(count)}
    if not told["ok"]:
        told |= {"code": done.returncode, "said": (done.stdout + done.stderr)[-3000:]}
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """0 where every reader took everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="For each reader.")
    parser.add_argument("--reader", action="append", choices=list(READERS), help="Only this one; may be repeated.")
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"), help="Where inputs that were too much go.")
    asked = parser.parse_args(argv)
    if importlib.util.find_spec("atheris") is None:
        print("atheris isn't installed here: Hypothesis feeds 2,000 damaged files to each reader.", file=sys.stderr)
        environ = {**os.environ, "EDGEFACE_FUZZ": "2000"}
        command = [sys.executable, "-m", "pytest", "-q", "tests/unit/test_hostile_files.py"]
        return subprocess.run(command, env=environ, check=False).returncode
    asked.found.mkdir(parents=True, exist_ok=True)
    told: dict[str, dict[str, object]] = {}
    for name in asked.reader or READERS:
        with tempfile.TemporaryDirectory() as corpus:
            told[name] = fuzz(name, asked.seconds, Path(corpus), asked.found)
        print(f"{name}: {told[name]['inputs']:,} inputs{'' if told[name]['ok'] else ', FAILED'}", file=sys.stderr)
    if not any(asked.found.iterdir()):
        asked.found.rmdir()
    total = sum(int(str(one["inputs"])) for one in told.values())
    print(json.dumps({"readers": told, "inputs": total, "seconds_each": asked.seconds}, indent=2))
    return 0 if all(one["ok"] for one in told.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
