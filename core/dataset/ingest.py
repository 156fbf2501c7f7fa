"""Ingest of photographs: detection, alignment, quality checks and degradation into a data set."""

from __future__ import annotations

import json
import shutil
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.access.actor import require
from core.access.roles import Permission
from core.dataset.engine import FORMAT, THREADS, Engine, Work, versions
from core.dataset.errors import BuildRefused, DatasetInvalid
from core.dataset.journal import Entry, Journal, only_one, storage, work_folder
from core.dataset.layout import HR, REJECTED_NAME, SPLITS
from core.dataset.manifest import DatasetInfo, is_dataset, make_frame, read_dataset, write_dataset
from core.dataset.photograph import AS_FOUND, Photograph, Recipe, Rejected
from core.dataset.rejects import read_rejects, reject_row, rejects_bytes
from core.dataset.run_config import IngestOptions, configured
from core.dataset.sources import list_photographs
from core.images import sha256_of
from core.jobs.context import NO_HOOKS, Hooks, OnEvent
from core.models.landmark_networks import detector_in_use
from core.settings import load_settings
from core.system.atomic_file import write_atomically
from core.system.shards import ShardInvalid, file_stat
from core.system.text import count

_EVENT_EVERY_S = 0.5
_AHEAD = 8


@dataclass(frozen=True)
class Realigned:
    """Crops that were aligned again, and those kept as they were. `mean_px` and `p90_px` of 112 (None without a crop
    aligned again): mean and 90 % quantile of the landmarks' mean distance from the template before."""

    crops: int
    kept: int
    mean_px: float | None
    p90_px: float | None

    @property
    def text(self) -> str:
        if self.mean_px is None or self.p90_px is None:
            return "No crop could be aligned again; all were taken as they are."
        by = f"by {self.mean_px:.1f} px on average, 90 % by at most {self.p90_px:.1f} px"
        return f"Aligned again: {count(self.crops, 'crop')}, {by}; taken as they are: {self.kept:,}."


@dataclass(frozen=True)
class IngestSummary:
    """The result of an ingest. `reused` photographs were processed by an earlier, interrupted run; `seconds` is the
    time of this run; `realigned` is None unless crops were to be aligned again."""

    out: Path
    photographs: int
    accepted: int
    rejected: int
    identities: int
    reasons: dict[str, int]
    reused: int
    seconds: float
    realigned: Realigned | None = None

    @property
    def per_second(self) -> float:
        """Photographs per second in this run; 0 when all were done before."""
        return (self.photographs - self.reused) / self.seconds if self.seconds > 0 else 0.0

    @property
    def text(self) -> str:
        rejects = f", {self.rejected:,} rejected (listed in {REJECTED_NAME})" if self.rejected else ", none rejected"
        people = count(self.identities, "person", "people")
        again = "" if self.realigned is None else f" {self.realigned.text}"
        return f"{self.accepted:,} of {self.photographs:,} photographs of {people}{rejects}.{again}"


def ingest(
    source: Path, out: Path, options: IngestOptions | None = None, *, hooks: Hooks = NO_HOOKS, **given: Any
) -> IngestSummary:
    """Make the data set `out` from the photographs of `source`; it appears as a whole, or not at all.

    Options are an IngestOptions or keywords of the same names. An interrupted ingest continues where it stopped when
    it is called again with the same options, and gives the same bytes; a finished one changes nothing. Raises
    SourceInvalid, BuildRefused (`out` holds something else, or another ingest writes to it), JobStopped,
    SettingsInvalid, StorageFailed, RayFailed, NotAllowed.
    """
    require(Permission.DATA)
    chosen = configured(IngestOptions, given) if options is None else options
    sizes = chosen.sizes
    main_px = 32 if 32 in sizes else max(sizes, default=0)
    recipe = Recipe(sizes, chosen.method, chosen.seed, main_px, chosen.limits, chosen.align_again)
    source, out = source.resolve(), out.resolve()
    if out == source or out in source.parents or (source.is_dir() and source in out.parents):
        raise BuildRefused(f"{out} is in the photographs' own folder, or contains it.", "Choose a folder elsewhere.")
    photographs = list_photographs(source, chosen)
    info = DatasetInfo(
        name=chosen.name or out.name, seed=chosen.seed, vlr_px=recipe.vlr_px, made_by="ingest", source=source.name
    )
    engine = Engine(chosen.engine, chosen.workers, chosen.address)
    return ingest_photographs(photographs, out, recipe, info, engine, shard_mb=chosen.shard_mb or 0, hooks=hooks)


