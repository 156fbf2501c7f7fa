"""WebDataset shards as a source: which files they are, and the picture and the identity of each of their samples."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from glob import has_magic
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from core.dataset import naming
from core.dataset.errors import SourceInvalid
from core.dataset.layout import HR, split_of_folder
from core.system.image_files import IMAGE_SUFFIXES, UNREAD_SUFFIXES, is_set_aside
from core.system.shards import SUFFIX, members, read_bytes

SIDECARS = ("json", "cls", "txt")
MOST_SHARDS = 100_000
_MOST_BYTES = 1_000_000
_LONGEST_NAME = 200
_JSON_NAME = "identity"
_PICTURES = IMAGE_SUFFIXES | UNREAD_SUFFIXES.keys()

_BRACES = re.compile(r"\{([^{}/]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_PACKED = re.compile(r"\.(tgz|tar\.(gz|zst|bz2|xz))", re.IGNORECASE)


@dataclass
class _Sample:
    """Members of one shard with one key: pictures and identities in files beside them, by ending."""

    shard: Path
    key: str
    pictures: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """How the identities of a source are read. `columns_of` gives "identity" for a sample and a picture of it, and
    others where a pattern names them; `one_each`: a sample is one picture with a file beside it."""

    where: str
    columns_of: Callable[[_Sample, str], Mapping[str, str]]
    one_each: bool = False


def shard_files(source: Path) -> list[Path]:
    """The shards that `source` names: a .tar file, a pattern such as faces-{000..007}.tar or faces-*.tar, or a folder
    with shards at any depth, in order. Empty for anything else.

    Raises SourceInvalid for a pattern that finds nothing or names a file that isn't there, and compressed shards.
    """
    if source.is_dir():
        return sorted(
            path
            for path in source.rglob(f"*{SUFFIX}")
            if path.is_file() and not any(map(is_set_aside, path.relative_to(source).parts))
        )
    if source.is_file():
        if _PACKED.search(source.name):
            raise SourceInvalid(f"{source} is compressed: its members can't be read at random.", "Decompress it first.")
        return [source] if source.suffix.lower() == SUFFIX else []
    if not is_pattern(source):
        return []
    found = [path for each in _without_braces(str(source)) for path in _matching(Path(each))]
    if not found:
        raise SourceInvalid(
            f"No file fits {source}.", "Check the pattern; quote it, so that the shell leaves it alone."
        )
    return list(dict.fromkeys(found))


def is_pattern(source: Path) -> bool:
    """Whether the name, which isn't that of a file, stands for several: it has {a,b}, {000..007}, *, ? or [...]."""
    return source.suffix.lower() == SUFFIX and (has_magic(str(source)) or _BRACES.search(str(source)) is not None)


def source_name(source: Path) -> str:
    """What a data set made of `source` is called: the name without its suffix, or the part before a pattern."""
    if source.is_dir():
        return source.name
    plain = re.split(r"[{*?\[]", source.stem)[0].strip(" .-_")
    return plain or source.parent.name or "faces"


def shard_rows(
    root: Path, shards: list[Path], pattern: str | None, columns: Mapping[str, str]
) -> tuple[list[dict[str, Any]], str]:
    """A row for each picture, and where the identities were read.

    In this order: the `pattern` on the key's name; a .json with the key "identity" (or `columns["identity"]`), a .cls
    or a .txt beside each picture; the folder in the key; the name that an ingest gives. The first shard decides, and
    all have to agree. A folder train, val or test around a shard is the split. Raises SourceInvalid, ShardInvalid; both
    name the shard and the member.
    """
    rows: list[dict[str, Any]] = []
    reading: _Reading | None = None
    for shard in shards:
        inside = shard.relative_to(root)
        split = split_of_folder(inside.parent.name) or ""
        for sample in _samples(shard):
            if not sample.pictures:
                continue
            reading = reading or _chosen(sample, pattern, columns)
            for member in [_picture(sample)] if reading.one_each else sample.pictures.values():
                path = f"{inside.as_posix()}/{member}"
                pair = path.rpartition(".")[0]
                said = reading.columns_of(sample, member)
                rows.append({**said, "path": path, "source": path, "kind": HR, "split": split, "pair": pair})
    if reading is None:
        raise SourceInvalid(f"The shards in {root} hold no pictures.", "Expected members such as 000.jpg and 000.json.")
    return rows, reading.where


def _samples(shard: Path) -> Iterator[_Sample]:
    """Samples by key, the member's name up to the first dot of its last part, as in WebDataset."""
    found: dict[str, _Sample] = {}
    for name in members(shard):
        folder, _, last = name.rpartition("/")
        if any(is_set_aside(part) or part.startswith("__") for part in name.split("/")):
            continue
        stem, _, ending = last.partition(".")
        key = f"{folder}/{stem}".lstrip("/")
        sample = found.setdefault(key, _Sample(shard, key))
        if PurePosixPath(last).suffix.lower() in _PICTURES:
            sample.pictures[ending] = name
        elif ending in SIDECARS:
            sample.beside[ending] = name
    yield from found.values()


