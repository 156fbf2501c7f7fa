"""Write one planned data set: a path for every image, the files, then the table that lists them."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pandas as pd

from core.dataset import file_placement
from core.dataset.columns import among
from core.dataset.eligible_pairs import count_pairs
from core.dataset.layout import HR, HR_FOLDER, UNSPLIT, VLR, VLR_FOLDER, kind_folder, kind_of_folder, placed_file
from core.dataset.manifest import DatasetInfo, make_frame, read_dataset, write_dataset
from core.dataset.run_config import DISJOINT_SHARES, BuildOptions
from core.dataset.scan import Scan
from core.dataset.shard_writer import shard_path
from core.dataset.split_plan import Plan
from core.dataset.unfinished import clear_unfinished, noted
from core.jobs.context import Hooks
from core.system.shards import member_of


def write_split(
    source: Scan, frame: pd.DataFrame, plan: Plan, at: Path, options: BuildOptions, hooks: Hooks
) -> tuple[int, str]:
    """Place the new files of one data set in `at` and write its table. Returns the number of new pairs, and how they
    were placed.

    After an error the new files of an update are removed; after a kill the next update removes them.
    """
    rows = frame[among(frame["pair"], set(plan.items["pair"]))].copy()
    rows["split"] = rows["pair"].map(dict(zip(plan.items["pair"], plan.items["split"], strict=True)))
    earlier = plan.earlier
    vlr_px = _main_vlr_px(source, rows) if earlier is None else earlier.info.vlr_px
    held = make_frame([]) if earlier is None else earlier.frame
    rows = rows[~among(rows["pair"], set(held["pair"]))].copy()
    origin = rows["path"].tolist()
    rows["source"] = [said or path for said, path in zip(rows["source"].tolist(), origin, strict=True)]
    rows["path"] = paths = _paths(rows, vlr_px, set(held["path"]))
    files = _placed(rows["file"].tolist(), paths, at)
    table = pd.concat([held, rows.drop(columns="file")], ignore_index=True)
    info = _info(source, plan, options, vlr_px) if earlier is None else earlier.info
    if earlier is None:
        linked = file_placement.place(files, options.link, hooks=hooks)
        write_dataset(at, table, info, hooks)
        return count_pairs(rows), linked
    try:
        with noted(at, sorted({placed_file(path) for path in paths})):
            linked = file_placement.place(files, options.link, hooks=hooks)
            write_dataset(at, table, info, hooks)
    except BaseException:
        clear_unfinished(read_dataset(at))  # by the table that counts now: it may be written already
        raise
    return count_pairs(rows), linked


def _main_vlr_px(source: Scan, rows: pd.DataFrame) -> int:
    """The size of the images in vlr_images/: the source's, else the most frequent."""
    if source.vlr_px:
        return source.vlr_px
    vlr = rows[rows["kind"] == VLR]
    main = vlr[[_parent(path).lower() == VLR_FOLDER for path in vlr["path"].tolist()]]
    return int((main if len(main) else vlr)["size_px"].mode().iloc[0])


def _paths(rows: pd.DataFrame, vlr_px: int, taken: set[str]) -> list[str]:
    """A path for each row with its name; where two pairs would have the same path, the later pair's files are
    numbered. Members of shards keep their names, and their shards are numbered on."""
    members: dict[str, list[tuple[int, str, str]]] = {}
    result = _paths_in_shards(rows["file"].tolist(), taken)
    cells = (rows[name].tolist() for name in ("pair", "split", "kind", "size_px", "path"))
    for number, (pair, side, kind, size, path) in enumerate(zip(*cells, strict=True)):
        if result[number]:
            continue
        folder = f"{side or UNSPLIT}/{_folder(kind, size, path, vlr_px)}"
        members.setdefault(pair, []).append((number, folder, path))
    used = {path.casefold() for path in taken}
    for files in members.values():
        for attempt in range(1, len(rows) + 2):
            made = [f"{folder}/{_marked(path, attempt)}" for _, folder, path in files]
            folded = [path.casefold() for path in made]
            if used.isdisjoint(folded):
                break
        used.update(folded)
        for (number, _, _), path in zip(files, made, strict=True):
            result[number] = path
    return result


def _paths_in_shards(files: list[str], taken: set[str]) -> list[str]:
    """The path of each file that is a shard's member, "" for others. Shards are placed as they are: splits are columns
    of the table."""
    used = {placed_file(path) for path in taken}
    free = (path for path in map(shard_path, count()) if path not in used)
    shards: dict[str, str] = {}
    result = []
    for file in files:
        place = member_of(file)
        if place is not None and place[0] not in shards:
            shards[place[0]] = next(free)
        result.append("" if place is None else f"{shards[place[0]]}/{place[1]}")
    return result


def _placed(files: list[str], paths: list[str], at: Path) -> list[tuple[str, str]]:
    """(source, target) of every file to place; a shard once for all of its members."""
    pairs = {}
    for file, path in zip(files, paths, strict=True):
        target = placed_file(path)
        pairs[f"{at}/{target}"] = file.removesuffix(path[len(target) :])
    return [(source, target) for target, source in pairs.items()]


def _marked(path: str, attempt: int) -> str:
    """The file's name, from the second attempt on with its number."""
    name = path.rpartition("/")[2]
    return name if attempt == 1 else f"{Path(name).stem}~{attempt}{Path(name).suffix}"


def _parent(path: str) -> str:
    """The name of a file's folder."""
    return path.rpartition("/")[0].rpartition("/")[2]


def _folder(kind: str, size_px: int, path: str, vlr_px: int) -> str:
    """The source's folder where its name is one of the layout's (images of a wrong size stay there), else by kind and
    size."""
    parent = _parent(path)
    if kind_of_folder(parent) is not None:
        return HR_FOLDER if kind == HR else parent.lower()
    return kind_folder(kind, size_px, vlr_px)


def _info(source: Scan, plan: Plan, options: BuildOptions, vlr_px: int) -> DatasetInfo:
    synthetic = source.layout == "dataset" and read_dataset(source.root).info.synthetic
    parameters = {
        "val_share": options.val_share,
        "min_images": options.min_images,
        "shares": dict(options.shares or DISJOINT_SHARES),
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
