"""Recognition from a photograph to a decision: joins faces, super-resolution, encoder and gallery.

pipeline = build_pipeline(PipelineConfig(device="cpu"))
load_gallery(pipeline, Path("my_gallery.pt"))
result = pipeline.run("photo.jpg")
result.identity, result["score"]
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.encoder.pair import EncoderPair
from core.errors import CoreError, SettingsInvalid
from core.faces.attack import AttackCheck
from core.faces.crops import is_aligned_crop, look_at_crop
from core.faces.detect import Detector
from core.faces.face import Face
from core.gallery.encoder_view import EncoderView
from core.gallery.records import Space
from core.gallery.store import Gallery
from core.images import native_crop_px, read_image, reduce_photograph, vlr_size
from core.recognition.attack_check import load_check
from core.recognition.boxes import Boxes, faces_in_boxes
from core.recognition.decision import compare, decide, not_comparable, once_each
from core.recognition.gallery_io import load_gallery, save_gallery
from core.recognition.pipeline_config import PipelineConfig
from core.recognition.probe import Cut, cut_crop, cut_face, faces_of, probes_of
from core.recognition.results import NO_FACE, NO_FACE_IN_BOX, Comparison, Probe, Recognition
from core.settings import CROP_PX, Settings, load_settings
from core.sr import Upscaler, load_upscaler

if TYPE_CHECKING:
    import torch

    from core.encoder.encode import Encoder

__all__ = [
    "NoFace",
    "Pipeline",
    "PipelineConfig",
    "build_pipeline",
    "load_gallery",
    "native_crop_px",
    "reduce_photograph",
    "save_gallery",
    "vlr_size",
]

Image = Any
"""Input of `core.images.read_image`: a path, bytes, a file object, a Pillow image, an RGB array."""


class Pipeline:
    """Encoder, upscaler, detector and gallery joined. Safe to share between threads.

    Where a specialist takes the upscaler's place, `encode` and `embed` give small faces to it; `encoder` is that of
    large faces. Raises SpecialistRefused where their spaces aren't one.
    """

    def __init__(
        self,
        config: PipelineConfig,
        encoder: Encoder,
        upscaler: Upscaler,
        detector: Detector,
        store: Gallery,
        attack_check: AttackCheck | None = None,
    ) -> None:
        self.config = config
        self.attack_check = attack_check
        self.encoder = encoder
        self.encoders = EncoderPair(encoder, upscaler.specialist)
        self.upscaler = upscaler
        self.detector = detector
        self.space = Space(
            encoder.name,
            encoder.weights_sha256,
            upscaler.id,
            encoder.flip_tta,
            bicubic_px=upscaler.bicubic_px,
            any_upscaler=upscaler.specialist is not None,
        )
        self.gallery = EncoderView(store, self.space)

    @property
    def made_by(self) -> str:
        """Hash of everything that decides which face is used and its embedding: weights, upscaler, flip, detector, the
        check against presentation attacks, limits. For keys of caches of faces and embeddings."""
        config, check = self.config, self.attack_check
        faces = (config.faces, config.small_faces, config.aligned, config.limits, check.id if check else "")
        return _short_hash(self.space, config.device, config.precision, self.detector.id, faces)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides an answer: `made_by`, thresholds and margins, the gallery and its revision.
        For keys of caches of answers."""
        store = self.gallery.store
        return _short_hash(self.made_by, self.config, store.path, store.revision)

    # From image to probes -----------------------------------------------------------------------------------------

    def find(
        self,
        image: Image,
        *,
        reduce_to_px: int | None = None,
        every: bool = True,
        boxes: Boxes | None = None,
    ) -> list[Probe]:
        """The faces of an image as probes, the chosen one first; [] when there is none.

        `reduce_to_px` simulates distance: the whole photograph is shrunk until the chosen face has that probe_px, and
        everything starts from the small photograph. With `every` False only the chosen face is returned. `boxes` are
        (x, y, width, height) in pixels, drawn by a person: the faces in them, in this order, instead of detected ones;
        a box that shows no face is left out. Raises BoxInvalid and what `read_image` raises.
        """
        return [probe for probe in self._look(image, reduce_to_px, every, boxes) if probe is not None]

    def _look(self, image: Image, reduce_to_px: int | None, every: bool, boxes: Boxes | None) -> Sequence[Probe | None]:
        """`find`, with None for each box that shows no face."""
        rgb = read_image(image)
        if boxes is not None:
            frame, faces = faces_in_boxes(self.detector, rgb, boxes, reduce_to_px, self.config.faces)
            probes = iter(self.probes([self.cut(frame, face) for face in faces if face is not None]))
            return [None if face is None else next(probes) for face in faces]
        if self._is_aligned(rgb):
            quarter = look_at_crop(self.detector, rgb).quarter if self.config.aligned else 0
            return self.probes([cut_crop(rgb, self.detector, reduce_to_px, quarter)])
        found = faces_of(self.detector, rgb, self.config, reduce_to_px, every=every)
        return self.probes([self.cut(frame, face) for frame, face in found])

    def cut(self, frame: NDArray[np.uint8], face: Face) -> Cut:
        """Cut out a detected face of a frame, and check it for a presentation attack where a check is in use."""
        return cut_face(frame, face, self.attack_check)

    def probes(self, cuts: Sequence[Cut]) -> list[Probe]:
        """Make probes of cut-out faces, in order; they are enlarged in one batch."""
        return probes_of(cuts, self.upscaler, self.config.limits)

    def _is_aligned(self, rgb: NDArray[np.uint8]) -> bool:
        if self.config.aligned is None:
            return is_aligned_crop(self.detector, rgb)
        if self.config.aligned and rgb.shape[0] != rgb.shape[1]:
            raise SettingsInvalid(
                f"An aligned crop is square; this image has {rgb.shape[1]} x {rgb.shape[0]} px.",
                "Switch 'aligned crop' off to have the face found in it.",
            )
        return self.config.aligned

    def upscale(self, image: Image) -> NDArray[np.uint8]:
        """The chosen face as the encoder's input, uint8 RGB (112, 112, 3). Raises NoFace when there is none."""
        return self._chosen(image).sr_image

    def infer_embedding(self, image: Image, *, probe_px: float = CROP_PX) -> torch.Tensor:
        """The 512-d unit embedding of an image's chosen face, or of a 112 px crop as `upscale` returns it, whose face
        had `probe_px`."""
        import torch

        if isinstance(image, np.ndarray) and image.shape == (CROP_PX, CROP_PX, 3):
            return torch.from_numpy(self.encode([image], [probe_px])[0])
        return torch.from_numpy(self.embed([self._chosen(image)])[0])

    def _chosen(self, image: Image) -> Probe:
        found = self.find(image, every=False)
        if not found:
            raise NoFace("No face was found in the image.", "Choose a photograph in which the face can be seen.")
        return found[0]

    def embed(self, probes: Sequence[Probe]) -> NDArray[np.float32]:
        """Unit embeddings (N, 512) of probes, in one batch."""
        return self.encode([probe.sr_image for probe in probes], [probe.probe_px for probe in probes])

    def encode(
        self, crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], sizes_px: Sequence[float]
    ) -> NDArray[np.float32]:
        """Unit embeddings (N, 512) of 112 px crops of faces that had the probe_px `sizes_px`, each by the encoder of
        its size, in order."""
        return self.encoders.encode(crops, self.small(sizes_px))

    def encode_as_small(self, crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit embeddings (N, 512) of 112 px crops by the encoder of small faces, whatever their size."""
        return self.encoders.encode(crops, [self.upscaler.specialist is not None] * len(crops))

    def small(self, sizes_px: Sequence[float]) -> NDArray[np.bool_]:
        """Which probes of these sizes go to the specialist, (N,)."""
        return np.array([self.upscaler.route(px).specialist for px in sizes_px], dtype=bool)

    # From probes to decisions -------------------------------------------------------------------------------------

    def run(self, image: Image, *, reduce_to_px: int | None = None, boxes: Boxes | None = None) -> Recognition:
        """Recognise the chosen face of an image, or the one in the first box, see `find`. Without a face the outcome is
        "unrecognisable"."""
        return self._run([image], reduce_to_px, every=False, boxes=boxes)[0][0]

    def run_all(
        self, image: Image, *, reduce_to_px: int | None = None, boxes: Boxes | None = None
    ) -> list[Recognition]:
        """Recognise every face of an image, the chosen one first, or those in boxes: one answer for each box, in order.
        One "unrecognisable" when there is no face."""
        return self._run([image], reduce_to_px, every=True, boxes=boxes)[0]

    def run_many(self, images: Sequence[Image], *, reduce_to_px: int | None = None) -> list[Recognition]:
        """`run` for many images, embedded and searched in one batch. Raises at the first unreadable image."""
        return [faces[0] for faces in self._run(images, reduce_to_px, every=False)]

    def _run(
        self, images: Sequence[Image], reduce_to_px: int | None, *, every: bool, boxes: Boxes | None = None
    ) -> list[list[Recognition]]:
        timings: dict[str, float] = {}
        with _timed(timings, "detect and align"):
            found = [self._look(image, reduce_to_px, every, boxes) for image in images]
        decided = iter(self.recognise([probe for probes in found for probe in probes if probe is not None], timings))
        in_box = replace(self.no_face(timings), reason=NO_FACE_IN_BOX)
        faces = [[in_box if probe is None else next(decided) for probe in probes] for probes in found]
        return [once_each(each) or [self.no_face(timings)] for each in faces]

    def no_face(self, timings: dict[str, float] | None = None) -> Recognition:
        """The answer for an image without a face: "unrecognisable"."""
        threshold = self.config.recognition_threshold
        return Recognition("unrecognisable", NO_FACE, threshold=threshold, timings_ms=timings or {})

    def recognise(self, probes: Sequence[Probe], timings: dict[str, float] | None = None) -> list[Recognition]:
        """Decide about probes: embedded in one batch, searched in one product, one Recognition each, in order."""
        timings = {} if timings is None else timings
        if not probes:
            return []
        with _timed(timings, "encode"):
            embeddings = self.embed(probes)
        return self.judge(probes, embeddings, [probe.probe_px for probe in probes], timings)

    def judge(
        self,
        probes: Sequence[Probe],
        embeddings: NDArray[np.float32],
        sizes_px: Sequence[float],
        timings: dict[str, float] | None = None,
        *,
        frames: Sequence[int] | None = None,
    ) -> list[Recognition]:
        """Decide by unit embeddings (N, 512): each is a probe's own, or pooled over `frames` frames (None: one each) of
        which the probe is the last. `sizes_px` and `frames` choose the thresholds."""
        timings = {} if timings is None else timings
        if not probes:
            return []
        with _timed(timings, "search"):
            candidates = self.gallery.search(embeddings, k=max(self.config.top_k, 2))
        share = {step: ms / len(probes) for step, ms in timings.items()}
        by = self.gallery.decide("fpir", sizes_px, self.config.recognition_threshold, frames)
        nobody = "" if any(candidates) else self.gallery.nobody
        return [
            replace(
                decide(
                    probe, found, decision, nobody=nobody, tie_margin=self.config.tie_margin, top_k=self.config.top_k
                ),
                embedding=vector,
                timings_ms=share,
            )
            for probe, vector, found, decision in zip(probes, embeddings, candidates, by, strict=True)
        ]

    def compare(self, a: Image, b: Image, *, reduce_to_px: int | None = None) -> Comparison:
        """Are the chosen faces of two images the same person (cosine >= threshold)?"""
        threshold = self.config.recognition_threshold
        first, second = (next(iter(self.find(image, reduce_to_px=reduce_to_px, every=False)), None) for image in (a, b))
        if (refused := not_comparable(first, second, threshold)) is not None:
            return refused
        assert first is not None
        assert second is not None
        [by] = self.gallery.decide("far", [min(first.probe_px, second.probe_px)], threshold)
        one, other = self.embed([first, second])
        return compare(first, second, float(one @ other), by)


class NoFace(CoreError):
    """An image in which no face was found, where one was needed."""

    help_topic = "no-face"


def build_pipeline(config: PipelineConfig | None = None, settings: Settings | None = None) -> Pipeline:
    """Load the networks and the gallery that `config` names, and join them.

    Raises WeightsMissing when no weights are in use, the loader's other errors, UpscalerUnusable, SpecialistRefused,
    AttackCheckUnusable, DetectorMissing, LandmarksUnusable and GalleryError.
    """
    from core.encoder.encode import load_encoder, resolve_device
    from core.models.encoders import resolve_weights
    from core.models.landmark_networks import detector_in_use
    from core.models.upscalers import resolve_upscaler

    config = config or PipelineConfig()
    settings = settings or load_settings()
    device = resolve_device(config.device)
    weights = resolve_weights(settings, config.weights)
    enlarger = None if config.skip_dsr else resolve_upscaler(settings, config.upscaler, weights)
    encoder = load_encoder(weights, device=device, use_tta=config.use_tta, precision=config.precision)
    upscaler = load_upscaler(enlarger, device=device)
    attack_check = load_check(settings) if config.check_attacks else None
    store = Gallery.open(config.gallery_path if config.gallery_path is not None else ":memory:")
    return Pipeline(config, encoder, upscaler, detector_in_use(settings), store, attack_check)


def _short_hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[step] = (time.perf_counter() - start) * 1000
