"""Run in a process of its own: the project's modules and basic commands without what only POSIX systems have.

The packages that it stands on are loaded first, as they are on this system; then the modules and functions that Windows
lacks are taken away, and everything of the project is imported again and used.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import os
import pkgutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import ModuleType

PROJECT_ROOT = Path(__file__).resolve().parent.parent
LACKING = frozenset({"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline"})
OF_OS = (
    "fork",
    "forkpty",
    "register_at_fork",
    "nice",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getpgid",
    "getpgrp",
    "getsid",
    "setsid",
    "setuid",
    "setgid",
    "killpg",
    "getloadavg",
    "chown",
    "fchown",
    "lchown",
    "fchmod",
    "fchdir",
    "mkfifo",
    "mknod",
    "uname",
    "sysconf",
    "confstr",
    "sync",
    "pread",
    "pwrite",
    "posix_fadvise",
    "posix_fallocate",
    "sched_getaffinity",
    "sched_setaffinity",
    "getpriority",
    "setpriority",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "O_CLOEXEC",
    "O_NONBLOCK",
    "O_SYNC",
)
OF_SIGNAL = ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "pthread_sigmask", "alarm")
PACKAGES = ("core", "dashboard")
PAGES = frozenset({"dashboard.Home", "core.__main__"})
"""Modules that run when they are imported."""


class Lacking(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        if name in LACKING:
            raise ModuleNotFoundError(f"No module named '{name}' on this system", name=name)


def modules() -> list[str]:
    found = []
    for name in PACKAGES:
        package = importlib.import_module(name)
        found += [name, *(each.name for each in pkgutil.walk_packages(package.__path__, f"{name}."))]
    return [name for name in found if name not in PAGES]


def load_packages() -> None:
    """Every package that a line of the project imports, also those that functions import when they are called."""
    for package in PACKAGES:
        for path in (PROJECT_ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    if name.partition(".")[0] not in PACKAGES:
                        with suppress(ImportError):
                            importlib.import_module(name)


def take_away() -> None:
    for name in LACKING:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Lacking())
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def use(folder: Path) -> None:
    """The basic paths: locks, runs, users, a gallery, commands."""
    from skimage import data, io

    from core.cli import run
    from core.dataset.journal import only_one
    from core.dataset.unfinished import only_update
    from core.jobs import processes, worker
    from core.jobs.run_dir import create_run, find_run, runs_root
    from core.settings import load_settings

    processes._PROC = folder / "no proc here"
    settings = load_settings()
    assert processes.is_alive(os.getpid(), processes.process_start(os.getpid()))

    photograph = folder / "astronaut.png"
    io.imsave(photograph, data.astronaut())
    for command in (
        ["weights", "list"],
        ["doctor"],
        ["enroll", "--user-id", "Ada", "--photos", str(photograph)],
        ["identify", str(photograph)],
        ["gallery", "list"],
        ["gallery", "backup", str(folder / "backup.db")],
        ["gallery", "export", str(folder / "people.efgallery")],
        ["gallery", "erase", "Ada", "--yes"],
        ["runs", "settings", "--niceness", "0"],
        ["runs", "list"],
    ):
        assert run(command) == 0, command

    made = create_run(runs_root(settings), "demo", "elsewhere", {"out": str(settings.data_dir / "datasets" / "drawn")})
    made = find_run(runs_root(settings), made.id)
    assert worker.main([str(made.path)], kinds={"demo": "tests.elsewhere:tiny_job"}) == 0
    assert made.state().status == "done" and made.report == {"answer": 42}

    out = folder / "set"
    out.mkdir()
    with only_one(out), only_update(out):
        assert out.is_dir()
    assert run(["gallery", "list"]) == 0


def tiny_job(context: object) -> dict[str, object]:
    return {"answer": 42}


def main() -> None:
    names = modules()
    for name in names:
        importlib.import_module(name)
    load_packages()
    take_away()
    for name in names:
        importlib.import_module(name)
    print(f"{len(names)} modules")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EDGEFACE_DATA_DIR"] = str(Path(folder) / "data")
        use(Path(folder))
    print("used")


if __name__ == "__main__":
    main()
