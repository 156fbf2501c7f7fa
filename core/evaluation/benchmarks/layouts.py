"""Read the published folder layouts of benchmarks, with the identity of every picture.

TinyFace (Cheng et al., ACCV 2018): Testing_Set/{Probe, Gallery_Match, Gallery_Distractor}, names and identities in
probe_img_ID_pairs.mat and gallery_match_img_ID_pairs.mat (variables *_set, *_ids); without those files the identity is
the file name up to the first "_". Aligned copies keep the three folders.
QMUL-SurvFace (Cheng et al., arXiv 1804.09691): Face_Identification_Test_Set/{gallery, mated_probe, unmated_probe} with
gallery_img_ID_pairs.mat and mated_probe_img_ID_pairs.mat there or in Face_Identification_Evaluation.
SCface (Grgic et al., Multimedia Tools and Applications 2011): NNN_frontal.jpg are mugshots, NNN_camC_D.jpg surveillance
images of cameras 1 to 5 at distance labels 1 (4.20 m), 2 (2.60 m) and 3 (1.00 m), in any folders.
LFW (Huang et al. 2007) and XQLFW (Knoche et al., FG 2021): a pairs file, and a folder for each person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import CoreError
from core.evaluation.pairs import photos_of, read_pairs
from core.system.image_files import IMAGE_SUFFIXES

NAMES = ("tinyface", "scface", "survface", "lfw", "xqlfw")
IDENTIFICATION = ("tinyface", "scface", "survface")

_PARTS = {
    "tinyface": ("Probe", "Gallery_Match", "Gallery_Distractor"),
    "survface": ("gallery", "mated_probe", "unmated_probe"),
}
_PAIRS_FILES = {"lfw": ("pairs.txt",), "xqlfw": ("xqlfw_pairs.txt", "pairs.txt")}
_MUGSHOT = re.compile(r"(\d{3})_frontal", re.IGNORECASE)
_CAMERA = re.compile(r"(\d{3})_cam([1-5])_([1-3])", re.IGNORECASE)
DISTANCES = {"1": "distance 1 (4.20 m)", "2": "distance 2 (2.60 m)", "3": "distance 3 (1.00 m)"}


class BenchmarkMissing(CoreError):
    """A folder doesn't hold the benchmark in its published layout."""

    help_topic = "evaluation"


@dataclass(frozen=True)
class Files:
    """Files, and the identity on each."""

    paths: tuple[Path, ...]
    identities: tuple[str, ...]


@dataclass(frozen=True)
class Identification:
    """An identification benchmark: gallery, distractors, mated probes by part, and strangers."""

    root: Path
    gallery: Files
    distractors: Files = field(default_factory=lambda: Files((), ()))
    probes: dict[str, Files] = field(default_factory=dict)
    strangers: Files = field(default_factory=lambda: Files((), ()))


@dataclass(frozen=True)
class Pairs:
    """A verification benchmark: its pairs file, its images, and whether those are aligned 112 px crops."""

    pairs_file: Path
    images: Path
    aligned: bool


def require_layout(name: str, root: Path) -> None:
    """Raise BenchmarkMissing when `root` isn't that benchmark."""
    read_pairs_layout(name, root) if name in _PAIRS_FILES else read_identification(name, root)


def read_identification(name: str, root: Path) -> Identification:
    """The files of TinyFace, SCface or QMUL-SurvFace. Raises BenchmarkMissing."""
    if name == "scface":
        return _scface(root)
    parts = _PARTS[name]
    base = next((path for path in _places(root) if all((path / part).is_dir() for part in parts)), None)
    if base is None:
        raise BenchmarkMissing(f"{root} holds no folders {', '.join(parts)}.", "Choose the benchmark's own folder.")
    if name == "tinyface":
        distractors = _images(base / "Gallery_Distractor")
        return Identification(
            base,
            gallery=_named(base / "Gallery_Match", _mat(base, "gallery_match_img_ID_pairs.mat", "gallery")),
            distractors=Files(tuple(distractors), tuple(f"distractor {path.name}" for path in distractors)),
            probes={"all probes": _named(base / "Probe", _mat(base, "probe_img_ID_pairs.mat", "probe"))},
        )
    strangers = _images(base / "unmated_probe")
    return Identification(
        base,
        gallery=_named(base / "gallery", _mat(base, "gallery_img_ID_pairs.mat", "gallery")),
        probes={
            "mated probes": _named(base / "mated_probe", _mat(base, "mated_probe_img_ID_pairs.mat", "mated_probe"))
        },
        strangers=Files(tuple(strangers), tuple(f"stranger {path.name}" for path in strangers)),
    )


