"""Builds a split data set from a scanned source: planned first, then placed, then visible as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.dataset import place, split
from core.dataset.duplicates import groups, near_pairs
from core.dataset.errors import BuildRefused
from core.dataset.layout import HR, HR_FOLDER, UNSPLIT, VLR, VLR_FOLDER, kind_folder, kind_of_folder
from core.dataset.manifest import Dataset, DatasetInfo, is_dataset, make_frame, read_dataset, write_dataset
from core.dataset.measure import OnEvent, ShouldStop, measure
from core.dataset.naming import refuse_look_alikes
from core.dataset.scan import Scan
from core.errors import StorageFailed

BUILD_MODES = ("closed-set", "identity-disjoint", "both")


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


@dataclass(frozen=True)
class BuildOptions:
    """How to split. `only` keeps rows whose columns have these values ({"camera": "051"}: frontal only)."""

    mode: str = "closed-set"
    seed: int = 0
    val_share: float = split.VAL_SHARE
    min_images: int = split.MIN_IMAGES
    shares: Mapping[str, float] | None = None
    by_session: bool = True
    link: str = "auto"
    update: bool = False
    only: Mapping[str, str] | None = None


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
    own test split are left out. With update, images that `out` has already stay on their side and new ones are added.
    Raises BuildRefused, BuildStopped, SourceInvalid, StorageFailed; then nothing new is at `out`.
    """
    chosen = replace(options or BuildOptions(), **given)
    out = Path(out).absolute()
    _refuse_options(source, out, chosen)
    targets = [out / mode for mode in BUILD_MODES[:2]] if chosen.mode == "both" else [out]
    earlier = [_earlier(target, chosen) for target in targets]
    frame, left_out = _usable(source, chosen, on_event, should_stop)
    frame = _with_earlier(source, frame, [dataset for dataset in earlier if dataset is not None])
    items = _items(source.root, frame)
    splits = _split(items, chosen, earlier)
    plans = [
        _Plan(target, mode, table, dataset)
        for target, mode, table, dataset in zip(targets, _modes(chosen), splits, earlier, strict=True)
    ]
    few = len(items) - len(splits[0])
    if few and chosen.mode == "closed-set":
        left_out = (*left_out, f"{few:,} images of people with fewer than {chosen.min_images}")
    return _carry_out(source, frame, plans, out, chosen, left_out, on_event, should_stop)


@dataclass(frozen=True)
class _Plan:
    target: Path
    mode: str
    items: pd.DataFrame
    earlier: Dataset | None


def _modes(options: BuildOptions) -> list[str]:
    return list(BUILD_MODES[:2]) if options.mode == "both" else [options.mode]


def _refuse_options(source: Scan, out: Path, options: BuildOptions) -> None:
    if options.mode not in BUILD_MODES:
        raise BuildRefused(f"There is no mode '{options.mode}'.", f"Choose one of {', '.join(BUILD_MODES)}.")
    if options.link not in place.LINK_MODES:
        raise BuildRefused(f"There is no link mode '{options.link}'.", f"Choose {', '.join(place.LINK_MODES)}.")
    if options.seed < 0:
        raise BuildRefused(f"The seed is {options.seed}.", "Choose 0 or a larger whole number.")
    inside, root = out.resolve(), source.root.resolve()
    if source.layout != "csv" and (inside == root or root in inside.parents or inside in root.parents):
        raise BuildRefused(
            f"{out} lies in the source or around it, and the source isn't touched.", "Choose another folder."
        )
    if not (source.frame["kind"] == VLR).any():
        raise BuildRefused(
            f"{source.root} holds {source.layout} and no VLR images.",
            "Make HR crops and their VLR images first: edgeface-studio dataset ingest.",
        )
    if not options.update:
        place.refuse_existing(out)


