"""The jobs "ingest", "build", "demo", "fetch" and "check": a data set as a run that can be followed, stopped and
resumed.

A configuration is the one of its kind in `core.dataset.run_config`.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.dataset.file_placement import refuse_existing
from core.dataset.manifest import is_dataset, read_dataset
from core.dataset.run_config import (
    BUILD_MODES,
    BuildConfig,
    CheckConfig,
    DemoConfig,
    FetchConfig,
    IngestConfig,
    configured,
)
from core.jobs.context import JobContext
from core.settings import Settings, load_settings
from core.system.text import count


def ingest(context: JobContext) -> dict[str, Any]:
    """Ingest photographs; with `check` the result is checked."""
    from core.dataset.ingest import ingest as ingest_folder

    config = configured(IngestConfig, context.config)
    done = ingest_folder(config.source, config.out, config, hooks=context.hooks)
    facts = {key: getattr(done, key) for key in ("photographs", "accepted", "rejected", "identities", "reasons")}
    facts |= {} if done.realigned is None else {"realigned": asdict(done.realigned)}
    report = {**_made(config.out), **facts, "reused": done.reused, "seconds": round(done.seconds, 2), "text": done.text}
    return {**report, **(_checked(context, load_settings(), [config.out]) if config.check else {})}


def fetch(context: JobContext) -> dict[str, Any]:
    """Download a public data set and ingest it; with `check` the result is checked."""
    from core.dataset.fetch import fetch as fetch_public

    warnings.filterwarnings("ignore", module="sklearn")  # its retries; a failure is raised as an error
    config = configured(FetchConfig, context.config)
    summary = fetch_public(config.name, config.out, downloads=config.downloads, hooks=context.hooks)
    report = {**_made(config.out), "text": summary.text}
    return {**report, **(_checked(context, load_settings(), [config.out]) if config.check else {})}


def demo(context: JobContext) -> dict[str, Any]:
    """Draw the demo data set and check it."""
    from core.dataset.synthetic.demo import make_demo

    config = configured(DemoConfig, context.config)
    if not _made_by_this_run(context, config.out):
        make_demo(config.out, config.identities, config.images, config.seed, method=config.method, hooks=context.hooks)
    people = read_dataset(config.out).info.counts["identities"]
    text = f"Drawn faces of {count(people, 'person', 'people')}."
    return {**_made(config.out), "text": text, **_checked(context, load_settings(), [config.out])}


def build(context: JobContext) -> dict[str, Any]:
    """Build a split data set and check it."""
    from core.dataset.build import build as build_split
    from core.dataset.scan import scan

    config, settings = configured(BuildConfig, context.config), load_settings()
    made = [config.out / mode for mode in BUILD_MODES[:2]] if config.mode == "both" else [config.out]
    if config.update or not _made_by_this_run(context, made[0], config.out):
        context.on_event("reading", title="what the source holds")
        source = scan(
            config.source, layout=config.layout, pattern=config.pattern, columns=config.columns, settings=settings
        )
        build_split(source, config.out, config, hooks=context.hooks)
    lines = []
    for root in made:
        info = read_dataset(root).info
        counts = info.counts["splits"]
        parts = ", ".join(f"{counts[side]['pairs']:,} {side}" for side in counts)
        lines.append(f"{info.mode}: {info.counts['identities']:,} people, {parts}.")
    return {**_made(config.out, made), "text": " ".join(lines), **_checked(context, settings, made)}


def check(context: JobContext) -> dict[str, Any]:
    """Check one data set and store the verdict."""
    root = configured(CheckConfig, context.config).root
    return {**_made(root), **_checked(context, load_settings(), [root])}


def _made(out: Path, roots: list[Path] | None = None) -> dict[str, Any]:
    return {"out": str(out), "made": [str(root) for root in roots or [out]]}


def _checked(context: JobContext, settings: Settings, roots: list[Path]) -> dict[str, Any]:
    """Check each data set and store the verdict for pages and commands."""
    from core.dataset.check import check as check_dataset
    from core.dataset.check_cache import store_verdict

    verdicts = []
    for root in roots:
        dataset = read_dataset(root)
        verdict = check_dataset(dataset, hooks=context.hooks)
        store_verdict(settings, dataset, verdict)
        context.on_event("verdict", name=dataset.info.name, ok=verdict.ok, text=verdict.text)
        verdicts.append(verdict)
    return {"ok": all(each.ok for each in verdicts), "verdict": " ".join(each.text for each in verdicts)}


def _made_by_this_run(context: JobContext, whole: Path, out: Path | None = None) -> bool:
    """Whether an earlier attempt of this run made `whole`: a run that was killed after that continues with the check.
    The first attempt refuses what exists already. Raises BuildRefused, StorageFailed."""
    began = context.run.checkpoints / "began"
    if began.exists() and is_dataset(whole):
        return True
    refuse_existing(out or whole)
    began.touch()
    return False
