"""The jobs "ingest", "build", "demo", "fetch" and "check": a data set as a run that is seen, stopped and resumed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.dataset.errors import BuildStopped
from core.dataset.file_placement import refuse_existing
from core.dataset.manifest import is_dataset, read_dataset
from core.jobs.context import JobContext
from core.jobs.errors import JobStopped
from core.settings import load_settings
from core.system.text import count


def ingest(context: JobContext) -> dict[str, Any]:
    """Photographs in (see `core.dataset.ingest.run`); with `check` in its config the outcome is checked too."""
    from core.dataset.ingest import run

    config = dict(context.config)
    wanted = bool(config.pop("check", False))
    report = run(replace(context, config=config))
    return {**report, "made": [report["out"]], **(_checked(context, [Path(report["out"])]) if wanted else {})}


def fetch(context: JobContext) -> dict[str, Any]:
    """A public data set: config has `name` ("lfw" or "olivetti"), `out` and `downloads`, and may have `check`."""
    from core.dataset.fetch import fetch as fetch_public

    warnings.filterwarnings("ignore", module="sklearn")  # its retries; what matters comes as an error
    config = context.config
    out = Path(config["out"])
    with _stoppable():
        summary = fetch_public(
            config["name"],
            out,
            downloads=Path(config["downloads"]),
            on_event=context.on_event,
            should_stop=context.should_stop,
        )
    report = {"out": str(out), "made": [str(out)], "text": summary.text}
    return {**report, **(_checked(context, [out]) if config.get("check") else {})}


def demo(context: JobContext) -> dict[str, Any]:
    """Drawn people, checked: config has `out`, and may have `identities`, `images`, `seed` and `method`."""
    from core.dataset.synthetic.demo import make_demo

    config = dict(context.config)
    out = Path(config.pop("out"))
    if not _mine(context, out):
        with _stoppable():
            make_demo(out, **config, on_event=context.on_event, should_stop=context.should_stop)
    people = read_dataset(out).info.counts["identities"]
    text = f"Drawn faces of {count(people, 'person', 'people')}."
    return {"out": str(out), "made": [str(out)], "text": text, **_checked(context, [out])}


def build(context: JobContext) -> dict[str, Any]:
    """A split, checked: config has `source` and `out`, and may have `layout`, `pattern`, `columns` and every field of
    BuildOptions by name."""
    from core.dataset.build import BUILD_MODES, BuildOptions
    from core.dataset.build import build as build_split
    from core.dataset.scan import scan

    config = dict(context.config)
    source, out = Path(config.pop("source")), Path(config.pop("out"))
    how = {name: config.pop(name, None) for name in ("layout", "pattern", "columns")}
    options = BuildOptions(**config)
    made = [out / mode for mode in BUILD_MODES[:2]] if options.mode == "both" else [out]
    with _stoppable():
        if options.update or not _mine(context, made[0], out):
            context.on_event("reading", title="what the source holds")
            build_split(scan(source, **how), out, options, on_event=context.on_event, should_stop=context.should_stop)
    lines = []
    for root in made:
        info = read_dataset(root).info
        counts = info.counts["splits"]
        parts = ", ".join(f"{counts[side]['pairs']:,} {side}" for side in counts)
        lines.append(f"{info.mode}: {info.counts['identities']:,} people, {parts}.")
    report = {"out": str(out), "made": [str(root) for root in made], "text": " ".join(lines)}
    return {**report, **_checked(context, made)}


def check(context: JobContext) -> dict[str, Any]:
    """The check of one data set: config has `root`. The verdict is kept."""
    root = Path(context.config["root"])
    return {"out": str(root), "made": [str(root)], **_checked(context, [root])}


def _checked(context: JobContext, roots: list[Path]) -> dict[str, Any]:
    """Check each data set and keep the verdict, where pages and commands find it."""
    from core.dataset.check import check as check_dataset
    from core.dataset.check_cache import keep_verdict

    said: list[str] = []
    good = True
    for root in roots:
        dataset = read_dataset(root)
        with _stoppable():
            verdict = check_dataset(dataset, on_event=context.on_event, should_stop=context.should_stop)
        keep_verdict(load_settings(), dataset, verdict)
        context.on_event("verdict", name=dataset.info.name, ok=verdict.ok, text=verdict.text)
        said.append(verdict.text)
        good = good and verdict.ok
    return {"ok": good, "verdict": " ".join(said)}


def _mine(context: JobContext, whole: Path, out: Path | None = None) -> bool:
    """Whether `whole` is there because an earlier attempt of this run made it: killed after it was in its place, the
    run goes on from there. The first attempt refuses what exists already. Raises BuildRefused, StorageFailed."""
    began = context.run.checkpoints / "began"
    if began.exists() and is_dataset(whole):
        return True
    refuse_existing(out or whole)
    began.touch()
    return False


@contextmanager
def _stoppable() -> Iterator[None]:
    """A stop as the jobs know it."""
    try:
        yield
    except BuildStopped as error:
        raise JobStopped(error.what, error.next_step) from error
