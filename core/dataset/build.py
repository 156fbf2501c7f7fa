"""Builds a split data set from a scanned source: planned first, then placed, then visible as a whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.access.actor import require
from core.access.roles import Permission
from core.dataset import file_placement
from core.dataset.eligible_pairs import items_of, usable_rows, with_earlier
from core.dataset.file_stats import OnEvent, ShouldStop
from core.dataset.scan import Scan
from core.dataset.split_plan import (
    BUILD_MODES,
    BuildOptions,
    Plan,
    earlier_build,
    modes_of,
    refuse_options,
    split_items,
)
from core.dataset.unfinished import only_update
from core.dataset.writer import fill
from core.errors import StorageFailed

__all__ = ["BUILD_MODES", "BuildOptions", "Summary", "build"]


@dataclass(frozen=True)
class Summary:
    """What was built. `left_out` says which images of the source aren't in it, and why."""

    out: Path
    mode: str
    subjects: int
    train: int
    val: int
    test: int
    added: int
    linked: str
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The notes' summary."""
        total = max(1, self.train + self.val + self.test)
        parts = [("train", self.train), ("val", self.val)] + ([("test", self.test)] if self.test else [])
        lines = [
            f"Subjects:          {self.subjects:,}",
            *(f"{f'{name.capitalize()} images:':<18} {count:,}" for name, count in parts),
            f"Split ratio:       {' / '.join(f'{100 * count / total:.1f}% {name}' for name, count in parts)}",
            f"Output directory:  {self.out}",
        ]
        return "\n".join([*lines, *(f"Left out:          {line}" for line in self.left_out)])


def build(
    source: Scan,
    out: Path,
    options: BuildOptions | None = None,
    *,
    on_event: OnEvent | None = None,
    should_stop: ShouldStop | None = None,
    **given: Any,
) -> list[Summary]:
    """Build `out` (for mode "both": out/closed-set and out/identity-disjoint); one Summary a data set.

    The options come as BuildOptions or as keywords of the same names. The source isn't touched. Images of the source's
    own test split are left out. With update, images that `out` has already stay on their side and new ones are added;
    one that is killed leaves the earlier data set as it was, and the next one takes away what it had begun.
    Raises NotAllowed, BuildRefused, BuildStopped, SourceInvalid, StorageFailed; then nothing new is at `out`.
    """
    require(Permission.DATA)
    chosen = replace(options or BuildOptions(), **given)
    out = Path(out).absolute()
    refuse_options(source, out, chosen)
    targets = [out / mode for mode in BUILD_MODES[:2]] if chosen.mode == "both" else [out]
    with ExitStack() as alone:
        for target in targets if chosen.update else ():
            alone.enter_context(only_update(target))
        earlier = [earlier_build(target, chosen) for target in targets]
        frame, left_out = usable_rows(source, chosen.only, on_event, should_stop)
        frame = with_earlier(source, frame, [dataset for dataset in earlier if dataset is not None])
        items = items_of(source.root, frame, on_event, should_stop)
        splits = split_items(items, chosen, earlier)
        plans = [
            Plan(target, mode, table, dataset)
            for target, mode, table, dataset in zip(targets, modes_of(chosen), splits, earlier, strict=True)
        ]
        few = len(items) - len(splits[0])
        if few and chosen.mode == "closed-set":
            left_out = (*left_out, f"{few:,} images of people with fewer than {chosen.min_images}")
        return _carry_out(source, frame, plans, out, chosen, left_out, on_event, should_stop)


def _carry_out(
    source: Scan,
    frame: pd.DataFrame,
    plans: list[Plan],
    out: Path,
    options: BuildOptions,
    left_out: tuple[str, ...],
    on_event: OnEvent | None,
    should_stop: ShouldStop | None,
) -> list[Summary]:
    """New data sets appear together, by one rename; earlier ones get their new files first and their table last."""
    work: Callable[[Plan, Path], tuple[int, str]] = lambda plan, at: fill(  # noqa: E731
        source, frame, plan, at, options, on_event, should_stop
    )
    if all(plan.earlier is None for plan in plans):
        with file_placement.whole_folder(out) as hidden:
            made = [work(plan, hidden / plan.target.relative_to(out)) for plan in plans]
    else:
        try:
            made = []
            for plan in plans:
                whole = (
                    nullcontext(plan.target) if plan.earlier is not None else file_placement.whole_folder(plan.target)
                )
                with whole as at:
                    made.append(work(plan, at))
        except OSError as error:
            raise StorageFailed(
                f"{out} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
            ) from error
    return [_summary(plan, added, linked, left_out) for plan, (added, linked) in zip(plans, made, strict=True)]


def _summary(plan: Plan, added: int, linked: str, left_out: tuple[str, ...]) -> Summary:
    counts = plan.items["split"].value_counts()
    train, val, test = (int(counts.get(name, 0)) for name in ("train", "val", "test"))
    subjects = int(plan.items["identity"].nunique())
    return Summary(plan.target, plan.mode, subjects, train, val, test, added, linked, left_out)