def ingest_photographs(
    photographs: Sequence[Photograph],
    out: Path,
    recipe: Recipe,
    info: DatasetInfo,
    engine: Engine = THREADS,
    *,
    shard_mb: int = 0,
    hooks: Hooks = NO_HOOKS,
) -> IngestSummary:
    """As `ingest`, for a given list of photographs, whose `name`s must differ. `shard_mb` of 0: a file an image."""
    require(Permission.DATA)
    started = time.monotonic()
    plan = _plan_key(photographs, recipe, shard_mb)
    info = replace(info, parameters={**info.parameters, "shard_mb": shard_mb}) if shard_mb else info
    _is_done(out, plan)  # refused before anything is made
    with only_one(out):
        if _is_done(out, plan):
            shutil.rmtree(work_folder(out), ignore_errors=True)
            return _summary(out, reused=len(photographs), seconds=0.0)
        journal = Journal(out, plan, shard_mb * 1_000_000)
        reused = len(journal.done)
        try:
            _process(photographs, recipe, journal, engine, hooks)
            _finish(journal, out, info, recipe, plan)
        finally:
            journal.close()
    summary = _summary(out, reused=reused, seconds=time.monotonic() - started)
    if not summary.accepted:
        hooks.on_event("warning", text="No photograph could be used.")
    return summary


def _process(photographs: Sequence[Photograph], recipe: Recipe, journal: Journal, engine: Engine, hooks: Hooks) -> None:
    """Process the photographs that the journal lacks, a few ahead of the one that is recorded next."""
    todo = [i for i in range(len(photographs)) if i not in journal.done]
    progress = _Progress(len(photographs), len(photographs) - len(todo), _count_rejected(journal), hooks.on_event)

    def one(i: int, work: Work) -> tuple[Entry, dict[str, bytes]]:
        result = work(photographs[i])
        if isinstance(result, Rejected):
            return {"i": i, "rejected": reject_row(photographs[i], result)}, {}
        return {"i": i, "rows": result.rows}, journal.write_images(result.files)

    def record(done: Future[tuple[Entry, dict[str, bytes]]]) -> None:
        entry, files = done.result()
        journal.add(entry, files, recipe.vlr_px)
        progress.step("rejected" in entry)

    if not todo:
        return
    with engine.opened(recipe, hooks) as (work, at_once), storage(journal.folder):
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="ingest")
        waiting: deque[Future[tuple[Entry, dict[str, bytes]]]] = deque()
        try:
            for i in todo:
                waiting.append(pool.submit(one, i, work))
                if len(waiting) >= at_once * _AHEAD:
                    record(waiting.popleft())
                hooks.check_stop()
            while waiting:
                record(waiting.popleft())
            progress.report()
        finally:
            pool.shutdown(cancel_futures=True)


class _Progress:
    """Counts photographs and reports at most twice a second: done, total, rejected, per second, seconds left."""

    def __init__(self, total: int, done: int, rejected: int, on_event: OnEvent) -> None:
        self._total, self._done, self._rejected, self._on_event = total, done, rejected, on_event
        self._first = done
        self._started = self._reported = time.monotonic()
        self.report()

    def step(self, rejected: bool) -> None:
        self._done += 1
        self._rejected += rejected
        if time.monotonic() - self._reported >= _EVENT_EVERY_S:
            self.report()

    def report(self) -> None:
        self._reported = time.monotonic()
        spent = self._reported - self._started
        per_s = (self._done - self._first) / spent if spent > 0 else 0.0
        left_s = (self._total - self._done) / per_s if per_s > 0 else None
        self._on_event(
            "progress",
            done=self._done,
            total=self._total,
            rejected=self._rejected,
            per_s=round(per_s, 1),
            left_s=None if left_s is None else round(left_s, 1),
        )


