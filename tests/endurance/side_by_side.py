"""Dashboards and commands side by side in one data folder: nothing acknowledged is lost, whoever opens and closes.

A dashboard is a process with several connections in several threads; a command opens the gallery, does one thing and
closes it. SQLite's locks belong to the process, so this is where a second opening would drop them.
"""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from core.access.access_db import access_db_path
from core.access.trail import read_trail, write_trail
from core.gallery import Gallery
from core.gallery.backup import back_up, inspect_backup, list_backups
from core.gallery.transfer import export_bytes
from core.privacy.erasure import erase
from core.privacy.residue_scan import find_traces
from core.settings import Settings, load_settings
from tests.endurance.places import SPACE, Say, templates, whole

ROOT = Path(__file__).resolve().parents[2]
LIST_GALLERY = [sys.executable, "-m", "core", "gallery", "list", "--json"]


def settings_of(folder: Path) -> Settings:
    return load_settings({"EDGEFACE_DATA_DIR": str(folder)})


def dashboard(folder: Path, worker: int, until: float, say: Say) -> None:
    """Two shared connections used by three threads: one changes, one reads and copies, one searches for traces."""
    settings = settings_of(folder)
    page = Gallery.open(settings.gallery_path, keys=lambda: None, wait_s=120)
    pipeline = Gallery.open(settings.gallery_path, keys=lambda: None, wait_s=120)
    problems: list[BaseException] = []

    def thread(work: Callable[[random.Random, int], None], seed: int) -> threading.Thread:
        def loop() -> None:
            chance, number = random.Random(seed), 0
            try:
                while time.time() < until and not problems:
                    work(chance, number)
                    number += 1
            except BaseException as error:  # noqa: BLE001 (raised below, in the process's own thread)
                problems.append(error)

        return threading.Thread(target=loop)

    def changes(chance: random.Random, number: int) -> None:
        name = f"Page-{worker}-{number}-"
        page.enrol(name, templates(worker * 1_000_000 + number), space=SPACE)
        say(f"+{name}")
        if number % 3 == 1:
            page.rename(name, f"{name}renamed")
            say(f"-{name}")
            name += "renamed"
            say(f"+{name}")
        if number % 7 == 5:
            erase(settings, page, name, from_backups=True)
            say(f"-{name}")
        write_trail(settings, f"page {worker} {number}", actor="test")
        say(f"!page {worker} {number}")

    def reads(chance: random.Random, number: int) -> None:
        what = chance.choice(("search", "list", "second", "backup", "look", "export"))
        if what == "search":
            pipeline.search(templates(number)[0].vector, SPACE)
        elif what == "list":
            page.identities(), page.counts(SPACE), page.audit(5)
        elif what == "second":
            with Gallery.open(settings.gallery_path, keys=lambda: None, wait_s=120) as other:
                other.search(templates(number)[0].vector, SPACE)
        elif what == "backup" and number % 5 == 0:
            back_up(page, folder / f"copy-{worker}.db")
            assert not inspect_backup(folder / f"copy-{worker}.db").problem
            whole(folder / f"copy-{worker}.db")
        elif what == "look":
            inspect_backup(settings.gallery_path), list_backups(settings.gallery_path)
        else:
            export_bytes(page)

    def searches(chance: random.Random, number: int) -> None:
        find_traces([folder], [f"Nobody-{number}-"], [templates(number)[0].vector.tobytes()], home=folder)
        read_trail(settings, 10)
        time.sleep(0.05)

    threads = [thread(work, worker * 10 + at) for at, work in enumerate((changes, reads, searches))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    page.close()
    pipeline.close()
    if problems:
        raise problems[0]


def commands(folder: Path, worker: int, until: float, say: Say) -> None:
    """Open, do one thing, close, over and over; now and then the command line itself."""
    settings, number = settings_of(folder), 0
    while time.time() < until:
        name = f"Command-{worker}-{number}-"
        with Gallery.open(settings.gallery_path, keys=lambda: None, wait_s=120) as gallery:
            gallery.enrol(name, templates(worker * 1_000_000 + number), space=SPACE)
        say(f"+{name}")
        write_trail(settings, f"command {worker} {number}", actor="test")
        say(f"!command {worker} {number}")
        if number % 50 == 10:
            command = [*LIST_GALLERY, "--gallery-path", str(settings.gallery_path)]
            listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert listed.returncode == 0 and name in listed.stdout, listed.stderr[-500:]
        number += 1
        time.sleep(0.02)


def check(folder: Path, said: list[str]) -> dict[str, object]:
    """What was acknowledged against what is there: people, the gallery's audit trail, the trail beside it."""
    settings = settings_of(folder)
    balance: Counter[str] = Counter()
    for word in said:
        if word[0] in "+-":
            balance[word[1:]] += 1 if word[0] == "+" else -1
    expected = {name for name, times in balance.items() if times > 0}
    whole(settings.gallery_path)
    with closing(sqlite3.connect(access_db_path(settings))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the trail is damaged"
    with Gallery.open(settings.gallery_path, keys=lambda: None) as gallery:
        there = {person.name for person in gallery.identities()}
        events = Counter(entry.event for entry in gallery.audit(10**6))
        numbers = [entry.id for entry in gallery.audit(10**6)]
    enrolled = sum(word[0] == "+" and not word.endswith("renamed") for word in said)
    renamed = sum(word.endswith("renamed") and word[0] == "+" for word in said)
    kept = {entry.event for entry in read_trail(settings, 10**6)}
    trail = {word[1:] for word in said if word[0] == "!"}
    return {
        "people": len(there),
        "lost": len(expected - there),
        "names lost": sorted(expected - there)[:5],
        "unexpected": len(there - expected),
        "audit lines missing": (enrolled - events["enrolled"]) + (renamed - events["renamed"]),
        "gaps in the audit": max(numbers, default=0) - len(numbers),
        "trail lines missing": len(trail - kept),
        "events": {event: count for event, count in events.items() if re.fullmatch(r"[a-z ]+", event)},
    }
