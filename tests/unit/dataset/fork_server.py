"""Builds in children of this process, each cut short before its n-th file operation: an order a line, an answer a line.

An order: {"source", "out", "options", "at" (0: never), "signal", "uid" (or null)}. The answer: {"how": "done", "killed"
or the exception's name, "operations"}. One process for many builds: the library is imported once, and has built once
before the first order, so that no child pays for what is made at first use.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
from sets import notes_set

from core.access.actor import owner, resolve_with
from core.dataset.build import build
from core.dataset.scan import scan

OPERATIONS = frozenset(
    ("os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.copyfile", "tempfile.mkstemp")
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def work(order: dict[str, Any]) -> dict[str, Any]:
    operations = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal operations
        if event in OPERATIONS or (event == "open" and int(arguments[2]) & WRITES):
            operations += 1
            if operations == order["at"]:
                os.kill(os.getpid(), order["signal"])

    if order["uid"] is not None:
        os.setuid(order["uid"])
    sys.addaudithook(hook)
    try:
        build(scan(Path(order["source"])), Path(order["out"]), **order["options"])
    except BaseException as error:  # noqa: BLE001 (told to the test)
        return {"how": type(error).__name__, "operations": operations}
    return {"how": "done", "operations": operations}


def warm_up() -> None:
    cv2.setNumThreads(0)  # children have no threads but their own
    with tempfile.TemporaryDirectory() as folder:
        build(scan(notes_set(Path(folder) / "in", {"001": 5, "002": 5, "003": 5})), Path(folder) / "out", mode="both")


def main() -> None:
    warm_up()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, json.dumps(work(order)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answers:
            said = answers.read()
        os.waitpid(child, 0)
        print(said or json.dumps({"how": "killed", "operations": order["at"]}), flush=True)


if __name__ == "__main__":
    resolve_with(owner)
    main()
