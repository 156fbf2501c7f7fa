"""The command line `edgeface-studio`. A user's mistake ends with exit code 2 and one line, never with a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from core.access.actor import owner, resolve_with
from core.commands import attacks, bench, compare, doctor, inspect, runs, users
from core.commands.dataset import app as dataset
from core.commands.diagnose import app as diagnose
from core.commands.enroll import app as enroll
from core.commands.enroll import bulk
from core.commands.evaluate import app as evaluate
from core.commands.evaluate import studies
from core.commands.gallery import app as gallery
from core.commands.identify import app as identify
from core.commands.identify import video
from core.commands.shared.common import example
from core.commands.shared.printing import plain
from core.commands.train import app as train
from core.commands.weights import app as weights
from core.errors import CoreError
from core.settings import data_folder, load_settings
from core.system.atomic_file import write_atomically
from core.system.logs import LEVEL_VARIABLE, LEVELS, level_of, log_to_stderr, redacted_traceback
from core.system.private_files import keep_private
from core.system.thread_env import let_threads_wait

USAGE_MISTAKE = 2
FAULT = 1
INTERRUPTED = 130

_OF_THE_SYSTEM = frozenset(
    {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}
)
"""Errors of the operating system about a path or a disk, which the user can correct."""

app = typer.Typer(
    name="edgeface-studio",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
doctor.add_to(app)
weights.add_to(app)
bulk.add_to(enroll.group)
enroll.add_to(app)
video.add_to(identify.group)
identify.add_to(app)
compare.add_to(app)
inspect.add_to(app)
gallery.add_to(app)
studies.add_to(evaluate.group)
evaluate.add_to(app)
runs.add_to(app)
train.add_to(app)
diagnose.add_to(app)
dataset.add_to(app)
users.add_to(app)
attacks.add_to(app)
bench.add_to(app)


@app.callback(invoke_without_command=True, epilog=example("doctor", "identify photo.jpg"))
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            help=f"Log lines on standard error from this level on: {', '.join(LEVELS)}; default: EDGEFACE_LOG_LEVEL, "
            "else warning.",
        ),
    ] = None,
) -> None:
    """Recognise faces, also very small ones. Begin with `edgeface-studio doctor`."""
    if log_level is not None:
        level_of(log_level)
        os.environ[LEVEL_VARIABLE] = log_level  # for the runs that this command starts, too
        log_to_stderr(log_level)
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"edgeface-studio {installed('edgeface-studio')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's) and return its exit code: 0 done, 1 a fault or a failed check,
    2 a user's mistake, 130 stopped with Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    keep_private(data_folder())
    resolve_with(owner)
    let_threads_wait()
    try:
        log_to_stderr("warning")
        code = app(args=arguments, prog_name="edgeface-studio", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except CoreError as error:
        return _mistake(f"{_sentence(error.what)} {error.next_step}")
    except typer.TyperException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "edgeface-studio")
        message = error.format_message().replace(": Value error, ", ": ")
        return _mistake(f"{_sentence(message)} See {command} --help.")
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the output: print nothing more, and raise no error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            return _fault(error)
        return _mistake(f"{error.filename or 'A file'} can't be used: {error.strerror}. Check the path and the disk.")
    except Exception as error:  # noqa: BLE001 (an unexpected error ends with one line and a log file)
        return _fault(error)


def main() -> None:
    """The console command."""
    sys.exit(run())


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _mistake(text: str) -> int:
    typer.echo(f"error: {plain(text)}", err=True)
    return USAGE_MISTAKE


def _fault(error: BaseException) -> int:
    """Write the traceback to data/logs and print one line that names the file."""
    try:
        path = _write_log(error, load_settings().data_dir / "logs")
        where = f"Details are in {path}"
    except CoreError:
        where = "Its details couldn't be saved"
    typer.echo(plain(f"error: something went wrong inside ({type(error).__name__}). {where}."), err=True)
    return FAULT


def _write_log(error: BaseException, folder: Path) -> Path:
    """Write where it happened, without messages or arguments, which may hold names, to a file of its own."""
    now = datetime.now(UTC)
    text = f"{now.isoformat(timespec='seconds')} edgeface-studio\n{redacted_traceback(error)}\n"
    path = folder / f"{now:%Y%m%dT%H%M%S%f}Z-command.log"
    write_atomically(path, text.encode("utf-8", "replace"))
    return path
