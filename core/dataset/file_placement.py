"""Placing files: hard links or copies, in a folder that appears as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from core.dataset.errors import BuildRefused
from core.errors import StorageFailed
from core.jobs.context import NO_HOOKS, Hooks

_CHUNK = 500


def place(
    files: Sequence[tuple[str, str]],
    link: str,
    *,
    hooks: Hooks = NO_HOOKS,
) -> str:
    """Link or copy each source to its target; returns "hard", "copy" or "hard and copy".

    "auto" copies files that can't be hard-linked (another disk, a file system without links). An existing target of an
    earlier attempt is replaced. Raises BuildRefused for "hard" where links can't be, StorageFailed.
    """
    done: set[str] = set()
    for folder in {os.path.split(target)[0] for _, target in files}:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for number, (source, target) in enumerate(files):
        if number % _CHUNK == 0:
            hooks.check_stop()
            hooks.progress("place", number, len(files))
        done.add(_place_one(source, target, link))
    hooks.progress("place", len(files), len(files))
    return " and ".join(sorted(done, reverse=True)) or "copy"


def _place_one(source: str, target: str, link: str) -> str:
    """As `place`, for one file; paths are text here, since making Path objects takes longer than a link."""
    real = os.path.realpath(source) if stat.S_ISLNK(os.lstat(source).st_mode) else source
    folder, name = os.path.split(target)
    if link != "copy":
        try:
            try:
                os.link(real, target)
            except FileExistsError:
                Path(target).unlink()
                os.link(real, target)
            return "hard"
        except OSError as error:
            if link == "hard":
                raise BuildRefused(
                    f"{name} can't be hard-linked to {folder}: {error.strerror or error}.",
                    "Build on the source's own disk, or use --link auto or copy.",
                ) from error
    temporary = Path(folder, part_name(name))
    shutil.copyfile(real, temporary)
    temporary.replace(target)
    return "copy"


def part_name(name: str) -> str:
    """The temporary name of a file while it is copied."""
    return f".{name}.part"


@contextmanager
def whole_folder(out: Path, purpose: str = "building") -> Iterator[Path]:
    """A hidden folder next to `out` that becomes `out` at the end; on an error or Ctrl-C it is removed.

    Folders left by killed processes are removed first. Raises BuildRefused when `out` exists, StorageFailed.
    """
    refuse_existing(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out, purpose)
        hidden = Path(tempfile.mkdtemp(prefix=f".{out.name}.{purpose}-{os.getpid()}-", dir=out.parent))
    except OSError as error:
        raise StorageFailed(f"{out} can't be created: {error.strerror or error}.", "Choose another folder.") from error
    try:
        yield hidden
        refuse_existing(out)
        hidden.rename(out)
    except OSError as error:
        raise StorageFailed(
            f"{out} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def refuse_existing(out: Path) -> None:
    """Raises BuildRefused when something is at `out` already, other than an empty folder."""
    if out.is_symlink() or out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise BuildRefused(f"{out} exists already.", "Choose another folder, or add new images to it with --update.")


def remove_leftovers(out: Path, purpose: str) -> None:
    """Remove hidden folders that killed processes left next to `out`."""
    prefix = f".{out.name}.{purpose}-"
    for left in out.parent.iterdir():
        if left.name.startswith(prefix) and left.is_dir() and not left.is_symlink():
            owner = left.name.removeprefix(prefix).split("-")[0]
            if owner.isdigit() and not _alive(int(owner)):
                shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.pid_exists(pid))
    except OverflowError:  # no number of a process: the folder is somebody else's
        return True
