"""Lineage of weights: the people whose images they, or any weights they derive from, were trained on or selected by, as
far as file headers and the data sets stored here show.

A file's header names its data, its parent, the upscaler or encoder trained with it, and, in `ancestors`, everything
that those named, so that a deleted file leaves no gap. Shipped weights list their people by marks in `people.json`: the
first ten hexadecimal digits of the SHA-256 of a name in lower case.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dataset.manifest import is_dataset, read_dataset
from core.errors import CoreError
from core.jobs.run_dir import list_runs, runs_root
from core.models.files import file_facts, stored_paths
from core.models.header import json_object
from core.settings import Settings

PEOPLE_FILE = "people.json"
MARK_DIGITS = 10

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILES = ("parent_sha256", "trained_with_upscaler", "trained_with_encoder", "exported_from")


@dataclass(frozen=True)
class Ancestors:
    """Everything that weights derive from, themselves included: SHA-256 of files, and keys of data sets."""

    weights: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()

    def to_json(self) -> str:
        """The header's text, which `ancestors_of` reads."""
        return json.dumps({"weights": sorted(self.weights), "data": sorted(self.data)})


def ancestors_of(paths: Iterable[Path], settings: Settings) -> Ancestors:
    """Follow files to everything they derive from, through the headers of files stored here or in runs.

    Raises WeightsMissing, StorageFailed for a file of `paths` that can't be read.
    """
    weights: set[str] = set()
    data: set[str] = set()
    todo: list[tuple[str, Mapping[str, str]]] = []
    for path in paths:
        facts = file_facts(path)
        todo.append((facts.hashes.sha256, facts.metadata))
    here: dict[str, Mapping[str, str]] | None = None
    while todo:
        sha256, metadata = todo.pop()
        weights.add(sha256)
        named, keys = _named(metadata)
        data |= keys
        for other in named - weights:
            weights.add(other)
            here = _headers(settings) if here is None else here
            if other in here:
                todo.append((other, here[other]))
    return Ancestors(frozenset(weights), frozenset(data))


def trained_people(everybody: Collection[str], paths: Iterable[Path], settings: Settings) -> set[str] | None:
    """Return the people of `everybody` who took part in training or selecting these weights or their ancestors.

    None where nothing is known: official files, deleted data sets. Files that can't be read count as unknown.
    """
    try:
        return people_of(ancestors_of(paths, settings), everybody, settings)
    except CoreError:
        return None


def people_of(ancestors: Ancestors, everybody: Collection[str], settings: Settings) -> set[str] | None:
    """Return the people of `everybody` who took part in any of `ancestors`; None where nothing is known."""
    names = _names(ancestors.data, settings)
    marks = _marks(ancestors.weights, settings)
    if names is None and marks is None:
        return None
    return {name for name in everybody if name in (names or ()) or (marks and mark_of(name) in marks)}


def mark_of(name: str) -> str:
    """Return the mark of a person's name in PEOPLE_FILE, independent of letter case and of "_" for a space."""
    plain = " ".join(name.replace("_", " ").casefold().split())
    return hashlib.sha256(plain.encode()).hexdigest()[:MARK_DIGITS]


def _named(metadata: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """(files, data sets) that a header names."""
    ancestors = json_object(metadata.get("ancestors"))
    weights = {metadata.get(name, "") for name in _FILES} | set(_texts(ancestors.get("weights")))
    data = {metadata.get("data_sha256", "")} | set(_texts(ancestors.get("data")))
    return {text for text in weights if _SHA256.fullmatch(text)}, data - {""}


def _headers(settings: Settings) -> dict[str, Mapping[str, str]]:
    """The header of every file of weights that is stored or was left by a run, by its SHA-256 and by that of the file
    that it was exported from."""
    found: dict[str, Mapping[str, str]] = {}
    for path in (*stored_paths(settings), *_checkpoints(settings)):
        try:
            facts = file_facts(path)
        except CoreError:
            continue  # gone or unreadable since it was listed
        found[facts.hashes.sha256] = facts.metadata
        if exported := facts.metadata.get("exported_from"):
            found.setdefault(exported, facts.metadata)
    return found


def _checkpoints(settings: Settings) -> Iterator[Path]:
    for run in list_runs(runs_root(settings)):
        for which in ("best", "last"):
            yield from (
                run.checkpoints / which / f"{part}.safetensors" for part in ("encoder", "upscaler", "specialist")
            )


def _names(keys: frozenset[str], settings: Settings) -> set[str] | None:
    """The people of train and val of the data sets in data/datasets with those keys; None where none is here."""
    root = settings.data_dir / "datasets"
    found: set[str] | None = None
    for path in sorted(root.iterdir()) if keys and root.is_dir() else []:
        try:
            dataset = read_dataset(path) if is_dataset(path) else None
        except CoreError:
            continue
        if dataset is not None and dataset.key in keys:
            frame = dataset.frame
            used = frame if dataset.info.mode == "unsplit" else frame[frame["split"].isin(("train", "val"))]
            found = (found or set()) | set(used["identity"])
    return found


def _marks(weights: frozenset[str], settings: Settings) -> frozenset[str] | None:
    """The marks of the people in weights that ship; None where `weights` are none of them."""
    try:
        stored = json_object((settings.models_dir / PEOPLE_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if not weights & set(_texts(stored.get("weights"))):
        return None
    return frozenset(_texts(stored.get("people")))


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
