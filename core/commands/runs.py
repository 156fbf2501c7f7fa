"""`runs`: jobs in processes of their own: list, show, follow, stop, resume and remove them, and set limits."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import UsageMistake, confirm, example
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import plain, say, say_json, say_result, say_table
from core.jobs.json_values import json_value
from core.settings import load_settings

if TYPE_CHECKING:
    from core.jobs.events import Event
    from core.jobs.run_dir import Run

group = typer.Typer(
    help="Long jobs (ingest, training): list, show, follow, stop, resume and remove runs.",
    epilog=example("runs list", "runs log last --follow"),
    rich_markup_mode=None,
)

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help='KIND/NAME as `runs list` shows it, a part that fits only one, or "last".')
]
_OUTPUT_BYTES = 200_000


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="runs")


@group.command("list", epilog=example("runs list", "runs list --kind ingest --json"))
def list_all(
    kind: Annotated[str | None, typer.Option("--kind", help="Only runs of this kind.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every run with its status, newest first."""
    from core.jobs.run_dir import list_runs, runs_root

    rows = [facts for run in list_runs(runs_root(load_settings()), kind) if (facts := _facts(run)) is not None]
    if as_json:
        say_json([json_value(row) for row in rows])
        return
    if not rows:
        say("No run yet." if kind is None else f"No run of the kind {kind}.")
        return
    say_table(
        ("run", "status", "created", "attempts", "error"),
        [(r["run"], r["status"], _when(r["created"]), r["attempts"], r["error"]) for r in rows],
    )


@group.command("show", epilog=example("runs show last", "runs show last --json"))
def show(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run: its status, configuration, last event and report."""
    from core.jobs.events import read_events

    found = _find(run)
    state = found.state()
    events, _ = read_events(found.events_path)
    facts = {
        **_described(found),
        "queued": state.queued,
        "started": state.started,
        "ended": state.ended,
        "pid": state.pid if state.live else None,
        "folder": found.path,
        "config": found.config,
        "last_event": _event(events[-1]) if events else None,
        "report": found.report,
    }
    if as_json:
        say_json(json_value(facts))
        return
    say(f"{found.id}: {state.status}{f' (attempt {state.attempts})' if state.attempts > 1 else ''}")
    if state.error:
        say(f"  {state.error} {state.next_step}")
    for name in ("queued", "started", "ended"):
        if facts[name] is not None:
            say(f"  {name}: {_when(facts[name])}")
    say(f"  folder: {found.path}")
    for title, values in (("asked for", found.config), ("came of it", found.report or {})):
        for key, value in values.items():
            say(f"  {title}: {key} = {_short(value)}")
    if events:
        say(f"  last event: {_line(events[-1])}")
    if state.resumable:
        say(f"Next: edgeface-studio runs resume {found.id}")


@group.command("log", epilog=example("runs log last", "runs log last --follow", "runs log last --output"))
def log(
    run: RunArgument,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow until the run has ended. Ctrl-C stops following, not the run.")
    ] = False,
    output: Annotated[bool, typer.Option("--output", help="The output of the process, instead of its events.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a run's events, one a line (with --json one JSON object a line)."""
    from core.jobs.events import read_events, tail_text
    from core.jobs.launch import follow as follow_events

    found = _find(run)
    if output:
        if follow or as_json:
            raise UsageMistake("--output goes with neither --follow nor --json.", "Leave one of them out.")
        text, _ = tail_text(found.log_path, most_bytes=_OUTPUT_BYTES)
        for line in text.splitlines():
            typer.echo(plain(line) if line == line.lstrip() else f"  {plain(line)}")
        return
    for event in follow_events(found) if follow else read_events(found.events_path)[0]:
        if as_json:
            _say_json_line(_event(event))
        else:
            say(_line(event))


@group.command("stop", epilog=example("runs stop last"))
def stop(run: RunArgument, as_json: JsonOption = False) -> None:
    """Ask a run to stop at its next step; it can be resumed."""
    from core.jobs.launch import stop as ask

    found = _find(run)
    ask(found)
    say_result(json_value({**_described(found), "asked_to_stop": True}), f"{found.id} was asked to stop.", as_json)


@group.command("resume", epilog=example("runs resume last"))
def resume(run: RunArgument, as_json: JsonOption = False) -> None:
    """Resume an interrupted, failed or stopped run from its last checkpoint."""
    from core.jobs.launch import resume as again

    found = _find(run)
    again(found, load_settings())
    say_result(
        json_value(_described(found)),
        f"{found.id} was resumed. Follow it: edgeface-studio runs log {found.id} --follow",
        as_json,
    )


@group.command("remove", epilog=example("runs remove last --yes"))
def remove(
    run: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a run's folder with its checkpoints and report. Results elsewhere stay."""
    from core.jobs.errors import JobError
    from core.jobs.run_dir import delete_run

    found = _find(run)
    if found.state().live:
        raise JobError(f"{found.id} is still active.", f"Stop it first: edgeface-studio runs stop {found.id}")
    if not yes and not confirm(f"Remove {found.id} with its checkpoints and report?"):
        raise typer.Abort
    delete_run(found)
    say_result({"run": found.id, "removed": True}, f"Removed {found.id}.", as_json)


@group.command("settings", epilog=example("runs settings", "runs settings --at-once 2 --niceness 10"))
def settings(
    at_once: Annotated[
        int | None, typer.Option("--at-once", metavar="N", help="How many runs may run at once; others wait.")
    ] = None,
    niceness: Annotated[
        int | None,
        typer.Option("--niceness", metavar="0-19", help="Niceness: higher values give other programs priority."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", help="Threads that a run may use; 0: no limit.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change how many runs run at once, their niceness, and their threads."""
    from core.jobs.policy import read_policy, write_policy

    installation = load_settings()
    policy = read_policy(installation)
    asked = {"at_once": at_once, "niceness": niceness, "threads": threads}
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if changes:
        if threads == 0:
            changes["threads"] = None
        policy = replace(policy, **changes)
        write_policy(installation, policy)
    if as_json:
        say_json(asdict(policy))
        return
    say(f"at once: {policy.at_once}")
    say(f"niceness: {policy.niceness}")
    say(f"threads: {policy.threads or 'as many as a run likes'}")


def _find(text: str) -> Run:
    from core.jobs.run_dir import find_run, runs_root

    return find_run(runs_root(load_settings()), text)


def _facts(run: Run) -> dict[str, Any] | None:
    from core.jobs.errors import RunNotFound

    try:
        return _described(run)
    except RunNotFound:  # removed since it was listed
        return None


def _described(run: Run) -> dict[str, Any]:
    state = run.state()
    return {
        "run": run.id,
        "kind": run.kind,
        "status": state.status,
        "created": run.created,
        "attempts": state.attempts,
        "resumable": state.resumable,
        "error": state.error,
        "next_step": state.next_step,
    }


def _event(event: Event) -> dict[str, Any]:
    return {"at": event.at.isoformat(), "kind": event.kind, "data": event.data}


def _line(event: Event) -> str:
    fields = ", ".join(f"{key} {_short(value)}" for key, value in event.data.items())
    return f"{_when(event.at)} {event.kind}{f': {fields}' if fields else ''}"


def _short(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _say_json_line(value: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(value, allow_nan=False, default=str))
