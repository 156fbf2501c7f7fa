"""Systems to measure: an encoder with an upscaler, identified by hashes and loaded when something is embedded.

Loading torch and weights takes seconds; with every embedding cached it isn't needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.evaluation.evaluation_spec import SystemSpec
from core.faces.quality import Limits
from core.models.encoders import describe, hash_file, resolve_weights
from core.models.errors import SpecialistRefused
from core.models.measured import DIRECT_FEED
from core.models.upscalers import upscaler_for
from core.settings import Settings, load_settings
from core.sr import load_upscaler
from core.sr.upscale import BICUBIC

if TYPE_CHECKING:
    from core.evaluation.face_memory import FaceMemory
    from core.faces.detect import Detector
    from core.pipeline import Pipeline

FACTS = ("encoder", "official", "precision", "device", "parameters", "kind")
"""Facts of an encoder that protocols name."""


class PipelineLoader:
    """Builds the pipeline of a system on first use, and keeps the facts of its encoder.

    With every embedding cached nothing is loaded: `recall` then supplies the facts that were cached with them.
    """

    def __init__(self, build: Callable[[], Pipeline]) -> None:
        self._build = build
        self._facts: dict[str, Any] = {}

    @cached_property
    def pipeline(self) -> Pipeline:
        """The loaded pipeline. Raises what `build_pipeline` and OnnxEncoder raise."""
        return self._build()

    @property
    def loaded(self) -> Pipeline | None:
        """The pipeline if it is loaded already."""
        return self.__dict__.get("pipeline")

    @property
    def facts(self) -> dict[str, Any]:
        """Facts of the encoder (FACTS): of the loaded one, else as recalled."""
        if self.loaded is None:
            return dict(self._facts)
        info = self.loaded.encoder.info
        return {"encoder": info.variant, **{name: getattr(info, name) for name in FACTS[1:]}}

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Take the encoder's facts from a cache instead of loading it."""
        self._facts = {name: facts[name] for name in FACTS if name in facts}


@dataclass(frozen=True)
class System:
    """An encoder with its upscaler and detector, identified by hashes. Build it by `open_system` or `system_of`.

    `key` are the settings that decide its embeddings; `spec` and `path` are None for a pipeline that was built
    elsewhere. `memory` is shared by the systems of an evaluation.
    """

    name: str
    encoder_sha256: str
    upscaler_name: str
    upscaler_id: str
    flip_tta: bool
    key: Mapping[str, Any]
    loader: PipelineLoader
    spec: SystemSpec | None = None
    path: Path | None = None
    memory: FaceMemory | None = None

    @property
    def label(self) -> str:
        """Its name in tables and charts."""
        enlarged = f", {DIRECT_FEED}" if self.upscaler_id == BICUBIC else f" + {self.upscaler_name}"
        return f"{self.name}{enlarged}{' + flip' if self.flip_tta else ''}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The weight files: the encoder's and, unless it is bicubic, the upscaler's; () for a pipeline that was built
        elsewhere."""
        if self.path is None or self.spec is None:
            return ()
        upscaler = self.spec.upscaler or BICUBIC
        return (self.path,) if upscaler == BICUBIC else (self.path, Path(upscaler).expanduser())

    @property
    def pipeline(self) -> Pipeline:
        """The loaded system. Raises what `build_pipeline` and OnnxEncoder raise."""
        return self.loader.pipeline

    @property
    def can_mirror(self) -> bool:
        """Whether its encoder measures how well a face agrees with its mirror image; a peer doesn't."""
        return self.spec is None or not self.spec.is_peer

    def embedding_key(self, view: Mapping[str, Any], *, upscales: bool, aligned: bool) -> dict[str, Any]:
        """The configuration that decides an embedding, as the cache's key.

        `upscales`: the upscaler takes part in this view. `aligned`: the pictures are crops, so that neither detector
        nor quality limits take part. The landmark network measures recognisability of both.
        """
        loaded = self.loader.loaded
        limits = Limits() if loaded is None else loaded.config.limits
        searched = {} if aligned else {"detector": _detector_sha256(), "limits": asdict(limits)}
        upscaler = {"upscaler": self.upscaler_id if upscales else ""}
        if upscales and self.upscaler_id != BICUBIC:
            upscaler["takes"] = "112 px, cut in one step"  # set apart from caches of crops at native size
        return {**self.key, **view, **searched, **upscaler, "crops": aligned, "landmarks": _landmarks_sha256()}

    def protocol(self) -> dict[str, Any]:
        """Facts that identify the system, for an evaluation's protocol."""
        return {
            "label": self.label,
            "name": self.name,
            **self.loader.facts,
            "weights_sha256": self.encoder_sha256,
            "upscaler": self.upscaler_name,
            "upscaler_id": self.upscaler_id,
            "flip_tta": self.flip_tta,
        }


