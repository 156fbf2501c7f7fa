"""`diagnose similarity` and `diagnose map`: similarities and maps of a data set's or the gallery's embeddings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.diagnose.options import embedded, open_source, say_json_values, space_of
from core.commands.evaluate.options import DatasetOption, SeedOption, SplitOption
from core.commands.shared.common import UsageMistake, example, open_gallery, user_path
from core.commands.shared.option_types import GalleryOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.pipeline_options import SystemOptions
from core.commands.shared.printing import progress, say, say_table
from core.settings import load_settings

if TYPE_CHECKING:
    from core.diagnostics.cloud import Cloud

SmallSizesOption = Annotated[
    str,
    typer.Option("--sizes", help="Sizes in px beside full size, such as 32,16; VLR files are used where they exist."),
]


def add_to(group: typer.Typer) -> None:
    group.command(
        "similarity",
        epilog=example(
            "diagnose similarity --dataset-root lfw --split test",
            "diagnose similarity --dataset-root lfw --person Ada --person Grace",
        ),
    )(similarity)
    group.command(
        "map",
        epilog=example(
            "diagnose map --dataset-root lfw --method tsne --out map.csv", "diagnose map --of-gallery --out map.csv"
        ),
    )(make_map)


@takes_options
def similarity(
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    sizes: SmallSizesOption = "32,24,16",
    person: Annotated[
        list[str] | None,
        typer.Option("--person", metavar="NAME", help="A person for the similarity matrix; may be repeated."),
    ] = None,
    system: SystemOptions = SystemOptions(),
    as_json: JsonOption = False,
) -> None:
    """Compare small faces with their HR images, chosen people with one another, and show the spread of embeddings."""
    from core.diagnostics.similarity import by_person, by_size, people_matrix, small_against_hr, strangers_by_size

    opened = open_source(dataset_root, split, sizes, system)
    cloud = embedded(opened)
    pairs = small_against_hr(cloud)
    table, people = by_size(pairs, strangers_by_size(cloud)), by_person(pairs)
    matrix = people_matrix(cloud, person) if person else None
    spreads = {view: _spread_of(cloud, view) for view in cloud.views if len(cloud.only(view)) > 1}
    if as_json:
        say_json_values(
            {
                "protocol": opened.protocol,
                "sizes": table.to_dict("records"),
                "people": people.drop(columns="row").to_dict("records"),
                "matrix": None if matrix is None else matrix.to_dict(),
                "spread": {
                    view: {
                        "std": float(each.stds.mean()),
                        "effective_rank": each.effective_rank,
                        "mean_abs_cosine": each.between.mean_abs_cosine,
                        "embeddings": each.count,
                        "people": each.people,
                    }
                    for view, each in spreads.items()
                },
            }
        )
        return
    say(opened.protocol)
    if len(table):
        say_table(list(table.columns), [_rounded(row) for row in table.to_dict("records")])
        say()
        lowest = people.drop(columns="row").head(10)
        say_table(list(lowest.columns), [_rounded(row) for row in lowest.to_dict("records")])
    if matrix is not None:
        say()
        rows = [
            (name, *(f"{value:.3f}" for value in row)) for name, row in zip(matrix.index, matrix.values, strict=True)
        ]
        say_table(("", *matrix.columns), rows)
    for view, each in spreads.items():
        say(f"{view}: {each.line}")


def _spread_of(cloud: Cloud, view: str) -> Any:
    import numpy as np

    from core.diagnostics.spread import spread_of

    rows = cloud.only(view)
    people = np.unique(cloud.table["identity"].to_numpy(dtype=str)[rows], return_inverse=True)[1]
    return spread_of(cloud.vectors[rows], people)


def _rounded(row: dict[Any, Any]) -> list[object]:
    return [f"{value:.3f}" if isinstance(value, float) else value for value in row.values()]


@takes_options
def make_map(
    dataset_root: DatasetOption = None,
    of_gallery: Annotated[
        bool, typer.Option("--of-gallery", help="Use the gallery's templates instead of a data set.")
    ] = False,
    split: SplitOption = None,
    sizes: SmallSizesOption = "",
    method: Annotated[
        Literal["pca", "tsne"], typer.Option("--method", help="PCA takes a moment, t-SNE minutes.")
    ] = "pca",
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE.csv", help="Write x, y, identity, image and view of each point."),
    ] = None,
    seed: SeedOption = 0,
    gallery_path: GalleryOption = None,
    system: SystemOptions = SystemOptions(),
    as_json: JsonOption = False,
) -> None:
    """Project embeddings to a plane, and report the time and how well neighbours are preserved."""
    target = None if out is None else user_path(out)
    if target is not None and (target.exists() or target.suffix.lower() != ".csv"):
        raise UsageMistake(f"--out {out} {'exists' if target.exists() else 'is no .csv'}.", "Name a new CSV file.")
    if of_gallery == (dataset_root is not None):
        raise UsageMistake("Nothing to project was named.", "Give either --dataset-root or --of-gallery.")
    if of_gallery:
        from core.diagnostics.cloud import cloud_of_gallery

        with open_gallery(gallery_path) as gallery:
            space = space_of(gallery)
            cloud, protocol = cloud_of_gallery(gallery, space), f"gallery, {space.encoder_name}"
    else:
        opened = open_source(dataset_root, split, sizes, system, seed=seed)
        cloud, protocol = embedded(opened), opened.protocol
    from core.diagnostics.job import layout_store
    from core.diagnostics.layout import pca, tsne

    progress(f"{method} of {len(cloud):,} points ...")
    people = _codes(cloud)
    started = time.monotonic()
    layout = pca(cloud.vectors) if method == "pca" else tsne(cloud.vectors, people, seed=seed)
    spent = time.monotonic() - started
    progress("")
    if method == "tsne":
        layout_store(load_settings()).write(cloud.key, layout)  # the dashboard then needn't compute it again
    if target is not None:
        from core.csv_export import csv_bytes
        from core.system.atomic_file import write_atomically

        table = cloud.table[["identity", "image", "view"]].copy()
        table.insert(0, "x", layout.points[:, 0])
        table.insert(1, "y", layout.points[:, 1])
        write_atomically(target, csv_bytes(table))
    if as_json:
        say_json_values(
            {
                "protocol": protocol,
                "method": method,
                "points": len(cloud),
                "seconds": round(spent, 2),
                "explained": layout.explained,
                "nearest_same_on_map": layout.near_here,
                "nearest_same_in_all": layout.near_there,
                "out": target,
            }
        )
        return
    say(f"{protocol}.")
    say(f"{method} of {len(cloud):,} points in {spent:.1f} s. {layout.line}")
    if target is not None:
        say(f"written to {target}")


def _codes(cloud: Cloud) -> Any:
    import numpy as np

    return np.unique(cloud.table["identity"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
