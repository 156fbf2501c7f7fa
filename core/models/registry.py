"""Registry of the model files of one kind: which are stored, which is in use, and how one is taken into use.

`core.models.encoders`, `core.models.upscalers` and `core.models.landmark_networks` are its kinds. What is in use stands
in data/active.json with its SHA-256, so that a replaced file is noticed. Only `use` and `check` load a model.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError, StorageFailed, WeightsMissing
from core.models.active_file import read_active, write_active
from core.models.files import (
    SUFFIXES,
    FileFacts,
    Wording,
    choice_of,
    chosen_file,
    exists,
    file_facts,
    keep_copy,
    stored_paths,
)
from core.settings import Settings
from core.system.logs import Public, logger

_log = logger(__name__)


class ModelFile(Protocol):
    """A model that can be taken into use; `path` is None for one that needs no file."""

    @property
    def path(self) -> Path | None: ...

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...


T = TypeVar("T", bound=ModelFile)


class ModelRegistry(ABC, Generic[T]):
    """The models of one kind. `key` is its entry in data/active.json, `suffixes` are the endings of its files, `fault`
    the error of a missing or changed file; `alternative` ends the advice when the file in use is gone."""

    key: ClassVar[str]
    suffixes: ClassVar[frozenset[str]] = SUFFIXES
    wording: ClassVar[Wording]
    fault: ClassVar[type[CoreError]]
    alternative: ClassVar[str]

    @abstractmethod
    def describe(self, path: Path) -> T:
        """Return the model at `path`. Raises `fault` where there is none, StorageFailed where it can't be read."""

    @abstractmethod
    def accepts(self, metadata: Mapping[str, str]) -> bool:
        """Whether a file with this header belongs to this kind."""

    @abstractmethod
    def from_facts(self, facts: FileFacts) -> T:
        """Return the model of an accepted file."""

    @abstractmethod
    def default(self, settings: Settings) -> T:
        """Return the model in use while none was chosen."""

    @abstractmethod
    def check(self, file: T) -> None:
        """Load a model completely and try it on real faces. Raises `fault` and what loading raises."""

    @abstractmethod
    def not_named(self) -> CoreError:
        """Return the error for an empty name."""

    @abstractmethod
    def not_found(self, settings: Settings, text: str, stored: list[T]) -> CoreError:
        """Return the error for a name that no stored model has."""

    def built_in(self, name: object) -> T | None:
        """Return the model of that name that needs no file; None where there is none."""
        return None

    def named(self, text: str, stored: list[T]) -> T | None:
        """Return the stored model with that name or file name."""
        return next((file for file in stored if file.path and text in (file.name, file.path.name)), None)

    def scan(self, settings: Settings) -> list[T]:
        """List the readable models in data/weights, then data/models, by name."""
        found = []
        for path in stored_paths(settings, self.suffixes):
            try:
                facts = file_facts(path)
            except (WeightsMissing, StorageFailed):
                continue  # gone or unreadable since the folder was listed
            if self.accepts(facts.metadata):
                found.append(self.from_facts(facts))
        return found

    def active(self, settings: Settings) -> T:
        """Return the model in use: the chosen one (data/active.json), else the default.

        Raises `fault` when the chosen file is gone or was changed: nothing replaces it silently. Raises SettingsInvalid
        when data/active.json is damaged.
        """
        chosen = read_active(settings).get(self.key)
        if chosen is None:
            return self.default(settings)
        if built_in := self.built_in(chosen.get("path") if isinstance(chosen, dict) else None):
            return built_in
        facts = chosen_file(settings, chosen, self.wording, otherwise=self.alternative, fault=self.fault)
        return self.describe(facts.path)

    def find(self, settings: Settings, file_or_name: str | Path) -> T:
        """Return the model with that path or name. Raises `fault` with what is stored instead, StorageFailed."""
        text = str(file_or_name).strip()
        if not text or "\0" in text:
            raise self.not_named()
        if built_in := self.built_in(text):
            return built_in
        if os.sep not in text:
            stored = self.scan(settings)
            if not isinstance(file_or_name, Path) and (found := self.named(text, stored)):
                return found
            if not exists(Path(text).expanduser()):
                raise self.not_found(settings, text, stored)
        return self.describe(Path(text))

    def get(self, settings: Settings, file_or_name: str | Path | None = None) -> T:
        """Return the model with that path or name, for None the one in use. Raises what `active` and `find` raise."""
        return self.active(settings) if file_or_name is None else self.find(settings, file_or_name)

    def use(self, settings: Settings, file_or_name: str | Path) -> T:
        """Take a model into use: check it, copy it to data/weights unless it is stored, and enter it in
        data/active.json.

        Nothing changes unless all of it succeeds. Raises what `find` and `check` raise, and StorageFailed.
        """
        require(Permission.WEIGHTS)
        file = self.find(settings, file_or_name)
        self.check(file)
        kept, entry = self.keep(settings, file)
        write_active(settings, **{self.key: entry})
        _log.info("%s in use: SHA-256 %s", Public(self.key), Public(kept.sha256[:12]))
        return kept

    def keep(self, settings: Settings, file: T, *, name: str = "") -> tuple[T, dict[str, str]]:
        """Store a model in data/weights under `name`, unless it is stored; return it and its entry of data/active.json.

        Raises StorageFailed, and WeightsUnsafe when the file changed meanwhile.
        """
        if file.path is None:
            return file, {"path": file.name}
        kept = self.describe(keep_copy(settings, file.path, file.sha256, name=name, suffixes=self.suffixes))
        assert kept.path is not None
        return kept, choice_of(settings, kept.path, kept.sha256)
