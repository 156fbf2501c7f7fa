"""Build a split data set from a scanned source: planned first, then written, then visible as a whole."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.access.actor import require
from core.access.roles import Permission
from core.dataset import file_placement
from core.dataset.eligible_pairs import items_of, usable_rows, with_earlier
from core.dataset.errors import BuildRefused
from core.dataset.run_config import BUILD_MODES, BuildOptions
from core.dataset.scan import Scan
from core.dataset.split_plan import Plan, earlier_build, modes_of, refuse_options, split_items
from core.dataset.unfinished import only_update
from core.dataset.writer import write_split
from core.errors import StorageFailed
from core.jobs.context import NO_HOOKS, Hooks
from core.system.validated import validated

__all__ = ["BUILD_MODES", "BuildOptions", "Summary", "build"]


@dataclass(frozen=True)
class Summary:
    """A data set that was built; `left_out` names the images of the source that aren't in it, with the reason."""

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
        """The summary that commands and pages show."""
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
    source: Scan, out: Path, options: BuildOptions | None = None, *, hooks: Hooks = NO_HOOKS, **given: Any
) -> list[Summary]:
    """Build `out` (in mode "both" out/closed-set and out/identity-disjoint); returns a Summary for each data set.

    Options are a BuildOptions or keywords of the same names. The source isn't changed. Images of the source's own test
    split are left out. With `update`, images that are in `out` already keep their split and new ones are added; an
    interrupted update leaves the earlier data set as it was, and the next update removes its files. Raises NotAllowed,
    BuildRefused, JobStopped, SourceInvalid, StorageFailed; nothing new is at `out` then.
    """
    require(Permission.DATA)
    chosen = options if options is not None else _options(given)
    out = Path(out).absolute()
    refuse_options(source, out, chosen)
    targets = [out / mode for mode in BUILD_MODES[:2]] if chosen.mode == "both" else [out]
    with ExitStack() as locks:
        for target in targets if chosen.update else ():
            locks.enter_context(only_update(target))
        earlier = [earlier_build(target, chosen) for target in targets]
        frame, left_out = usable_rows(source, chosen.only, hooks)
        frame = with_earlier(source, frame, [dataset for dataset in earlier if dataset is not None])
        items = items_of(source.root, frame, hooks)
        splits = split_items(items, chosen, earlier)
        plans = [Plan(*each) for each in zip(targets, modes_of(chosen), splits, earlier, strict=True)]
        few = len(items) - len(splits[0])
        if few and chosen.mode == "closed-set":
            left_out = (*left_out, f"{few:,} images of people with fewer than {chosen.min_images}")
        written = _write_all(source, frame, plans, out, chosen, hooks)
    return [_summary(plan, added, linked, left_out) for plan, (added, linked) in zip(plans, written, strict=True)]


def _options(given: dict[str, Any]) -> BuildOptions:
    return validated(BuildOptions, given, lambda fault: BuildRefused(f"It can't be built: {fault}", "Correct it."))


def _write_all(
    source: Scan, frame: pd.DataFrame, plans: list[Plan], out: Path, options: BuildOptions, hooks: Hooks
) -> list[tuple[int, str]]:
    """Write every planned data set. New ones appear together, by one rename; in earlier ones the table is written last.
    Returns, for each, the number of new pairs and how they were placed."""
    if all(plan.earlier is None for plan in plans):
        with file_placement.whole_folder(out) as hidden:
            return [
                write_split(source, frame, plan, hidden / plan.target.relative_to(out), options, hooks)
                for plan in plans
            ]
    written = []
    try:
        for plan in plans:
            new = plan.earlier is None
            with file_placement.whole_folder(plan.target) if new else nullcontext(plan.target) as at:
                written.append(write_split(source, frame, plan, at, options, hooks))
    except OSError as error:
        raise StorageFailed(
            f"{out} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
        ) from error
    return written


def _summary(plan: Plan, added: int, linked: str, left_out: tuple[str, ...]) -> Summary:
    counts = plan.items["split"].value_counts()
    train, val, test = (int(counts.get(name, 0)) for name in ("train", "val", "test"))
    subjects = int(plan.items["identity"].nunique())
    return Summary(plan.target, plan.mode, subjects, train, val, test, added, linked, left_out)
