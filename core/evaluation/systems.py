"""What is measured: an encoder with an upscaler, known by hashes at once and loaded only when something is embedded.

Loading torch and weights takes seconds; with every embedding kept already, none of it is needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.faces.quality import Limits
from core.models.encoders import describe, hash_file, resolve_weights
from core.models.upscalers import active_upscaler
from core.settings import Settings, load_settings
from core.sr import load_upscaler
from core.sr.trial import UpscalerUnusable
from core.sr.upscale import BICUBIC

if TYPE_CHECKING:
    from core.pipeline import Pipeline

PEER_SUFFIX = ".onnx"


@dataclass(frozen=True)
class SystemSpec:
    """What to load, as a run's config holds it. `weights` is a file or a name, None for those in use; a file ending
    in .onnx is a peer. `upscaler` is "bicubic" or a DSR file, None for the one in use. `bgr`: the peer wants its
    channels in that order."""

    weights: str | None = None
    upscaler: str | None = None
    use_tta: bool = False
    device: str = "auto"
    precision: str = "auto"
    bgr: bool = False

    @property
    def is_peer(self) -> bool:
        return self.weights is not None and Path(self.weights).suffix.lower() == PEER_SUFFIX


class System:
    """An encoder with its upscaler and detector. `pipeline` is built on first use. Build it by `open_system`."""

    def __init__(
        self,
        *,
        name: str,
        encoder_sha256: str,
        upscaler_name: str,
        upscaler_id: str,
        flip_tta: bool,
        key: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.encoder_sha256 = encoder_sha256
        self.upscaler_name = upscaler_name
        self.upscaler_id = upscaler_id
        self.flip_tta = flip_tta
        self._key = dict(key)
        self._spec: SystemSpec | None = None
        self._path: Path | None = None
        self._about: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """What tables and charts call it."""
        return f"{self.name} + {self.upscaler_name}{' + flip' if self.flip_tta else ''}"

    @property
    def path(self) -> Path | None:
        """The weights' file; None for a pipeline that was built elsewhere."""
        return self._path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of its weights: the encoder's and, unless that is bicubic, the upscaler's; () for a pipeline that
        was built elsewhere."""
        if self._path is None or self._spec is None:
            return ()
        upscaler = self._spec.upscaler or BICUBIC
        return (self._path,) if upscaler == BICUBIC else (self._path, Path(upscaler).expanduser())

    @cached_property
    def pipeline(self) -> Pipeline:
        """The loaded system. Raises what `build_pipeline` and OnnxEncoder raise."""
        from core.pipeline import Pipeline, PipelineConfig, build_pipeline

        assert self._spec is not None and self._path is not None
        spec = self._spec
        config = PipelineConfig(
            device=spec.device,
            use_tta=spec.use_tta,
            weights=self._path,
            upscaler=spec.upscaler,
            faces="centre",
            aligned=False,
            check_attacks=False,
            precision=spec.precision,  # type: ignore[arg-type]  # checked where it is resolved
        )
        if not spec.is_peer:
            return build_pipeline(config)
        from core.evaluation.peers import OnnxEncoder
        from core.faces.detect import Detector
        from core.gallery.store import Gallery

        peer: Any = OnnxEncoder(self._path, use_tta=spec.use_tta, bgr=spec.bgr)
        return Pipeline(config, peer, load_upscaler(spec.upscaler or BICUBIC), Detector(), Gallery.open(":memory:"))

    @property
    def can_mirror(self) -> bool:
        """Whether its encoder says how well a face agrees with its mirror image; a peer doesn't."""
        return self._spec is None or not self._spec.is_peer

    @property
    def limits(self) -> Limits:
        return self.pipeline.config.limits if "pipeline" in self.__dict__ else Limits()

    def key(self, view: Mapping[str, Any], *, upscales: bool, aligned: bool) -> dict[str, Any]:
        """What decides an embedding, for the store. `upscales`: the upscaler takes part in this view; `aligned`: the
        pictures are crops, so that neither detector nor limits do."""
        searched = {} if aligned else {"detector": _detector_sha256(), "limits": asdict(self.limits)}
        upscaler = {"upscaler": self.upscaler_id if upscales else ""}
        if upscales and self.upscaler_id != BICUBIC:
            upscaler["takes"] = "112 px, cut in one step"  # until now: crops at native size
        return {**self._key, **view, **searched, **upscaler, "crops": aligned}

    def about(self) -> dict[str, Any]:
        """Facts of the loaded encoder, for protocols; after `remember`, those that were kept."""
        if "pipeline" not in self.__dict__:
            return dict(self._about)
        info = self.pipeline.encoder.info
        return {
            "encoder": info.variant,
            "official": info.official,
            "precision": info.precision,
            "device": info.device,
            "parameters": info.parameters,
            "kind": info.kind,
        }

    def remember(self, about: Mapping[str, Any]) -> None:
        """Take facts from an earlier run's store, so that nothing has to be loaded to tell them."""
        names = ("encoder", "official", "precision", "device", "parameters", "kind")
        self._about = {name: about[name] for name in names if name in about}

    def protocol(self) -> dict[str, Any]:
        """What a reader needs to build the same system again."""
        return {
            "label": self.label,
            "name": self.name,
            **self.about(),
            "weights_sha256": self.encoder_sha256,
            "upscaler": self.upscaler_name,
            "upscaler_id": self.upscaler_id,
            "flip_tta": self.flip_tta,
        }


