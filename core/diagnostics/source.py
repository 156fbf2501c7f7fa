"""What is looked at, as a page and a run's config name it alike: a data set's faces seen by a system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.dataset.manifest import Dataset, read_dataset
from core.diagnostics.cloud import Cloud, cloud_of_pictures, drawn_people
from core.errors import SettingsInvalid
from core.evaluation.embedding import count_missing, embed
from core.evaluation.hooks import OnEvent, RunHooks, ShouldStop, ignore_event, never_stop
from core.evaluation.job import spec_of
from core.evaluation.pictures import Picture, pictures_of_dataset
from core.evaluation.systems import System, SystemSpec, open_system
from core.evaluation.vector_cache import EmbeddingCache, default_embedding_cache
from core.evaluation.views import View
from core.settings import CROP_PX, VLR_SIZES_PX, Settings

MOST_PICTURES = 12_000
"""More than these, and people are drawn: a map of more says no more, and a browser slows down."""


@dataclass(frozen=True)
class Source:
    """A data set (of one split, or all with None) at HR and the `sizes` in px, seen by the system of `spec`."""

    dataset: str
    split: str | None
    sizes: tuple[int, ...]
    spec: SystemSpec
    most: int = MOST_PICTURES
    seed: int = 0

    def config(self, **more: Any) -> dict[str, Any]:
        """For a run; `source_of` reads it back."""
        return {**asdict(self), "sizes": list(self.sizes), **more}


def source_of(config: Mapping[str, Any]) -> Source:
    """The source that a run's config names. Raises SettingsInvalid."""
    try:
        return Source(
            dataset=str(config["dataset"]),
            split=config.get("split") or None,
            sizes=tuple(int(size) for size in config.get("sizes") or ()),
            spec=spec_of(config.get("spec") or {}),
            most=int(config.get("most") or MOST_PICTURES),
            seed=int(config.get("seed") or 0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsInvalid(f"This run's settings can't be used: {error}.", "Start it again.") from error


class Opened:
    """A source with its pictures listed and its system found; nothing is loaded before something is embedded."""

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
        """How many pictures aren't embedded yet."""
        return count_missing(self.system, self.pictures, self.views, store=self.store)

    def cloud(self, on_event: OnEvent = ignore_event, should_stop: ShouldStop = never_stop) -> Cloud:
        """Embed every picture that isn't cached, and return all as a cloud. Raises what `embed` raises."""
        embedded = embed(self.system, self.pictures, self.views, RunHooks(self.store, on_event, should_stop))
        return cloud_of_pictures(self.pictures, embedded)

    @property
    def protocol(self) -> str:
        """What was measured, for a caption: data, split, how many, which system."""
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