def _plan_key(photographs: Sequence[Photograph], recipe: Recipe, shard_mb: int) -> str:
    """What the outcome depends on: the list, each file's size and time, the settings, and the detector."""
    listed = []
    for photograph in photographs:
        try:
            stat = file_stat(photograph.path)
            state: tuple[int, int] | None = (stat.st_size, stat.st_mtime_ns)
        except (OSError, ShardInvalid):
            state = None
        listed.append(
            [
                str(photograph.path),
                state,
                photograph.identity,
                photograph.name,
                photograph.source,
                photograph.split,
                photograph.aligned,
                photograph.further,
            ]
        )
    what = [
        FORMAT,
        recipe.as_dict(),
        *versions(detector_in_use(load_settings())),
        listed,
        *([shard_mb] if shard_mb else []),
    ]
    return sha256_of(json.dumps(what, sort_keys=True).encode("utf-8"))


def _is_done(out: Path, plan: str) -> bool:
    """Whether `out` is the outcome of this plan already. Raises BuildRefused when it holds anything else."""
    if not out.exists():
        return False
    if is_dataset(out):
        try:
            if read_dataset(out).info.parameters.get("plan") == plan:
                return True
        except DatasetInvalid:
            pass
    elif out.is_dir() and not any(out.iterdir()):
        return False
    raise BuildRefused(
        f"{out} exists already and wasn't made from these photographs with these settings.",
        "Choose another folder, or remove it first.",
    )


def _count_rejected(journal: Journal) -> int:
    return sum("rejected" in entry for entry in journal.done.values())


def _finish(journal: Journal, out: Path, info: DatasetInfo, recipe: Recipe, plan: str) -> None:
    """Manifest, rejects and dataset.json beside the images, then all of it into place at once."""
    entries = [journal.done[i] for i in sorted(journal.done)]
    frame = make_frame([row for entry in entries for row in entry.get("rows", ())])
    split = frame["split"].isin(SPLITS).any()
    accepted = sum("rows" in entry for entry in entries)
    parameters = {**recipe.as_dict(), "photographs": len(entries), "accepted": accepted, "plan": plan}
    info = replace(info, mode="as-found" if split else info.mode, parameters={**info.parameters, **parameters})
    rejects = [entry["rejected"] for entry in entries if "rejected" in entry]
    write_atomically(journal.root / REJECTED_NAME, rejects_bytes(rejects))
    write_dataset(journal.root, frame, info)
    journal.finish(out)


def _summary(out: Path, *, reused: int, seconds: float) -> IngestSummary:
    dataset = read_dataset(out)
    rejects = read_rejects(out)
    accepted = int(dataset.info.parameters["accepted"])
    reasons = {str(code): int(n) for code, n in rejects["code"].value_counts(sort=True).items()}
    return IngestSummary(
        out,
        accepted + len(rejects),
        accepted,
        len(rejects),
        int(dataset.frame["identity"].nunique()),
        reasons,
        reused,
        seconds,
        _realigned(dataset.frame) if dataset.info.parameters.get("align_again") else None,
    )


def _realigned(frame: pd.DataFrame) -> Realigned:
    hr = frame[frame["kind"] == HR] if "aligner" in frame else frame.iloc[:0].assign(aligner="", correction_px="")
    kept = hr["aligner"] == AS_FOUND
    moved_px = hr.loc[~kept, "correction_px"].astype(float).to_numpy()
    if not len(moved_px):
        return Realigned(0, int(kept.sum()), None, None)
    mean_px, p90_px = float(moved_px.mean()), float(np.quantile(moved_px, 0.9))
    return Realigned(len(moved_px), int(kept.sum()), round(mean_px, 2), round(p90_px, 2))