def open_system(spec: SystemSpec, settings: Settings | None = None) -> System:
    """The system that `spec` names: files are found and hashed, nothing is loaded. Its `spec` holds the files found.

    Raises WeightsMissing, UpscalerUnusable, PeerUnusable when a file isn't there, SettingsInvalid where what is in use
    can't be told.
    """
    settings = settings or load_settings()
    if spec.is_peer:
        from core.evaluation.peers import PeerUnusable

        path = Path(spec.weights or "").expanduser()
        if not path.is_file():
            raise PeerUnusable(f"There is no ONNX file at {path}.", "Check the path.")
        name, sha256 = path.stem, hash_file(path).sha256
    else:
        file = describe(resolve_weights(settings, spec.weights))
        path, name, sha256 = file.path, file.name, file.sha256
    upscaler = spec.upscaler or str(active_upscaler(settings).path or BICUBIC)
    spec = replace(spec, upscaler=upscaler)
    upscaler_name, upscaler_id = _upscaler(upscaler)
    key = {
        "encoder": sha256,
        "flip": spec.use_tta,
        "precision": spec.precision,
        "device": spec.device,
        **({"bgr": True} if spec.bgr else {}),
    }
    system = System(
        name=name,
        encoder_sha256=sha256,
        upscaler_name=upscaler_name,
        upscaler_id=upscaler_id,
        flip_tta=spec.use_tta,
        key=key,
    )
    system._spec, system._path = spec, path
    return system


def every_system(
    settings: Settings,
    weights: Sequence[str | None],
    upscalers: Sequence[str | None],
    peers: Sequence[str] = (),
    *,
    use_tta: bool = False,
    device: str = "auto",
    bgr: bool = False,
) -> list[dict[str, Any]]:
    """Every encoder with every upscaler (None: the one in use), then every peer with every upscaler, as a run's config
    holds them: files by their paths, so that what is in use may change while a run waits. The same system comes once.
    Raises what `open_system` raises."""
    specs = [
        SystemSpec(weights=one, upscaler=upscaler, use_tta=use_tta, device=device, bgr=bgr and one in peers)
        for one in (*weights, *peers)
        for upscaler in upscalers
    ]
    found: dict[str, dict[str, Any]] = {}
    for spec in specs:
        opened = open_system(spec, settings)
        assert opened._spec is not None
        values = {**vars(opened._spec), "weights": str(opened.path)}
        found.setdefault(json.dumps(values, sort_keys=True), values)
    return list(found.values())


def system_of(pipeline: Pipeline) -> System:
    """A pipeline that is loaded already, as a system; it looks for the face nearest the centre and takes no photograph
    for an aligned crop, whatever it is configured for."""
    from core.pipeline import Pipeline

    info = pipeline.encoder.info
    config = replace(pipeline.config, faces="centre", aligned=False)
    system = System(
        name=info.path.stem,
        encoder_sha256=info.weights_sha256,
        upscaler_name=pipeline.upscaler.name,
        upscaler_id=pipeline.upscaler.id,
        flip_tta=info.flip_tta,
        key={"encoder": info.weights_sha256, "flip": info.flip_tta, "precision": info.precision, "device": info.device},
    )
    system.__dict__["pipeline"] = Pipeline(
        config, pipeline.encoder, pipeline.upscaler, pipeline.detector, pipeline.gallery.store
    )
    return system


def _upscaler(text: str) -> tuple[str, str]:
    """(name, id) of an upscaler without loading it."""
    if text == BICUBIC:
        return BICUBIC, BICUBIC
    path = Path(text).expanduser()
    if not path.is_file():
        raise UpscalerUnusable(f"There is no upscaler file at {path}.", "Choose a DSR file, or use bicubic.")
    with path.open("rb") as file:
        return path.stem, hashlib.file_digest(file, "sha256").hexdigest()


def _detector_sha256() -> str:
    from core.faces.detect import detector_model_path

    return hash_file(detector_model_path()).sha256
