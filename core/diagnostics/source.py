"""Sources of embeddings to diagnose (a data set's faces in a system), and configurations of `diagnose` runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from core.dataset.manifest import Dataset, read_dataset
from core.diagnostics.cloud import Cloud, cloud_of_pictures, drawn_people
from core.errors import SettingsInvalid
from core.evaluation.embedding import count_missing, embed
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.hooks import RunHooks
from core.evaluation.pictures import Picture, pictures_of_dataset
from core.evaluation.systems import System, open_system
from core.evaluation.vector_cache import EmbeddingCache, default_embedding_cache
from core.evaluation.views import View
from core.gallery.records import Space
from core.jobs.context import NO_HOOKS, Hooks
from core.settings import CROP_PX, VLR_SIZES_PX, Settings
from core.system.validated import Record, validated

MOST_PICTURES = 12_000
"""With more pictures people are sampled: a larger map shows no more and slows a browser down."""


@dataclass(frozen=True)
class Source:
    """A data set (of one split, or all with None) at HR and the `sizes` in px, embedded by the system of `spec`."""

    dataset: str
    split: str | None
    sizes: tuple[int, ...]
    spec: SystemSpec
    most: int = MOST_PICTURES
    seed: int = 0


class DiagnoseConfig(Record):
    """The configuration of a `diagnose` run: a task on a `Source`, or a map of the gallery's templates in `space`.

    Tasks: "embed" caches the source's embeddings, "map" lays them out by t-SNE as well, "check" tries the weights on a
    sample of the faces. The hashes and `points` tell runs apart on the page and take no part in the work.
    """

    task: Literal["embed", "map", "check"]
    dataset: str = ""
    split: str | None = None
    sizes: tuple[int, ...] = ()
    spec: SystemSpec = SystemSpec()
    most: int = MOST_PICTURES
    seed: int = 0
    gallery: bool = False
    space: Space | None = None
    weights_sha256: str = ""
    upscaler_sha256: str = ""
    manifest: str = ""
    points: int = 0

    @model_validator(mode="after")
    def _has_faces(self) -> DiagnoseConfig:
        if self.gallery and self.space is None:
            raise ValueError("a map of the gallery names no space")
        if not self.gallery and not self.dataset:
            raise ValueError("no data set is named")
        return self

    @property
    def source(self) -> Source:
        """The data set and the system that are looked at."""
        return Source(self.dataset, self.split or None, self.sizes, self.spec, self.most, self.seed)


def diagnose_config(task: str, faces: Source | Space, **identity: Any) -> dict[str, Any]:
    """Return the values of a `diagnose` run's config, for a data set or for the gallery's templates in a space.

    `identity`: hashes and counts that tell runs apart (see `DiagnoseConfig`). Raises SettingsInvalid.
    """
    of_gallery = isinstance(faces, Space)
    what = {"gallery": True, "space": faces} if of_gallery else {f.name: getattr(faces, f.name) for f in fields(faces)}
    config = validated(DiagnoseConfig, {"task": task, **what, **identity}, _refused)
    return config.model_dump(mode="json", exclude_unset=True)


def read_diagnose_config(values: Mapping[str, Any]) -> DiagnoseConfig:
    """Return the config of a run. Raises SettingsInvalid."""
    return validated(DiagnoseConfig, dict(values), _refused)


def _refused(fault: str) -> SettingsInvalid:
    return SettingsInvalid(f"This diagnosis can't be run: {fault}", "Start it again.")


class Opened:
    """A source with its pictures listed and its system found; weights are loaded on first use."""

    def __init__(self, source: Source, settings: Settings, dataset: Dataset | None = None) -> None:
        """`dataset`: where it was read already. Raises DatasetInvalid, SettingsInvalid, what `open_system` raises."""
        self.source = source
        self.dataset = dataset if dataset is not None else read_dataset(Path(source.dataset))
        listed = pictures_of_dataset(self.dataset, source.split)
        self.listed = len(listed)
        self.pictures: list[Picture] = drawn_people(listed, source.most, source.seed)
        self.system: System = open_system(source.spec, settings)
        self.store: EmbeddingCache = default_embedding_cache(settings)

    @cached_property
    def views(self) -> list[View]:
        """HR and each size; small faces are the data set's own VLR files where every picture has one."""
        return [View("aligned"), *(self._small(size) for size in self.source.sizes)]

    def _small(self, size: int) -> View:
        stored = all(size in picture.vlr for picture in self.pictures)
        return View("aligned", size, "stored" if stored else "bicubic")

    def missing(self) -> int:
        """Count the pictures that aren't embedded yet."""
        return count_missing(self.system, self.pictures, self.views, store=self.store)

    def cloud(self, hooks: Hooks = NO_HOOKS) -> Cloud:
        """Embed every picture that isn't cached, and return all as a cloud. Raises what `embed` raises."""
        embedded = embed(
            self.system, self.pictures, self.views, RunHooks(hooks.on_event, hooks.should_stop, self.store)
        )
        return cloud_of_pictures(self.pictures, embedded)

    @property
    def protocol(self) -> str:
        """The protocol for a caption: data, split, counts, system."""
        split = f", split {self.source.split}" if self.source.split else ""
        drawn = f" (drawn from {self.listed:,}, people whole)" if len(self.pictures) < self.listed else ""
        people = len({picture.identity for picture in self.pictures})
        synthetic = ", drawn faces" if self.dataset.info.synthetic else ""
        small = {view.degradation for view in self.views if view.size_px is not None}
        how = f"; small faces: {' and '.join(_WORDS[each] for each in sorted(small))}" if small else ""
        return (
            f"{self.dataset.info.name}{split}{synthetic}: {len(self.pictures):,} aligned faces of {people:,} "
            f"people{drawn}; {self.system.label} ({self.system.encoder_sha256[:10]}){how}"
        )


_WORDS = {"stored": "the data set's VLR files", "bicubic": "made from HR by bicubic", "camera": "as by a camera"}


def sizes_offered(dataset: Dataset) -> list[int]:
    """The small sizes to choose from, large to small: the data set's own below full size, else 32, 24 and 16 px."""
    frame = dataset.frame
    own = {int(size) for size in frame.loc[frame["kind"] == "vlr", "size_px"].unique()}
    usable = sorted((size for size in own if 8 <= size < CROP_PX), reverse=True)
    return usable or sorted(VLR_SIZES_PX, reverse=True)
