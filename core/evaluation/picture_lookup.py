"""Find the pictures of an evaluation's table of probes by their names.

A probe of an aligned view is reproduced exactly. One of an end-to-end view was cut from a reduced photograph; the data
set's own aligned crop, reduced in the same way, is shown in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.dataset.degrade import degrade, seed_for
from core.dataset.layout import HR, VLR
from core.dataset.manifest import Dataset, is_dataset, read_dataset
from core.errors import CoreError
from core.images import RGB, read_image, resize
from core.settings import CROP_PX
from core.system.shards import ShardInvalid, is_there


@dataclass(frozen=True)
class SeenPictures:
    """Finds pictures by the config of the run that measured them (see `config_models`)."""

    config: Mapping[str, Any]

    @cached_property
    def _dataset(self) -> Dataset | None:
        root = Path(str(self.config.get("dataset") or ""))
        try:
            return read_dataset(root) if self.config.get("dataset") and is_dataset(root) else None
        except CoreError:
            return None

    @cached_property
    def _by_source(self) -> dict[str, str]:
        """The aligned HR crop of each photograph that the data set was made from."""
        if self._dataset is None or not self.config.get("photographs"):
            return {}
        hr = self._dataset.frame[self._dataset.frame["kind"] == HR]
        return dict(zip(hr["source"], hr["path"], strict=True))

    @cached_property
    def _small(self) -> dict[tuple[str, int], str]:
        """The data set's own VLR files by the HR file that they belong to and their size."""
        if self._dataset is None:
            return {}
        frame = self._dataset.frame
        hr, vlr = frame[frame["kind"] == HR], frame[frame["kind"] == VLR]
        pair_of = dict(zip(hr["pair"], hr["path"], strict=True))
        rows = zip(vlr["pair"], vlr["size_px"], vlr["path"], strict=True)
        return {(pair_of[pair], int(size)): path for pair, size, path in rows if pair in pair_of}

    def path(self, name: str) -> Path | None:
        """Return the file of the face that tables call `name`: the aligned crop if there is one, else the photograph.

        None where it is missing, or would be outside of the run's folders.
        """
        for folder, inside in self._places(name):
            try:
                file = (folder / inside).resolve()
                if file.is_relative_to(folder.resolve()) and is_there(file):
                    return file
            except (OSError, ValueError, ShardInvalid):
                continue
        return None

    def _places(self, name: str) -> list[tuple[Path, str]]:
        """(folder, path in it), best first."""
        places: list[tuple[Path, str]] = []
        if self.config.get("dataset"):
            root = Path(str(self.config["dataset"]))
            if self._dataset is not None:
                places.append((root, self._by_source.get(name, name)))
            else:
                # A scanned folder's names begin at its parent's where it is one split of it.
                places += [(root, name), (root.parent, name)]
        places += [(Path(str(self.config[key])), name) for key in ("photographs", "images") if self.config.get(key)]
        return places

    def hr(self, name: str) -> RGB | None:
        """The picture, uint8 RGB; None where it can't be read any more."""
        path = self.path(name)
        try:
            return None if path is None else read_image(path)
        except CoreError:
            return None

    def probe(self, name: str, sha256: str, size_px: int, degradation: str) -> RGB | None:
        """The same face as the encoder was given it: (size_px, size_px, 3), or the HR picture at CROP_PX and more.

        None where it can't be made any more.
        """
        rgb = self.hr(name)
        if rgb is None or size_px >= CROP_PX:
            return rgb
        try:
            if degradation == "stored":
                path = self._small.get((name, size_px))
                return None if path is None or self._dataset is None else read_image(self._dataset.file(path))
            square = rgb if rgb.shape[0] == rgb.shape[1] else rgb[: min(rgb.shape[:2]), : min(rgb.shape[:2])]
            seed = int((self.config.get("plan") or {}).get("seed") or 0)
            return degrade(resize(square, CROP_PX), size_px, degradation or "bicubic", seed=seed_for(seed, sha256))[0]
        except CoreError:
            return None
