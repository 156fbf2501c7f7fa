"""The console command `edgeface-studio`: every command, and the one place where a fault becomes an exit code.

0: done. 1: a fault of the program (or `doctor`: it can't recognise yet). 2: something that the user can mend, said in
one line. 130: interrupted.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from core import __version__
from core.commands import weights
from core.commands.output import EXIT_INTERRUPTED, EXIT_USER, fail, stop, stop_unexpected
from core.errors import CoreError


class Commands(TyperGroup):
    """The root command: faults end in one line, in a test's runner just as in a terminal."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        _print_any_name()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = super().main(args, *rest, **extra)
        except CoreError as error:
            stop(error)
        except typer.Exit as done:
            code = done.exit_code
        except (KeyboardInterrupt, typer.Abort):
            fail("interrupted.", EXIT_INTERRUPTED)
        except BrokenPipeError:
            # The reader (`| head`) has gone: nothing more can be printed, not even by the interpreter's last flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except Exception as error:  # noqa: BLE001  # the last line of defence: a log file instead of a traceback
            _stop_usage_or_fault(error)
        sys.exit(code if isinstance(code, int) else 0)


def _stop_usage_or_fault(error: Exception) -> None:
    context = getattr(error, "ctx", None)
    message = getattr(error, "format_message", None)
    if message is None:
        stop_unexpected(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message(), err=False)
        sys.exit(EXIT_USER)
    where = getattr(context, "command_path", "edgeface-studio")
    text = str(message()).strip()
    fail(f"{text}{'' if text.endswith(('.', '?')) else '.'} See: {where} --help", EXIT_USER)


def _print_any_name() -> None:
    """Names and paths may hold what the terminal's encoding lacks: shown as escapes instead of a fault."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


app = typer.Typer(
    cls=Commands,
    name="edgeface-studio",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"edgeface-studio {__version__}")
        raise typer.Exit


@app.callback()
def studio(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Recognise faces down to 16 pixels: enrol people, identify photographs, look after gallery and weights.

    \b
    First steps:
      edgeface-studio doctor
      edgeface-studio weights fetch edgeface_xxs
      edgeface-studio enroll --user-id "Ana" --photos ana1.jpg ana2.jpg ana3.jpg
      edgeface-studio identify party.jpg --all-faces
    """


app.add_typer(weights.app, name="weights")


def main() -> None:
    """Entry point of the console command and of `python -m core`."""
    app(prog_name="edgeface-studio")


if __name__ == "__main__":
    main()
