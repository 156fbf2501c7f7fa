"""Several processes and threads at once, and a process killed at work: no write is lost, no search is stale."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from core.gallery import Gallery, Space
from tests.as_owner import AS_OWNER

WORKER = """
import sys
import numpy as np
from core.gallery import Gallery, NewTemplate, Space
path, worker, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
space = Space("x", "a" * 64, "bicubic", False)
random = np.random.default_rng(worker)
with Gallery.open(path, wait_s=60) as gallery:
    for number in range(count):
        rows = random.normal(size=(3, 512))
        rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        name = f"{worker}-{number}"
        gallery.enrol(name, [NewTemplate(row, "hr", 112.0, crop=b"RIFF" + bytes(3000)) for row in rows], space=space)
        print(name, flush=True)
        if gallery.search(rows[:1], space)[0][0].name != name:
            sys.exit("what was just enrolled isn't found")
        if worker == 0 and number % 5 == 4:
            gallery.remove(name)
            print("-" + name, flush=True)
"""

SPACE = Space("x", "a" * 64, "bicubic", False)


def start(path: Path, worker: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", AS_OWNER + WORKER, str(path), str(worker), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def test_four_processes_enrol_search_and_remove_without_loss(path):
    """They also make the file together, and this process, reading all the while, never sees a name twice or half."""
    workers = [start(path, worker, 15) for worker in range(4)]
    probe = np.zeros((1, 512), np.float32)
    probe[0, 0] = 1.0
    with Gallery.open(path) as gallery:
        while any(worker.poll() is None for worker in workers):
            found = gallery.search(probe, SPACE, k=1000)[0]
            assert len({candidate.name for candidate in found}) == len(found)
            time.sleep(0.02)
        expected: set[str] = set()
        for worker in workers:
            out, errors = worker.communicate()
            assert worker.returncode == 0, errors
            lines = out.split()
            expected |= {line for line in lines if line[0] != "-"}
            expected -= {line[1:] for line in lines if line[0] == "-"}
        assert len(expected) == 57
        assert {identity.name for identity in gallery.identities()} == expected == set(gallery.names_in(SPACE))
    assert integrity(path) == "ok"


def test_what_was_acknowledged_before_a_kill_is_there(path):
    random = np.random.default_rng(0)
    acknowledged: set[str] = set()
    removed: set[str] = set()
    begun = 0
    for attempt in range(10):
        worker = start(path, 10 + attempt, 10_000)
        assert worker.stdout is not None
        for _ in range(int(random.integers(1, 25))):
            acknowledged.add(worker.stdout.readline().strip())
        time.sleep(float(random.uniform(0, 0.01)))
        worker.send_signal(signal.SIGKILL)
        rest = worker.stdout.read()  # what was read ahead too, which communicate() would leave out
        worker.wait()
        acknowledged |= {line for line in rest.split("\n")[:-1] if line}
        begun += 1
        assert integrity(path) == "ok"
    with Gallery.open(path) as gallery:
        there = {identity.name for identity in gallery.identities()}
        assert acknowledged - removed <= there
        assert len(there) <= len(acknowledged) + begun, "at most the one under way each time was added unsaid"
        assert {identity.templates for identity in gallery.identities()} == {3}


def test_threads_share_one_gallery(path, space, person, templates):
    failures: list[BaseException] = []
    with Gallery.open(path) as gallery:

        def work(number: int) -> None:
            try:
                gallery.enrol(f"p{number}", templates(person(number)), space=space)
                assert gallery.search(person(number), space)[0][0].name == f"p{number}"
                gallery.identities(), gallery.covers(), gallery.audit()
                if number % 4 == 0:
                    gallery.remove(f"p{number}")
            except BaseException as error:  # handed to the main thread
                failures.append(error)
                raise

        threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert {identity.name for identity in gallery.identities()} == {f"p{n}" for n in range(24) if n % 4}


def test_a_forked_process_opens_the_file_anew(path, space, person, templates):
    code = """
import os, sys
from core.gallery import Gallery
gallery = Gallery.open(sys.argv[1])
child = os.fork()
if child == 0:
    gallery.remove("Ada")
    os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(status or gallery.size)
"""
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
    assert subprocess.run([sys.executable, "-c", AS_OWNER + code, str(path)], check=False).returncode == 0
    assert integrity(path) == "ok"
