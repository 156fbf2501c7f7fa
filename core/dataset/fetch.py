"""Public data sets: downloaded by scikit-learn, which checks SHA-256, and ingested like the user's own photographs."""

from __future__ import annotations

import contextlib
import errno
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.access.actor import require
from core.access.roles import Permission
from core.dataset.errors import DatasetError
from core.dataset.ingest import IngestSummary, ingest
from core.dataset.photograph import encode_png
from core.errors import SettingsInvalid, StorageFailed
from core.images import RGB, sha256_of
from core.jobs.context import NO_HOOKS, Hooks
from core.system.private_files import make_private

OLIVETTI_SHA256 = "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794"
"""Of olivettifaces.mat, as scikit-learn has it."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


class FetchFailed(DatasetError):
    """A public data set couldn't be downloaded (offline, refused, other content than expected)."""


@dataclass(frozen=True)
class Public:
    """A public data set: its title with its size, and how to place its files by hand."""

    name: str
    title: str
    by_hand: str
    prepare: Callable[[Path], Path]


def fetch(name: str, out: Path, *, downloads: Path, hooks: Hooks = NO_HOOKS, **options: Any) -> IngestSummary:
    """Download "lfw" or "olivetti" into the folder `downloads`, unless it is there, and ingest it into `out`.

    `options` are those of `ingest`. Raises SettingsInvalid for another name, FetchFailed, StorageFailed, and what
    `ingest` raises.
    """
    require(Permission.DATA)
    if name not in PUBLIC:
        raise SettingsInvalid(f"There is no public data set '{name}' here.", f"Choose {' or '.join(sorted(PUBLIC))}.")
    public = PUBLIC[name]
    hooks.on_event("download", name=name, title=public.title)
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(io.StringIO()):  # scikit-learn prints
            folder = public.prepare(downloads)
        make_private([downloads])  # unpacking gives files the permissions that the archive names
    except OSError as error:
        if error.errno in _DISK:
            raise StorageFailed(
                f"{downloads} couldn't be written: {error.strerror}.", "Free space or check its permissions."
            ) from error
        raise FetchFailed(
            f"{public.title} couldn't be downloaded; this machine may be offline.",
            f"Try again later, or {public.by_hand.format(downloads=downloads)} and run it again.",
        ) from error
    return ingest(folder, out, hooks=hooks, **{"name": name, "aligned": False, **options})


def _prepare_lfw(downloads: Path) -> Path:
    """The folder with a folder for each person. Raises OSError."""
    home = downloads / "lfw_home"
    folder = home / "lfw_funneled"
    archive = home / "lfw-funneled.tgz"
    if archive.exists():
        shutil.rmtree(folder, ignore_errors=True)  # unpacking was cut short: the archive goes last
    if not folder.is_dir():
        from sklearn.datasets import fetch_lfw_people

        # There is no function that only downloads: of the one person with so many pictures it loads the least.
        fetch_lfw_people(data_home=downloads, funneled=True, min_faces_per_person=500, resize=0.1, n_retries=1)
    return folder


def _prepare_olivetti(downloads: Path) -> Path:
    """40 folders of ten PNG each. scikit-learn's own cache is a pickle and is never read. Raises OSError."""
    folder = downloads / "olivetti"
    if folder.is_dir():
        return folder
    by_hand = downloads / "olivettifaces.mat"
    faces = _from_mat(by_hand) if by_hand.is_file() else _downloaded_olivetti()
    hidden = Path(tempfile.mkdtemp(prefix=".olivetti-", dir=downloads))
    try:
        for number, face in enumerate(faces):
            target = hidden / f"s{number // 10 + 1:02d}" / f"{number % 10 + 1:02d}.png"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(encode_png(face))
        hidden.rename(folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return folder


def _downloaded_olivetti() -> list[RGB]:
    from sklearn.datasets import fetch_olivetti_faces

    with tempfile.TemporaryDirectory(prefix="olivetti-") as home:
        found = fetch_olivetti_faces(data_home=home, n_retries=1)
    return [_as_rgb(np.rint(image * 255)) for image in found.images]


def _from_mat(path: Path) -> list[RGB]:
    content = path.read_bytes()
    if sha256_of(content) != OLIVETTI_SHA256:
        raise FetchFailed(f"{path} isn't the Olivetti faces as published.", "Download it again, or remove it.")
    from scipy.io import loadmat

    columns = loadmat(io.BytesIO(content))["faces"]
    return faces_of(columns)


def faces_of(columns: Any) -> list[RGB]:
    """The .mat file's table (4096, N), each column a 64 x 64 px picture written down by columns, as RGB pictures."""
    return [_as_rgb(column.reshape(64, 64).T) for column in np.asarray(columns, dtype=np.float64).T]


def _as_rgb(grey: Any) -> RGB:
    levels = np.clip(grey, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(levels[..., None], 3, axis=2))


PUBLIC = {
    "lfw": Public(
        "lfw",
        "Labeled Faces in the Wild (13,233 photographs, about 200 MB)",
        "unpack lfw-funneled.tgz so that {downloads}/lfw_home/lfw_funneled has a folder for each person",
        _prepare_lfw,
    ),
    "olivetti": Public(
        "olivetti",
        "the Olivetti faces (400 pictures of 64 px, 4 MB)",
        "put olivettifaces.mat into {downloads}",
        _prepare_olivetti,
    ),
}