def _earlier(target: Path, options: BuildOptions) -> Dataset | None:
    if not options.update or not target.exists():
        return None
    if not is_dataset(target):
        place.refuse_existing(target)
        return None
    dataset = read_dataset(target)
    expected = target.name if options.mode == "both" else options.mode
    if dataset.info.mode != expected:
        raise BuildRefused(
            f"{target} was built as {dataset.info.mode}, not {expected}.", "Build into another folder, or in its mode."
        )
    return dataset


def _usable(
    source: Scan, options: BuildOptions, on_event: OnEvent | None, should_stop: ShouldStop | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows to split, measured, in whole pairs; and what was left out. Raises BuildRefused for what is broken."""
    frame, left_out = source.frame, []
    for column, value in (options.only or {}).items():
        if column not in frame.columns:
            raise BuildRefused(f"There is no column '{column}'.", f"Choose one of {', '.join(frame.columns)}.")
        kept = frame[frame[column] == value]
        left_out.append(f"{_pairs(frame) - _pairs(kept):,} images whose {column} isn't {value}")
        frame = kept
    tested = frame[frame["split"] == "test"]
    if len(tested):
        left_out.append(f"{_pairs(tested):,} images of the source's test split, which stays unseen")
        frame = frame[frame["split"] != "test"]
    if frame.empty:
        raise BuildRefused("No image is left to build from.", "Loosen the filter, or choose another source.")
    hr, vlr = frame[frame["kind"] == HR], frame[frame["kind"] == VLR]
    _refuse_lonely(vlr[~vlr["pair"].isin(set(hr["pair"]))], "VLR image", "HR image")
    _refuse_lonely(hr[~hr["pair"].isin(set(vlr["pair"]))], "HR image", "VLR image")
    frame, amiss = measure(source.root, frame, on_event=on_event, should_stop=should_stop)
    broken = amiss[amiss["width"] == 0]
    if len(broken):
        raise BuildRefused(
            f"{len(broken):,} images can't be read, first {broken.iloc[0]['path']}: {broken.iloc[0]['problem']}",
            "Repair them or take them out, with their pairs.",
        )
    return frame, tuple(left_out)


def _refuse_lonely(rows: pd.DataFrame, what: str, lacks: str) -> None:
    if len(rows):
        raise BuildRefused(
            f"{len(rows):,} {what}{'s have' if len(rows) > 1 else ' has'} no {lacks}, first {rows.iloc[0]['path']}.",
            "Complete the pair or take it out; a pair has one name in hr_images and vlr_images.",
        )


def _pairs(frame: pd.DataFrame) -> int:
    return int(frame.loc[frame["kind"] == HR, "pair"].nunique())


def _with_earlier(source: Scan, frame: pd.DataFrame, earlier: list[Dataset]) -> pd.DataFrame:
    """The source's rows and, before them, those of earlier builds that the source lacks now. `file` is where an image
    lies. What is in an earlier build by the bytes of its HR image is that build's pair, whatever it is called now."""
    rows = frame.assign(file=[str(source.root / path) for path in frame["path"]])
    known: dict[str, str] = {}
    parts: list[pd.DataFrame] = []
    for dataset in earlier:
        old = dataset.frame.assign(file=[str(dataset.root / path) for path in dataset.frame["path"]])
        parts.append(old[~old["pair"].isin(set(known.values()))])
        known.update({sha: pair for sha, pair in _hr_pairs(old).items() if sha not in known})
    if parts:
        taken = {pair for sha, pair in _hr_pairs(rows).items() if sha in known}
        rows = rows[~rows["pair"].isin(taken)].copy()
        clash = rows["pair"].isin(set(known.values()))
        rows["pair"] = [f"{pair}~{sha[:8]}" if again else pair for pair, sha, again in _clashing(rows, clash)]
        rows = pd.concat([*parts, rows], ignore_index=True)
    files = rows["file"].tolist()
    full = make_frame(rows.drop(columns="file"))
    refuse_look_alikes(full["identity"])
    return full.assign(file=files)


def _clashing(rows: pd.DataFrame, clash: pd.Series) -> list[tuple[str, str, bool]]:
    """(pair, its HR image's hash, whether the name is taken): a changed image under an earlier one's name."""
    sha_of = {pair: sha for sha, pair in _hr_pairs(rows).items()}
    return [(pair, sha_of[pair], bool(taken)) for pair, taken in zip(rows["pair"], clash, strict=True)]


def _hr_pairs(frame: pd.DataFrame) -> dict[str, str]:
    hr = frame[frame["kind"] == HR]
    return dict(zip(hr["sha256"], hr["pair"], strict=True))


def _items(root: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """One row a pair with what the split goes by; pairs that show one picture share a group."""
    hr = frame[frame["kind"] == HR].drop_duplicates("pair").reset_index(drop=True)
    by_file = hr.assign(path=hr["file"])
    group_of = groups(hr.index.tolist(), near_pairs(root, by_file))
    hr["group"] = [group_of[index] for index in hr.index]
    columns = ["pair", "identity", "sha256", "group", *(["session"] if "session" in hr and hr["session"].any() else [])]
    return hr[columns]


def _split(items: pd.DataFrame, options: BuildOptions, earlier: list[Dataset | None]) -> list[pd.DataFrame]:
    sides = [dict(zip(d.frame["pair"], d.frame["split"], strict=True)) if d is not None else None for d in earlier]
    closed = {"val_share": options.val_share, "min_images": options.min_images, "by_session": options.by_session}
    if options.mode == "closed-set":
        return [split.closed_set(items, seed=options.seed, earlier=sides[0], **closed)]  # type: ignore[arg-type]
    if options.mode == "identity-disjoint":
        return [split.identity_disjoint(items, shares=options.shares, seed=options.seed, earlier=sides[0])]
    return list(
        split.both(
            items,
            shares=options.shares,
            seed=options.seed,
            earlier_closed=sides[0],
            earlier_disjoint=sides[1],
            **closed,  # type: ignore[arg-type]
        )
    )


def _carry_out(
    source: Scan,
    frame: pd.DataFrame,
    plans: list[_Plan],
    out: Path,
    options: BuildOptions,
    left_out: tuple[str, ...],
    on_event: OnEvent | None,
    should_stop: ShouldStop | None,
) -> list[Summary]:
    """New data sets appear together, by one rename; earlier ones get their new files first and their table last."""
    work: Callable[[_Plan, Path], tuple[int, str]] = lambda plan, at: _fill(  # noqa: E731
        source, frame, plan, at, options, on_event, should_stop
    )
    if all(plan.earlier is None for plan in plans):
        with place.whole_folder(out) as hidden:
            made = [work(plan, hidden / plan.target.relative_to(out)) for plan in plans]
    else:
        try:
            made = [work(plan, plan.target) for plan in plans]
        except OSError as error:
            raise StorageFailed(
                f"{out} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
            ) from error
    return [_summary(plan, added, linked, left_out) for plan, (added, linked) in zip(plans, made, strict=True)]


def _fill(
    source: Scan,
    frame: pd.DataFrame,
    plan: _Plan,
    at: Path,
    options: BuildOptions,
    on_event: OnEvent | None,
    should_stop: ShouldStop | None,
) -> tuple[int, str]:
    """Place one data set's new files in `at` and write its table; on an error the new files are taken away again."""
    rows = frame[frame["pair"].isin(set(plan.items["pair"]))].copy()
    rows["split"] = rows["pair"].map(dict(zip(plan.items["pair"], plan.items["split"], strict=True)))
    vlr_px = plan.earlier.info.vlr_px if plan.earlier is not None else _main_vlr_px(source, rows)
    held = plan.earlier.frame if plan.earlier is not None else make_frame([])
    rows = rows[~rows["pair"].isin(set(held["pair"]))].copy()
    origin = rows["path"]
    rows["source"] = [said or path for said, path in zip(rows["source"], origin, strict=True)]
    rows["path"] = _paths(rows, vlr_px, set(held["path"]))
    files = [(Path(file), at / path) for file, path in zip(rows["file"], rows["path"], strict=True)]
    before = {target for _, target in files if target.exists()}
    try:
        linked = place.place(files, options.link, on_event=on_event, should_stop=should_stop)
        info = plan.earlier.info if plan.earlier is not None else _info(source, plan, options, vlr_px)
        table = pd.concat([held, rows.drop(columns="file")], ignore_index=True)
        write_dataset(at, table, info)
    except BaseException:
        if plan.earlier is not None:
            for _, target in files:
                if target not in before:
                    target.unlink(missing_ok=True)
        raise
    return _pairs(rows), linked


def _main_vlr_px(source: Scan, rows: pd.DataFrame) -> int:
    """The size of what lies in vlr_images/: what the source says, else the commonest there."""
    if source.vlr_px:
        return source.vlr_px
    vlr = rows[rows["kind"] == VLR]
    main = vlr[[Path(path).parent.name.lower() == VLR_FOLDER for path in vlr["path"]]]
    return int((main if len(main) else vlr)["size_px"].mode().iloc[0])


def _paths(rows: pd.DataFrame, vlr_px: int, taken: set[str]) -> list[str]:
    """A path for each row, names kept; where two pairs would have one path, the later pair's files are numbered."""

    members: dict[str, list[tuple[int, str, str]]] = {}
    cells = (rows[name].tolist() for name in ("pair", "split", "kind", "size_px", "path"))
    for number, (pair, side, kind, size, path) in enumerate(zip(*cells, strict=True)):
        folder = f"{side or UNSPLIT}/{_folder(kind, size, path, vlr_px)}"
        members.setdefault(pair, []).append((number, folder, path))
    used = {path.casefold() for path in taken}
    result = [""] * len(rows)
    for files in members.values():
        for attempt in range(1, len(rows) + 2):
            mark = "" if attempt == 1 else f"~{attempt}"
            made = {number: f"{folder}/{_marked(path, mark)}" for number, folder, path in files}
            if not any(path.casefold() in used for path in made.values()):
                break
        used.update(path.casefold() for path in made.values())
        for number, path in made.items():
            result[number] = path
    return result


def _marked(path: str, mark: str) -> str:
    name = Path(path)
    return f"{name.stem}{mark}{name.suffix}"


def _folder(kind: str, size_px: int, path: str, vlr_px: int) -> str:
    """The source's own folder where it is one of ours (what has a wrong size stays there), else by kind and size."""
    parent = Path(path).parent.name
    if kind_of_folder(parent) is not None:
        return HR_FOLDER if kind == HR else parent.lower()
    return kind_folder(kind, size_px, vlr_px)


def _info(source: Scan, plan: _Plan, options: BuildOptions, vlr_px: int) -> DatasetInfo:
    synthetic = source.layout == "dataset" and read_dataset(source.root).info.synthetic
    parameters = {
        "val_share": options.val_share,
        "min_images": options.min_images,
        "shares": dict(options.shares or split.DISJOINT_SHARES),
        "by_session": options.by_session,
        "only": dict(options.only or {}),
        "beside": options.mode if options.mode == "both" else "",
    }
    return DatasetInfo(
        name=plan.target.name if options.mode != "both" else f"{plan.target.parent.name} {plan.mode}",
        mode=plan.mode,
        seed=options.seed,
        vlr_px=vlr_px,
        synthetic=synthetic,
        made_by="build",
        source=str(source.root),
        parameters=parameters,
    )


def _summary(plan: _Plan, added: int, linked: str, left_out: tuple[str, ...]) -> Summary:
    counts = plan.items["split"].value_counts()
    train, val, test = (int(counts.get(name, 0)) for name in ("train", "val", "test"))
    subjects = int(plan.items["identity"].nunique())
    return Summary(plan.target, plan.mode, subjects, train, val, test, added, linked, left_out)