def _picture(sample: _Sample) -> str:
    """The sample's photograph: its only picture, else hr.png and the like. Raises SourceInvalid."""
    large = [name for ending, name in sample.pictures.items() if ending.lower().startswith("hr.")]
    candidates = large or list(sample.pictures.values())
    if len(candidates) > 1:
        raise SourceInvalid(
            f"{sample.shard}: the key {sample.key} has {len(candidates)} pictures, {' and '.join(candidates[:2])}.",
            "Give each picture its own key, or call the large one hr.png or hr.jpg.",
        )
    return candidates[0]


def _chosen(sample: _Sample, pattern: str | None, columns: Mapping[str, str]) -> _Reading:
    """How identities are read, as the first sample has them. Raises SourceInvalid where nothing says whose it is."""
    if pattern:
        chosen = naming.compiled(pattern)
        return _Reading("the pattern", lambda each, member: _by_pattern(each, member, chosen))
    named = columns.get("identity")
    if named or ("json" in sample.beside and _JSON_NAME in _record(sample)):
        name = named or _JSON_NAME
        return _Reading(f"the file .json, {name}", lambda each, _: {"identity": _from_json(each, name)}, one_each=True)
    ending = next((each for each in ("cls", "txt") if each in sample.beside), "")
    if ending:
        return _Reading(f"the file .{ending}", lambda each, _: {"identity": _from_text(each, ending)}, one_each=True)
    if "/" in sample.key:
        return _Reading("the folder", lambda each, member: {"identity": _from_folder(each, member)})
    own = naming.compiled(naming.OWN_PATTERN)
    return _Reading("the name", lambda each, member: _by_pattern(each, member, own))


def _from_json(sample: _Sample, name: str) -> str:
    value = _record(sample).get(name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _nobody(sample, f"{sample.key}.json has no text or number '{name}'")
    return _plain(sample, f"{sample.key}.json", str(value))


def _from_text(sample: _Sample, ending: str) -> str:
    return _plain(sample, f"{sample.key}.{ending}", _text(sample, ending))


def _from_folder(sample: _Sample, member: str) -> str:
    folder = PurePosixPath(member).parent.name
    if not folder:
        raise _nobody(sample, f"{member} is in no folder")
    return folder


def _by_pattern(sample: _Sample, member: str, pattern: Any) -> Mapping[str, str]:
    fields = naming.fields_of(PurePosixPath(member).stem, pattern)
    if fields is None:
        raise _nobody(sample, f"nothing beside {member} says whose it is, nor does its name")
    return fields


def _record(sample: _Sample) -> dict[str, Any]:
    try:
        said = json.loads(_text(sample, "json"))
    except (ValueError, RecursionError) as error:
        raise _nobody(sample, f"{sample.key}.json isn't valid JSON") from error
    if not isinstance(said, dict):
        raise _nobody(sample, f"{sample.key}.json isn't an object")
    return said


def _text(sample: _Sample, ending: str) -> str:
    member = sample.beside.get(ending)
    if member is None:
        raise _nobody(sample, f"{sample.key} has no .{ending}, as the first sample has")
    content = read_bytes(f"{sample.shard}/{member}", _MOST_BYTES + 1)
    try:
        if len(content) <= _MOST_BYTES:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise _nobody(sample, f"{member} isn't a short text in UTF-8")


def _plain(sample: _Sample, member: str, text: str) -> str:
    name = text.strip()
    if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
        raise _nobody(sample, f"{member} holds no name of one line and at most {_LONGEST_NAME} characters")
    return name


def _nobody(sample: _Sample, what: str) -> SourceInvalid:
    return SourceInvalid(
        f"{sample.shard}: {what}.",
        "Give each picture a .json, .cls or .txt with its identity, or a folder; --column identity=KEY names a key of "
        "the .json, --pattern reads names.",
    )


def _without_braces(pattern: str) -> list[str]:
    """{000..007} and {a,b} written out, as shells do it. Raises SourceInvalid for too many."""
    parts = _BRACES.split(pattern)
    choices: list[list[str]] = []
    for number, part in enumerate(parts):
        span = _RANGE.fullmatch(part)
        if number % 2 == 0:
            choices.append([part])
        elif span:
            first, last = int(span[1]), int(span[2])
            if not 0 <= last - first < MOST_SHARDS:
                raise SourceInvalid(f"{{{part}}} isn't a range of at most {MOST_SHARDS:,} numbers.", "Correct it.")
            choices.append([f"{value:0{len(span[1])}}" for value in range(first, last + 1)])
        else:
            choices.append(part.split(","))
    total = 1
    for each in choices:
        total *= len(each)
    if total > MOST_SHARDS:
        raise SourceInvalid(f"{pattern} stands for {total:,} files, at most {MOST_SHARDS:,} are read.", "Name fewer.")
    made = ["".join(chosen) for chosen in product(*choices)]
    if ".." not in Path(pattern).parts and any(".." in Path(each).parts for each in made):
        raise SourceInvalid(f"{pattern} leads out of its folder.", "Write '..' outside of braces.")
    return made


def _matching(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not has_magic(str(path)):
        raise SourceInvalid(f"There is no shard {path}.", "Check the pattern: all files that it names are needed.")
    fixed = next(parent for parent in path.parents if not has_magic(str(parent)))
    return sorted(found for found in fixed.glob(path.relative_to(fixed).as_posix()) if found.is_file())
