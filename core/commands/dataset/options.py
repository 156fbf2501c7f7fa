"""Options of the dataset commands, their paths and their progress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import UsageMistake, progress, user_path
from core.settings import load_settings

if TYPE_CHECKING:
    from core.dataset.scan import Scan

SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A folder or CSV, or the name of a data set in data/datasets.")
]
OutOption = Annotated[
    str | None, typer.Option("--out", metavar="FOLDER", help="Folder to write; default: one in data/datasets.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]
LayoutOption = Annotated[
    str | None, typer.Option("--layout", help="notes, photographs, crops or csv; default: recognised by content.")
]
PatternOption = Annotated[
    str | None,
    typer.Option("--pattern", metavar="REGEX", help="Groups in file names, such as '(?P<identity>[a-z]+)-.*'."),
]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", metavar="NAME=HEADING", help="A CSV's own heading for path or identity.")
]


def datasets_dir() -> Path:
    """The default folder of data sets."""
    from core.dataset.library import datasets_root

    return datasets_root(load_settings())


def source_path(text: str) -> Path:
    """The path of a source: the path itself, else the data set of that name."""
    path = user_path(text)
    named = datasets_dir() / text
    try:
        return named if not path.exists() and named.exists() else path
    except OSError:  # reading it raises the error
        return path


def out_path(text: str | None, default: str) -> Path:
    return datasets_dir() / default if text is None else user_path(text).absolute()


def settings_of(items: Sequence[str] | None, option: str) -> dict[str, str]:
    """ "NAME=VALUE" options as a dict. Raises UsageMistake."""
    pairs: dict[str, str] = {}
    for item in items or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageMistake(f"{option} {item} says no NAME=VALUE.", f"Write it like {option} camera=051.")
        pairs[name] = value
    return pairs


def scanned(source: str, layout: str | None, pattern: str | None, columns: Sequence[str] | None) -> Scan:
    from core.dataset.scan import scan

    mapping = settings_of(columns, "--column")
    other = set(mapping) - {"path", "identity"}
    if other:
        raise UsageMistake(f"--column {sorted(other)[0]}: only path and identity can be mapped.", "Correct it.")
    return scan(source_path(source), layout=layout, pattern=pattern, columns=mapping)


_STEPS = {"read": "reading", "compare": "comparing", "place": "placing", "write": "listing", "check": "checking"}


def show_progress(kind: str, /, **data: Any) -> None:
    """Show a progress event on the terminal's last line."""
    if kind != "progress":
        return
    words = _STEPS.get(str(data.get("step", "")), "working")
    speed = f", {data['per_s']:.0f} a second" if data.get("per_s") else ""
    left = f", {data['left_s']:.0f} s left" if data.get("left_s") is not None else ""
    progress(f"{words}: {data.get('done', 0):,} of {data.get('total', 0):,}{speed}{left}")
