"""Kill processes at random moments, and let many work at once: `python -m tests.endurance --kills 200 --seconds 60`.

Prints what was done and found as JSON, and ends with code 1 where anything was lost. A seed makes the moments of the
kills the same, as far as the system's own timing allows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

# Children are forked, and OpenMP's threads don't come with them: the parent must start none. Set before torch loads.
os.environ["OMP_NUM_THREADS"] = "1"

from core.access.actor import owner, resolve_with
from core.gallery import Gallery
from tests.endurance.places import GALLERY_PLACES, SPACE, Place, Say, templates, whole


def child(work: Callable[[Say], None]) -> tuple[int, int]:
    """A forked process that works and acknowledges: (its number, where its words can be read)."""
    reading, writing = os.pipe()
    number = os.fork()
    if number:
        os.close(writing)
        return number, reading
    os.close(reading)
    try:
        work(lambda word: void(os.write(writing, f"{word}\n".encode())))
        os._exit(0)
    except BaseException:  # noqa: BLE001 (the parent reads it)
        os.write(writing, f"FAILED {traceback.format_exc()!r}\n".encode())
        os._exit(1)


def void(_: object) -> None:
    """Nothing."""


def kill_once(place: Place, folder: Path, chance: random.Random) -> list[str]:
    """Let the place work, kill it at a random moment, and give back what it had acknowledged."""
    number, reading = child(lambda say: place.work(folder, say))
    with os.fdopen(reading) as words:
        said = [words.readline().strip() for _ in range(chance.randint(0, place.most))]
        time.sleep(chance.uniform(0, place.within_s))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        rest = words.read()
    said += [line for line in rest.split("\n")[:-1] if line]
    failed = [word for word in said if word.startswith("FAILED")]
    if failed:
        raise AssertionError(f"{place.name}: {failed[0]}")
    return said


def kill_all(places: Sequence[Place], kills: int, seed: int) -> dict[str, dict[str, object]]:
    """`kills` kills, shared evenly; a place's folder lives through all of its kills."""
    results: dict[str, dict[str, object]] = {}
    for position, place in enumerate(places):
        share = kills // len(places) + (position < kills % len(places))
        chance, started = random.Random(seed + position), time.monotonic()
        acknowledged, problem = 0, ""
        folder = Path(tempfile.mkdtemp(prefix="endurance-"))
        try:
            place.prepare(folder)
            for _ in range(share):
                said = kill_once(place, folder, chance)
                acknowledged += len(said)
                place.check(folder, said)
        except AssertionError as error:
            problem = str(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        results[place.name] = {
            "kills": share,
            "acknowledged": acknowledged,
            "seconds": round(time.monotonic() - started, 1),
            "problem": problem,
        }
        print(f"{place.name}: {results[place.name]}", file=sys.stderr, flush=True)
    return results


def all_at_once(processes: int, seconds: float) -> dict[str, object]:
    """Processes that enrol, search and remove in one gallery: every acknowledged change is there afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="endurance-"))
    until = time.monotonic() + seconds

    def work(worker: int, say: Say) -> None:
        with Gallery.open(folder / "gallery.db") as gallery:
            number = 0
            while time.monotonic() < until:
                name, found = f"{worker}-{number}", templates(worker * 1_000_000 + number)
                gallery.enrol(name, found, space=SPACE)
                say(f"+{name}")
                best = gallery.search(found[0].vector, SPACE)[0][0].name
                assert best == name, f"{name} was just enrolled and {best} is found"
                if number % 7 == 6:
                    gallery.remove(name)
                    say(f"-{name}")
                number += 1

    try:
        workers = [child(lambda say, worker=worker: work(worker, say)) for worker in range(processes)]
        words = [line for _, reading in workers for line in os.fdopen(reading).read().splitlines()]
        codes = [os.waitpid(number, 0)[1] for number, _ in workers]
        failed = [word for word in words if word.startswith("FAILED")]
        expected = {word[1:] for word in words if word[0] == "+"} - {word[1:] for word in words if word[0] == "-"}
        with Gallery.open(folder / "gallery.db") as gallery:
            there = {person.name for person in gallery.identities()}
        whole(folder / "gallery.db")
        lost, unexpected = len(expected - there), len(there - expected)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "processes": processes,
        "seconds": seconds,
        "writes": len(words),
        "lost": lost,
        "unexpected": unexpected,
        "failed": failed[:3],
        "problem": "" if not (lost or unexpected or failed or any(codes)) else "see above",
    }


def side_by_side(dashboards: int, commands: int, seconds: float) -> dict[str, object]:
    """Dashboards and commands in one data folder: see tests.endurance.side_by_side."""
    from tests.endurance import side_by_side as mixed

    folder, until = Path(tempfile.mkdtemp(prefix="endurance-")), time.time() + seconds
    try:
        works = [mixed.dashboard] * dashboards + [mixed.commands] * commands
        workers = [
            child(lambda say, work=work, at=at: work(folder, at, until, say)) for at, work in enumerate(works, start=1)
        ]
        readers = [
            threading.Thread(target=lambda r=r: words.extend(os.fdopen(r).read().splitlines())) for _, r in workers
        ]
        words: list[str] = []
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        codes = [os.waitpid(number, 0)[1] for number, _ in workers]
        failed = [word for word in words if word.startswith("FAILED")]
        found: dict[str, object] = mixed.check(folder, [word for word in words if word not in failed])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong = [name for name, value in found.items() if name not in ("people", "events") and value]
    return {
        "dashboards": dashboards,
        "commands": commands,
        "seconds": seconds,
        "acknowledged": len(words),
        **found,
        "failed": failed[:3],
        "problem": "" if not (wrong or failed or any(codes)) else "see above",
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long many processes work at once")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--side-by-side", type=float, default=600.0, help="seconds of dashboards beside commands")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gallery-only", action="store_true", help="leave out what needs torch")
    asked = parser.parse_args()
    for name in ("EDGEFACE_GALLERY_KEY", "EDGEFACE_GALLERY_KEY_FILE", "EDGEFACE_GALLERY_KEYRING"):
        os.environ.pop(name, None)
    places: tuple[Place, ...] = GALLERY_PLACES
    if not asked.gallery_only:
        from tests.endurance.heavy_places import HEAVY_PLACES

        places += HEAVY_PLACES
    kills = kill_all(places, asked.kills, asked.seed)
    together = all_at_once(asked.processes, asked.seconds)
    total = sum(int(str(one["kills"])) for one in kills.values())
    mixed = side_by_side(2, 4, asked.side_by_side)
    print(json.dumps({"kills": total, "places": kills, "together": together, "side by side": mixed}, indent=2))
    return int(any(one["problem"] for one in (*kills.values(), together, mixed)))


if __name__ == "__main__":
    resolve_with(owner)
    sys.exit(main())
