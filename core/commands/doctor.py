"""`doctor`: what is installed, what is missing and how to get it."""

from __future__ import annotations

import typer

from core.commands.shared.common import example
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import progress, say, say_json, say_table
from core.settings import load_settings


def add_to(app: typer.Typer) -> None:
    app.command("doctor", epilog=example("doctor", "doctor --json"))(doctor)


def doctor(as_json: JsonOption = False) -> None:
    """Show what is installed and in use, what is missing and how to get it.

    Exits with 0 if faces can be recognised, with 1 if something needed for it is missing.
    """
    from core.diagnostics.doctor import can_recognise, examine

    progress("looking ...")
    rows = examine(load_settings())
    progress("")
    ready = can_recognise(rows)
    if as_json:
        checks = [
            {"name": r.name, "state": r.state, "needed": r.needed, "detail": r.detail, "how_to_get": r.how_to_get}
            for r in rows
        ]
        say_json({"ready": ready, "checks": checks})
    else:
        lines: list[tuple[str, str, str]] = []
        for row in rows:
            lines.append((row.state if row.state == "ok" else row.state.upper(), row.name, row.detail))
            if row.how_to_get:
                lines.append(("", "", f"-> {row.how_to_get}"))
        say_table(("state", "what", "found"), lines)
        say("Ready to recognise faces." if ready else "Not ready: see what is missing above.")
    if not ready:
        raise typer.Exit(1)
