"""One reader under atheris: `python -m tests.fuzz.one NAME FOLDER [libFuzzer's options] CORPUS`; see `__main__`."""

from __future__ import annotations

import resource
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["core"]):
    from core.access.actor import owner, resolve_with
    from core.errors import CoreError
    from tests.unit.test_hostile_files import MOST_BYTES, READERS, asked


def main() -> None:
    name, folder, *options = sys.argv[1:]
    make, read = READERS[name]
    place = Path(folder) / "input"
    place.mkdir()
    whole = make(place)
    (Path(options[-1]) / "whole").write_bytes(whole)  # the corpus begins with a file that is right

    def once(content: bytes) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / name).write_bytes(content)
        asked(read, place / name)

    (place / name).write_bytes(whole)
    with suppress(CoreError):
        read(place / name)  # loads what the reader needs, before time and memory are counted
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    limit = f"-rss_limit_mb={before_mb + MOST_BYTES // 1_000_000}"
    atheris.Setup([sys.argv[0], limit, "-max_len=200000", *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    resolve_with(owner)
    main()
