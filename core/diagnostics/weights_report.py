"""Report on a file of weights: every key compared with its variant's, parameters, hash, parent, model card, health.

Files that can't be used are reported too, with what is wrong: this is where one looks when loading refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.encoder.health import HealthReport, check_health
from core.errors import CoreError, SettingsInvalid
from core.models.encoders import WeightsFile, describe, scan
from core.models.figures import measured
from core.models.header import Card, read_card
from core.models.measured import Measured
from core.models.upscalers import UpscalerFile, check_upscaler
from core.settings import Settings, load_settings
from core.sr.upscale import DSRUpscaler


@dataclass(frozen=True)
class Keys:
    """How a file's tensors fit a variant. `fit` counts keys that are right, `expected` those of the variant."""

    variant: str
    expected: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    @property
    def fit(self) -> int:
        return self.expected - len(self.missing) - len(self.misshapen)

    @property
    def complete(self) -> bool:
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def line(self) -> str:
        """The report in a sentence."""
        if self.complete:
            return f"All {self.expected} keys of {self.variant} are there, with their shapes, and nothing else."
        found = (
            (self.missing, "missing"),
            (self.unexpected, "unexpected"),
            (self.misshapen, "of another shape"),
        )
        misfits = ", ".join(f"{len(keys)} {what} (first {keys[0]})" for keys, what in found if keys)
        return f"Nearest to {self.variant}, whose {self.expected} keys don't all fit: {misfits}."


@dataclass(frozen=True)
class ModelReport:
    """One file. `problem` is "" for one that can be used; `keys` and `health` are None where it didn't come so far.

    kind: "encoder", "upscaler" or "specialist"; form: how the file stores its tensors; parent: the name of the file
    that it was trained from where that is here, else "".
    """

    kind: str
    name: str
    path: Path | None
    sha256: str
    size_bytes: int
    origin: str
    form: str = ""
    parameters: int = 0
    keys: Keys | None = None
    companions: int = 0
    identities: int | None = None
    inert_classes: tuple[str, ...] = ()
    health: HealthReport | None = None
    card: Card = field(default_factory=Card)
    measured: Measured | None = None
    parent: str = ""
    problem: str = ""
    next_step: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem

    def facts(self) -> dict[str, Any]:
        """Plain values for the command line and reports."""
        keys = None if self.keys is None else {**vars(self.keys), "fit": self.keys.fit, "complete": self.keys.complete}
        health = None if self.health is None else {**vars(self.health), "reason": self.health.reason}
        return {
            "kind": self.kind,
            "name": self.name,
            "path": self.path,
            "sha256": self.sha256,
            "ok": self.ok,
            "size_bytes": self.size_bytes,
            "origin": self.origin,
            "form": self.form,
            "parameters": self.parameters,
            "keys": keys,
            "companions": self.companions,
            "identities": self.identities,
            "inert_classes": list(self.inert_classes),
            "health": health,
            "parent_sha256": self.card.parent_sha256,
            "parent": self.parent,
            "trained_by": self.card.trained_by,
            "made_at": self.card.made_at,
            "measured": None if self.measured is None else self.measured.protocol,
            "problem": self.problem,
            "next_step": self.next_step,
        }


def report_on(file: WeightsFile | UpscalerFile, settings: Settings | None = None) -> ModelReport:
    """Read every tensor of a file and try it on faces. `settings` say where a parent may lie.

    Takes a second or two (torch). Never raises a CoreError: what is wrong is the report's `problem`.
    """
    if isinstance(file, UpscalerFile):
        return _upscaler(file, settings)
    card = read_card(file.metadata)
    facts: dict[str, Any] = {
        "kind": "encoder",
        "name": file.name,
        "path": file.path,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "origin": file.origin,
        "card": card,
        "parent": _parent(card, settings),
        "measured": measured(file, settings or load_settings()),
    }
    try:
        keys, facts["form"] = key_report(file.path)
        facts["keys"] = keys
        if not keys.complete:
            raise SettingsInvalid(keys.line, "It isn't loaded: use a complete file of that variant.")
        return _loaded(file, facts)
    except CoreError as error:
        return ModelReport(**facts, problem=error.what, next_step=error.next_step)


def key_report(path: Path) -> tuple[Keys, str]:
    """A file's keys against the variant that fits best, and the form it is stored in. Raises WeightsMissing,
    WeightsUnsafe."""
    from core.encoder.archive import read_archive
    from core.encoder.network import expected_shapes
    from core.encoder.weights import compare_with_variants, encoder_tensors

    archive = read_archive(path)
    tensors, _ = encoder_tensors(archive.tensors)
    best = compare_with_variants(tensors)[0]
    keys = Keys(
        best.variant.name,
        len(expected_shapes(best.variant.architecture)),
        best.missing,
        best.unexpected,
        best.misshapen,
    )
    return keys, "int8 state dict" if archive.int8 else archive.kind


def _loaded(file: WeightsFile, facts: Mapping[str, Any]) -> ModelReport:
    from core.encoder.encode import load_encoder

    encoder = load_encoder(file.path, device="cpu", check=False)
    health, info = check_health(encoder.encode), encoder.info
    problem = "" if health.healthy else f"It loads but doesn't recognise faces: {health.reason}."
    step = "" if health.healthy else "Use official weights: edgeface-studio weights fetch edgeface_xxs."
    keys: Keys = facts["keys"]
    return ModelReport(
        **{**facts, "keys": Keys(info.variant, keys.expected)},
        parameters=info.parameters,
        companions=info.companions,
        identities=info.identities,
        inert_classes=info.inert_classes,
        health=health,
        problem=problem,
        next_step=step,
    )


def _upscaler(file: UpscalerFile, settings: Settings | None) -> ModelReport:
    card = read_card(file.metadata)
    if file.specialist is not None:
        return _specialist(file, card, settings)
    facts: dict[str, Any] = {
        "kind": "upscaler",
        "name": file.name,
        "path": file.path,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "origin": "trained by this project" if file.path else "interpolation: no file, invents nothing",
        "card": card,
        "measured": card.measured,
        "parent": _parent(card, settings),
    }
    if file.path is None:
        return ModelReport(**facts)
    try:
        check_upscaler(file)
        parameters = DSRUpscaler(file.path).parameters
    except CoreError as error:
        return ModelReport(**facts, form="safetensors", problem=error.what, next_step=error.next_step)
    return ModelReport(**facts, form="safetensors", parameters=parameters)


def _specialist(file: UpscalerFile, card: Card, settings: Settings | None) -> ModelReport:
    """An encoder's file in an upscaler's place, reported on as an encoder."""
    assert file.path is not None
    assert file.specialist is not None
    report = report_on(describe(file.path), settings)
    own = file.specialist
    origin = f"specialist for faces up to {own.max_px} px, beside {own.weights_name or 'unknown weights'}"
    return replace(report, kind="specialist", origin=origin, measured=card.measured)


def _parent(card: Card, settings: Settings | None) -> str:
    if settings is None or not card.parent_sha256:
        return ""
    return next((file.name for file in scan(settings) if file.sha256 == card.parent_sha256), "")