def _build(spec: SystemSpec, path: Path, memory: FaceMemory | None) -> Pipeline:
    from core.pipeline import Pipeline, PipelineConfig, build_pipeline

    config = PipelineConfig(
        device=spec.device,
        use_tta=spec.use_tta,
        weights=path,
        upscaler=spec.upscaler,
        faces="centre",
        aligned=False,
        check_attacks=False,
        precision=spec.precision,  # type: ignore[arg-type]  # checked where it is resolved
    )
    if not spec.is_peer:
        pipeline = build_pipeline(config)
        pipeline.detector = pipeline.detector if memory is None else _detector(memory)
        return pipeline
    from core.evaluation.peers import OnnxEncoder
    from core.gallery.store import Gallery

    peer: Any = OnnxEncoder(path, use_tta=spec.use_tta, bgr=spec.bgr)
    return Pipeline(config, peer, load_upscaler(spec.upscaler or BICUBIC), _detector(memory), Gallery.open(":memory:"))


def _detector(memory: FaceMemory | None) -> Detector:
    """The detector in use; with one memory for several systems it looks at each picture once."""
    from core.evaluation.face_memory import FaceMemory, RememberingDetector
    from core.models.landmark_networks import resolve_landmarks

    memory = memory or FaceMemory()
    return RememberingDetector(memory, landmarks_path=resolve_landmarks(load_settings()))


def open_system(spec: SystemSpec, settings: Settings | None = None, memory: FaceMemory | None = None) -> System:
    """Find and hash the files of a system, without loading them; its `spec` holds the files found. Systems that share a
    `memory` look for faces once.

    Raises WeightsMissing, UpscalerUnusable, PeerUnusable when a file is missing, SettingsInvalid where active.json
    can't be read.
    """
    settings = settings or load_settings()
    if spec.is_peer:
        from core.evaluation.peers import PeerUnusable

        path = Path(spec.weights or "").expanduser()
        if not path.is_file():
            raise PeerUnusable(f"There is no ONNX file at {path}.", "Check the path.")
    else:
        path = resolve_weights(settings, spec.weights)
    file = describe(path)
    path, name, sha256 = file.path, file.name, file.sha256
    upscaler = upscaler_for(settings, file, spec.upscaler)
    spec = replace(spec, upscaler=str(upscaler.path or BICUBIC))
    key = {
        "encoder": sha256,
        "flip": spec.use_tta,
        "precision": spec.precision,
        "device": spec.device,
        **({"bgr": True} if spec.bgr else {}),
    }
    return System(
        name=name,
        encoder_sha256=sha256,
        upscaler_name=upscaler.name,
        upscaler_id=upscaler.sha256,
        flip_tta=spec.use_tta,
        key=key,
        loader=PipelineLoader(partial(_build, spec, path, memory)),
        spec=spec,
        path=path,
        memory=memory,
    )


def every_system(
    settings: Settings,
    weights: Sequence[str | None],
    upscalers: Sequence[str | None],
    peers: Sequence[str] = (),
    *,
    use_tta: bool = False,
    device: str = "auto",
    bgr: bool = False,
) -> list[SystemSpec]:
    """Return every encoder with every upscaler, then every peer with every upscaler, each system once.

    A specialist goes with its own weights alone; those for which nothing else is named are refused.
    None stands for the weights or the upscaler in use. Specs name files by their paths, so that what is in use may
    change while a run waits. Raises what `open_system` raises.
    """
    opened: list[System] = []
    for one in (*weights, *peers):
        beside: list[System] = []
        refused: SpecialistRefused | None = None
        for upscaler in upscalers:
            spec = SystemSpec(weights=one, upscaler=upscaler, use_tta=use_tta, device=device, bgr=bgr and one in peers)
            try:
                beside.append(open_system(spec, settings))
            except SpecialistRefused as error:
                refused = error
        if refused is not None and not beside:
            raise refused
        opened += beside
    return list(dict.fromkeys(replace(one.spec or SystemSpec(), weights=str(one.path)) for one in opened))


def system_of(pipeline: Pipeline) -> System:
    """Return a loaded pipeline as a system, which takes the face nearest the centre and treats no photograph as an
    aligned crop, whatever the pipeline is configured for."""
    from core.pipeline import Pipeline

    info = pipeline.encoder.info
    config = replace(pipeline.config, faces="centre", aligned=False)
    centred = Pipeline(config, pipeline.encoder, pipeline.upscaler, pipeline.detector, pipeline.gallery.store)
    centred.encoders = pipeline.encoders  # the specialist is loaded once
    loader = PipelineLoader(lambda: centred)
    loader.pipeline  # noqa: B018  # loaded already: its facts and limits count from the start
    return System(
        name=info.path.stem,
        encoder_sha256=info.weights_sha256,
        upscaler_name=pipeline.upscaler.name,
        upscaler_id=pipeline.upscaler.id,
        flip_tta=info.flip_tta,
        key={"encoder": info.weights_sha256, "flip": info.flip_tta, "precision": info.precision, "device": info.device},
        loader=loader,
    )


def _detector_sha256() -> str:
    from core.faces.yunet_model import detector_model_path

    return hash_file(detector_model_path()).sha256


def _landmarks_sha256() -> str:
    """Of the network in use, which every pipeline here is built with."""
    from core.models.landmark_networks import resolve_landmarks

    return hash_file(resolve_landmarks(load_settings())).sha256
