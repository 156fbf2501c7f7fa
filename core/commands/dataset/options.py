"""Options of the dataset commands, their paths, progress and printing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.shared.common import UsageMistake, user_path
from core.commands.shared.printing import progress, say, say_json, say_table
from core.settings import load_settings

if TYPE_CHECKING:
    from core.dataset.findings import Verdict
    from core.dataset.manifest import Dataset
    from core.dataset.scan import Scan

_ROWS_SHOWN = 5

SourceArgument = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="A folder, CSV or tar shards, or the name of a data set in data/datasets."),
]
OutOption = Annotated[
    str | None, typer.Option("--out", metavar="FOLDER", help="Folder to write; default: one in data/datasets.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]


@dataclass(frozen=True)
class LayoutOptions:
    """How a folder, a CSV or shards are read."""

    layout: Annotated[
        str | None, typer.Option("--layout", help="notes, photographs, crops or csv; default: recognised by content.")
    ] = None
    pattern: Annotated[
        str | None,
        typer.Option("--pattern", metavar="REGEX", help="Groups in file names, such as '(?P<identity>[a-z]+)-.*'."),
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="NAME=HEADING", help="A CSV's own heading for path or identity, a shard's JSON key."
        ),
    ] = None

    def scan(self, source: str) -> Scan:
        """Scan a source. Raises UsageMistake."""
        from core.dataset.scan import scan

        mapping = settings_of(self.column, "--column")
        other = set(mapping) - {"path", "identity"}
        if other:
            raise UsageMistake(f"--column {sorted(other)[0]}: only path and identity can be mapped.", "Correct it.")
        return scan(source_path(source), layout=self.layout, pattern=self.pattern, columns=mapping)


@dataclass(frozen=True)
class EngineOptions:
    """Where photographs are processed."""

    engine: Annotated[
        Literal["threads", "ray"],
        typer.Option("--engine", help="threads of this machine, or workers on Ray; the result is the same."),
    ] = "threads"
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="How many threads or workers; default: one for each processor."),
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="The head of a Ray cluster that this machine belongs to, or auto; faces are sent there. "
            "Default: Ray is started on this machine alone.",
        ),
    ] = None

    def values(self) -> dict[str, Any]:
        """Fields of an IngestConfig. Raises UsageMistake."""
        if self.address is not None and self.engine != "ray":
            raise UsageMistake("--address names a Ray cluster, but the engine is threads.", "Add --engine ray.")
        return {"engine": self.engine, "workers": self.workers, "address": self.address}


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


def megabytes(text: str | None) -> int | None:
    """ "256MB" or "1GB" as megabytes; None for None. Raises UsageMistake."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})\s*(MB|GB|TB)", text.strip(), re.IGNORECASE)
    size = int(found[1]) * {"MB": 1, "GB": 1000, "TB": 1_000_000}[found[2].upper()] if found else 0
    if not 1 <= size <= 1_000_000:
        raise UsageMistake(f"--shards {text} isn't a size from 1MB to 1TB.", "Write it like --shards 256MB.")
    return size


def settings_of(items: Sequence[str] | None, option: str) -> dict[str, str]:
    """ "NAME=VALUE" options as a dict. Raises UsageMistake."""
    pairs: dict[str, str] = {}
    for item in items or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageMistake(f"{option} {item} says no NAME=VALUE.", f"Write it like {option} camera=051.")
        pairs[name] = value
    return pairs


_STEPS = {"read": "reading", "compare": "comparing", "place": "placing", "write": "listing", "check": "checking"}


def show_progress(kind: str, /, **data: Any) -> None:
    """Show a progress event on the terminal's last line."""
    if kind != "progress":
        return
    words = _STEPS.get(str(data.get("step", "")), "working")
    speed = f", {data['per_s']:.0f} a second" if data.get("per_s") else ""
    left = f", {data['left_s']:.0f} s left" if data.get("left_s") is not None else ""
    progress(f"{words}: {data.get('done', 0):,} of {data.get('total', 0):,}{speed}{left}")


def say_verdict(dataset: Dataset, verdict: Verdict, as_json: bool) -> None:
    """Print the findings of a check, or JSON."""
    if as_json:
        findings = [
            {"code": f.code, "severity": f.severity, "text": f.text, "rows": f.rows["path"].tolist()}
            for f in verdict.findings
        ]
        say_json({"root": str(dataset.root), "ok": verdict.ok, "images": verdict.images, "findings": findings})
        return
    say(f"{dataset.info.name} ({dataset.info.mode}): {'good' if verdict.ok else 'not fit for training'}.")
    for finding in verdict.findings:
        say(f"{finding.severity}: {finding.text}")
        for row in finding.rows.head(_ROWS_SHOWN).to_dict("records"):
            beside = row.get("other_path") or row.get("fits_better") or row.get("problem") or ""
            say(f"  {row['path']}{f'  ({beside})' if beside else ''}")
        if len(finding.rows) > _ROWS_SHOWN:
            say(f"  and {len(finding.rows) - _ROWS_SHOWN:,} more")
    if not verdict.findings:
        say(verdict.text)


def say_counts(counts: dict[str, Any]) -> None:
    """Print the counts of a data set and of its splits."""
    parts = {"all": counts, **counts.get("splits", {})}
    say_table(
        ("split", "people", "HR", "VLR", "pairs"),
        [(name, part["identities"], part["hr"], part["vlr"], part["pairs"]) for name, part in parts.items()],
    )