def read_pairs_layout(name: str, root: Path) -> Pairs:
    """Find the pairs file and the images of LFW or XQLFW. Raises BenchmarkMissing."""
    listed = next((root / file for file in _PAIRS_FILES[name] if (root / file).is_file()), None)
    if listed is None:
        raise BenchmarkMissing(f"{root} holds no {_PAIRS_FILES[name][0]}.", "Put the pairs file into that folder.")
    line = next((text for text in listed.read_text("utf-8", "replace").splitlines()[1:] if text.strip()), "")
    person = line.split()[0] if line.split() else ""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    images = next((folder for folder in folders if person and (folder / person).is_dir()), None)
    if images is None:
        raise BenchmarkMissing(
            f"{root} holds no folder of images with a folder for each person.",
            "Unpack the images into that folder.",
        )
    return Pairs(listed, images, "aligned_112" in images.name)


def named_people(name: str, root: Path) -> set[str]:
    """Return the people of LFW's or XQLFW's pairs; none for the others, whose people have numbers and no names.

    Raises BenchmarkMissing, PairsInvalid.
    """
    if name not in _PAIRS_FILES:
        return set()
    return {photo.name for photo in photos_of(read_pairs(read_pairs_layout(name, root).pairs_file))}


def _places(root: Path) -> Iterator[Path]:
    yield root
    for child in ("Testing_Set", "Face_Identification_Test_Set", "tinyface/Testing_Set"):
        yield root / child


def _scface(root: Path) -> Identification:
    mugshots: dict[str, Path] = {}
    seen: dict[str, dict[str, Path]] = {"1": {}, "2": {}, "3": {}}
    for path in _images(root):
        if match := _MUGSHOT.fullmatch(path.stem):
            # The originals go before the cropped ones: the face is found and aligned here as in everything else.
            known = mugshots.get(match[1])
            if known is None or "cropped" in str(known.parent).lower():
                mugshots[match[1]] = path
        elif match := _CAMERA.fullmatch(path.stem):
            seen[match[3]].setdefault(path.stem.lower(), path)
    if not mugshots or not any(seen.values()):
        raise BenchmarkMissing(
            f"{root} holds no NNN_frontal.jpg with NNN_camC_D.jpg.", "Choose the folder SCface_database."
        )
    probes = {
        DISTANCES[label]: Files(tuple(some.values()), tuple(stem[:3] for stem in some))
        for label, some in seen.items()
        if some
    }
    return Identification(root, Files(tuple(mugshots.values()), tuple(mugshots)), probes=probes)


def _mat(base: Path, name: str, kind: str) -> tuple[list[str], list[str]] | None:
    """(file names, identities) of a .mat file in its variables <kind>_set and <kind>_ids; None without the file."""
    for folder in (base, base.parent / "Face_Identification_Evaluation"):
        path = folder / name
        if path.is_file():
            break
    else:
        return None
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content: dict[str, Any] = loadmat(path)
        names = [str(np.ravel(cell)[0]).strip() for cell in np.ravel(content[f"{kind}_set"])]
        identities = [str(int(np.ravel(cell)[0])) for cell in np.ravel(content[f"{kind}_ids"])]
    except (KeyError, ValueError, TypeError, IndexError, OSError, NotImplementedError, MatReadError) as error:
        raise BenchmarkMissing(
            f"{path.name} holds no {kind}_set and {kind}_ids.", "Take the file from the published archive."
        ) from error
    if len(names) != len(identities) or not names:
        raise BenchmarkMissing(
            f"{path.name} lists {len(names)} files and {len(identities)} identities.", "Unpack the archive again."
        )
    return names, identities


def _named(folder: Path, listed: tuple[list[str], list[str]] | None) -> Files:
    """A folder's images with the identities that a .mat file lists, or that the file names begin with."""
    if listed is None:
        images = _images(folder)
        return _checked(folder, Files(tuple(images), tuple(path.name.split("_")[0] for path in images)))
    names, identities = listed
    paths = [folder / name for name in names]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise BenchmarkMissing(
            f"{len(missing)} of {len(paths)} images aren't in {folder}, first {missing[0]}.",
            "Unpack the archive again.",
        )
    return _checked(folder, Files(tuple(paths), tuple(identities)))


def _checked(folder: Path, files: Files) -> Files:
    if not files.paths:
        raise BenchmarkMissing(f"{folder} holds no images.", "Unpack the archive again.")
    return files


def _images(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
