"""Runs at the command line: launch one and wait for its end, with progress on the last line, or find a trained one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from core.commands.shared.common import UsageMistake
from core.commands.shared.printing import note, progress_line, say, say_json
from core.settings import load_settings

if TYPE_CHECKING:
    from core.jobs.events import Event
    from core.jobs.run_dir import Run
    from core.jobs.state import State


def run_to_end(
    kind: str,
    config: dict[str, Any],
    slug: str,
    on_event: Callable[[Event], None],
    *,
    detach: bool,
    as_json: bool,
    next_step: str = "",
) -> Run | None:
    """Launch a run and wait for its end; with `detach`, print its name and return None.

    Raises UsageMistake when the run ends otherwise than done, with `next_step` or the state's own.
    """
    from core.jobs.launch import launch

    run = launch(load_settings(), kind, config, slug=slug)
    if detach:
        say_started(run, as_json)
        return None
    state = wait_for(run, on_event)
    if state.status != "done":
        show = f"See edgeface-studio runs show {run.id}"
        raise UsageMistake(
            f"{run.id} is {state.status}. {state.error or ''}".strip(),
            next_step.format(show=show, run=run.id) or state.next_step or show,
        )
    return run


def say_started(run: Run, as_json: bool) -> None:
    """Print the name of a run that was launched and isn't waited for."""
    say_json({"run": run.id}) if as_json else say(f"{run.id} has started.")


def wait_for(run: Run, on_event: Callable[[Event], None]) -> State:
    """Pass every event to `on_event` until the run has ended, and return its state. Ctrl-C asks the run to stop, prints
    how to resume it, and is raised again."""
    from core.jobs.launch import follow, stop

    with progress_line():
        try:
            for event in follow(run):
                on_event(event)
        except KeyboardInterrupt:
            stop(run)
            note(f"{run.id} was asked to stop; resume it with: edgeface-studio runs resume {run.id}")
            raise
    return run.state()


def trained_run(text: str, which: Literal["best", "last"] = "best") -> Run:
    """The trained run of a name, a part of one, or "last", with a note if its checkpoint isn't the final one."""
    from core.jobs.run_dir import runs_root
    from core.training.activate import find_trained

    choice = find_trained(runs_root(load_settings()), text, which)
    if choice.note:
        note(choice.note)
    return choice.run
