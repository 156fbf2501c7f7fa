"""Journal of an ingest in a hidden folder next to its output: an ingest that was killed continues from it.

`.<name>.ingest/` holds the images under `root/`, one line of `journal.jsonl` for each photograph that is done (written
after its images), and `plan.json`, which says for what list and settings. At the end `root/` becomes the output. Images
are files, or members of shards; those are written in the photographs' order, and a line says where they lie.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from core.dataset.errors import BuildRefused
from core.dataset.shard_writer import ShardWriter, whole_spans
from core.errors import StorageFailed
from core.images import sha256_of
from core.system.platform_files import lock, open_folder

PLAN_NAME = "plan.json"
JOURNAL_NAME = "journal.jsonl"

Entry = dict[str, Any]
"""{"i": number of the photograph, "rows": [...]} or {"i": ..., "rejected": its row of rejected.csv}; "span" where the
images lie in a shard."""


def work_folder(out: Path) -> Path:
    """The hidden folder of unfinished work for `out`."""
    return out.parent / f".{out.name}.ingest"


@contextmanager
def storage(folder: Path) -> Iterator[None]:
    """Turn OSError into StorageFailed; finished work stays for the next run."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            f"{folder} couldn't be written: {error.strerror or error}.",
            "Free space or check the folder's permissions, then run it again: it goes on where it stopped.",
        ) from error


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Lock the work folder of `out` against other processes. Raises BuildRefused, StorageFailed."""
    folder = work_folder(out)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = open_folder(folder)
    with held(handle, folder, f"Another ingest into {out} is running."):
        yield


@contextmanager
def held(handle: int, folder: Path, busy: str) -> Iterator[None]:
    """Lock an open folder against other processes, and close it at the end. Raises BuildRefused with the text `busy`
    when it is locked, StorageFailed. The kernel releases the lock when the process ends."""
    try:
        try:
            alone = lock(handle, wait=False)
        except OSError as error:
            raise StorageFailed(f"{folder} can't be locked: {error.strerror}.", "Choose another folder.") from error
        if not alone:
            raise BuildRefused(busy, "Wait for it, or stop it first.")
        yield
    finally:
        os.close(handle)


class Journal:
    """The work folder of one output, opened for one plan; work for another plan is discarded. `shard_bytes`: the
    images go to shards of at most this size, 0: to a file each."""

    def __init__(self, out: Path, plan: str, shard_bytes: int = 0) -> None:
        self.folder = work_folder(out)
        self.root = self.folder / "root"
        self.done: dict[int, Entry] = {}
        self._file: BinaryIO | None = None
        self._shards: ShardWriter | None = None
        with storage(self.folder):
            if self._plan() == plan:
                entries = self._in_whole_shards() if shard_bytes else filter(self._is_whole, self._entries())
                self.done = {entry["i"]: entry for entry in entries}
            else:
                self._clear()
            self.root.mkdir(parents=True, exist_ok=True)
            if shard_bytes:
                spans = [entry["span"] for entry in self.done.values() if "span" in entry]
                self._shards = ShardWriter(self.root, shard_bytes, spans[-1] if spans else None)
            (self.folder / PLAN_NAME).write_text(json.dumps({"plan": plan}), encoding="utf-8")
            self._rewrite()

    def write_images(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """Write the images of one photograph before its entry: an incomplete file has no entry and is written again.
        Returns those that `add` is to write, in the photographs' order: all where they go to shards."""
        if self._shards is not None:
            return files
        for path, content in files.items():
            target = self.root / path
            try:
                target.write_bytes(content)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        return {}

    def add(self, entry: Entry, files: dict[str, bytes], vlr_px: int) -> None:
        """Record a photograph whose images are all written but for `files`, which go to a shard now."""
        if files and self._shards is not None:
            entry["span"] = self._shards.add(entry["i"], entry["rows"], files, vlr_px)
        if self._file is None:
            self._file = (self.folder / JOURNAL_NAME).open("ab")
        self._file.write(json.dumps(entry).encode("utf-8") + b"\n")
        self._file.flush()
        self.done[entry["i"]] = entry

    def close(self) -> None:
        if self._shards is not None:
            self._shards.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def finish(self, out: Path) -> None:
        """Remove files that no entry names, move the images to `out` as a whole, and remove the work folder."""
        named = {row["path"] for entry in self.done.values() for row in entry.get("rows", ())}
        with storage(out):
            for path in [p for p in self.root.rglob("*.png") if p.relative_to(self.root).as_posix() not in named]:
                path.unlink()
            if self._shards is not None:
                self._shards.finish()
            self.close()
            if out.is_dir():
                out.rmdir()  # only an empty one came this far
            self.root.rename(out)
            shutil.rmtree(self.folder)

    def _plan(self) -> str | None:
        try:
            said = json.loads((self.folder / PLAN_NAME).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        return said.get("plan") if isinstance(said, dict) else None

    def _entries(self) -> Iterator[Entry]:
        """Every complete line; the incomplete last line of a killed writer is skipped."""
        try:
            content = (self.folder / JOURNAL_NAME).read_bytes()
        except FileNotFoundError:
            return
        for line in content.split(b"\n")[:-1]:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and isinstance(entry.get("i"), int):
                yield entry

    def _in_whole_shards(self) -> list[Entry]:
        """The entries up to the first whose images aren't as they were written: a shard is continued at its end."""
        entries = [entry for number, entry in enumerate(self._entries()) if entry["i"] == number]
        spans = [(number, entry["span"]) for number, entry in enumerate(entries) if "span" in entry]
        whole = whole_spans(self.root, [span for _, span in spans])
        return entries if whole == len(spans) else entries[: spans[whole][0]]

    def _is_whole(self, entry: Entry) -> bool:
        """Whether its images are as they were written (after a power cut some may not be)."""
        for row in entry.get("rows", ()):
            try:
                if sha256_of((self.root / row["path"]).read_bytes()) != row["sha256"]:
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _rewrite(self) -> None:
        """Rewrite the journal without an incomplete last line."""
        lines = b"".join(json.dumps(self.done[i]).encode("utf-8") + b"\n" for i in sorted(self.done))
        part = self.folder / f"{JOURNAL_NAME}.part"
        part.write_bytes(lines)
        part.replace(self.folder / JOURNAL_NAME)
