"""Embed pictures in every view: at HR and reduced, aligned and end to end, by bicubic or by the camera model.

Aligned: the face is found and aligned at full size (or comes aligned), and the 112 px crop is shrunk and upscaled
again; this is what papers report. End to end: the whole photograph is shrunk until the face has the size, then
detection starts from there, as in the product: the truth for a far camera. Cached embeddings are reused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.dataset.degrade import METHODS
from core.errors import SettingsInvalid
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.identification import Templates
from core.evaluation.pictures import Picture, hash_of
from core.evaluation.scores import Ints
from core.evaluation.systems import System
from core.evaluation.vector_cache import BY_ENCODER, QUALITY, EmbeddingCache, EmbeddingRow
from core.evaluation.views import Mode, Shown, Size, View, show
from core.gallery.match import weights_of
from core.images import sha256_of
from core.jobs.errors import JobStopped
from core.models.variants import EMBEDDING_DIM
from core.pipeline import Pipeline
from core.settings import CROP_PX

MODES: tuple[Mode, ...] = ("aligned", "end to end")
SIZES: tuple[Size, ...] = (None, 32, 24, 16)

_UNMEASURED = (float("nan"),) * len(BY_ENCODER)

_BATCH = 64
_WORKERS = 2

_Encoded = tuple[NDArray[np.float32], tuple[float, ...]]
"""A vector, and its measures BY_ENCODER."""


@dataclass(frozen=True)
class Embedded:
    """Embeddings of one view, a row for each picture.

    `vectors` (N, D), zero rows where `acquired` (N,) is false: no face was found (`found` is false too), or
    its quality makes it unrecognisable. `quality` (N, M) holds the measures named by `vector_cache.QUALITY`, NaN where
    there is none.
    """

    mode: Mode
    size_px: Size
    vectors: NDArray[np.float32]
    acquired: NDArray[np.bool_]
    found: NDArray[np.bool_]
    quality: NDArray[np.float32]

    def measure(self, name: str) -> NDArray[np.float32]:
        """One measure of every picture (N,)."""
        return self.quality[:, QUALITY.index(name)]

    def templates(self, people: Ints, rows: Ints) -> Templates:
        """The pictures at positions `rows` as templates, weighed as the gallery does; `people` (N,) is everybody's."""
        weights = weights_of(self.measure("recognisability")[rows].astype(np.float64))
        return Templates(self.vectors[rows], people[rows], rows, weights)


def embed(
    system: System,
    pictures: Sequence[Picture],
    views: Sequence[View],
    hooks: RunHooks = NO_HOOKS,
    *,
    step: str = "embed",
    seed: int = 0,
    mirrored: Collection[str] = (),
) -> dict[View, Embedded]:
    """Embed every picture in every view, and return a row per picture for each view.

    Each picture is decoded and searched for its face at most once; pictures that `hooks.store` holds aren't embedded
    again. `step` names the progress events, which count the pictures that aren't cached. `seed` draws the values of the
    camera degradation, different for each picture. `mirrored` holds the SHA-256 of pictures whose small views are also
    compared with their mirror image ("mirror_agreement"); without flip TTA this encodes them twice. Raises
    SettingsInvalid for a view that the pictures don't have, what `read_image` raises for the first unreadable picture,
    and JobStopped.
    """
    for view in views:
        _require(view, pictures)
    unique = {picture.sha256: picture for picture in pictures}
    keys = {view: _key(system, view, pictures, seed) for view in views}
    store, memory = hooks.store, system.memory
    known = _known(keys, unique, store)
    asked = frozenset(mirrored) if system.can_mirror else frozenset()

    def lacks(view: View, picture: Picture) -> bool:
        kept = known[view].get(_row_key(view, picture))
        if kept is None:
            return True
        return _mirrors(view, picture.sha256, asked) and kept.acquired and bool(np.isnan(kept.quality[-1]))

    todo = [picture for picture in unique.values() if any(lacks(view, picture) for view in views)]
    if store is not None and not todo and views:
        system.loader.recall(store.about(keys[views[0]]))
    batches = [todo[start : start + _BATCH] for start in range(0, len(todo), _BATCH)]
    with ThreadPoolExecutor(_WORKERS) as workers:

        def begin(number: int) -> list[Future[dict[View, Shown]]]:
            """Read and detect a batch while the one before it is embedded."""
            return [
                workers.submit(show, system.pipeline, one, [view for view in views if lacks(view, one)], seed, memory)
                for one in (batches[number] if number < len(batches) else [])
            ]

        coming: list[Future[dict[View, Shown]]] = []
        for number, batch in enumerate(batches):
            if hooks.should_stop():  # the first time before anything is read
                workers.shutdown(cancel_futures=True)
                raise JobStopped
            shown = [one.result() for one in coming or begin(number)]
            coming = begin(number + 1)
            for view, rows in _embed_batch(system.pipeline, batch, shown, asked).items():
                known[view].update(rows)
                if store is not None:
                    store.write(keys[view], rows, system.loader.facts)
            hooks.progress(step, min((number + 1) * _BATCH, len(todo)), len(todo))
    return {view: _joined(view, pictures, known[view]) for view in views}


def count_missing(
    system: System, pictures: Sequence[Picture], views: Sequence[View], *, store: EmbeddingCache, seed: int = 0
) -> int:
    """Count the pictures that `store` lacks in some view. Loads no weights.

    Raises SettingsInvalid for a view that the pictures don't have.
    """
    for view in views:
        _require(view, pictures)
    unique = {picture.sha256: picture for picture in pictures}
    known = _known({view: _key(system, view, pictures, seed) for view in views}, unique, store)
    return sum(any(_row_key(view, one) not in known[view] for view in views) for one in unique.values())


def _known(
    keys: Mapping[View, Mapping[str, object]], unique: Mapping[str, Picture], store: EmbeddingCache | None
) -> dict[View, dict[str, EmbeddingRow]]:
    if store is None:
        return {view: {} for view in keys}
    return {view: store.read(key, [_row_key(view, one) for one in unique.values()]) for view, key in keys.items()}


def _row_key(view: View, picture: Picture) -> str:
    """The cache key of a picture in a view: its hash, and that of the VLR file where one is shown instead, since two
    data sets may hold different VLR files of one picture."""
    if view.degradation != "stored" or view.size_px is None:
        return picture.sha256
    stored = picture.vlr[view.size_px]
    return sha256_of(f"{picture.sha256} {stored.sha256 or hash_of(stored.path)}".encode())


def _require(view: View, pictures: Sequence[Picture]) -> None:
    size = view.size_px
    if size is not None and not 8 <= size < CROP_PX:
        raise SettingsInvalid(f"A reduced face has 8 to {CROP_PX - 1} px, not {size}.", "Choose 16, 24 or 32.")
    if view.degradation not in (*METHODS, "stored"):
        raise SettingsInvalid(f"There is no degradation '{view.degradation}'.", "Choose bicubic, camera or stored.")
    if view.mode == "end to end" and any(picture.aligned for picture in pictures):
        raise SettingsInvalid(
            "End-to-end figures need photographs; these are crops that were aligned before.",
            "Name the folder of photographs that the data set was ingested from.",
        )
    if size is not None and view.degradation == "stored":
        without = sum(size not in picture.vlr for picture in pictures)
        if without or view.mode == "end to end":
            raise SettingsInvalid(
                f"{without} of {len(pictures)} images have no VLR of {size} px in the data set.",
                "Choose a size that it holds, or bicubic or camera.",
            )


def _key(system: System, view: View, pictures: Sequence[Picture], seed: int) -> dict[str, object]:
    aligned = all(picture.aligned for picture in pictures)
    small = view.size_px is not None
    cut_out = any(picture.cut_out for picture in pictures) and not aligned
    said: dict[str, object] = {"mode": view.mode, "size_px": view.size_px}
    if cut_out:
        said["cut_out"] = True
    if small:
        said["degradation"] = view.degradation
        if view.degradation == "camera":
            said["seed"] = seed
    return system.embedding_key(said, upscales=small or view.mode == "end to end", aligned=aligned)


def _mirrors(view: View, sha256: str, asked: Collection[str]) -> bool:
    """Whether agreement with the mirror image is asked for."""
    return view.size_px is not None and sha256 in asked


def _embed_batch(
    pipeline: Pipeline, batch: Sequence[Picture], shown: Sequence[Mapping[View, Shown]], asked: Collection[str]
) -> dict[View, dict[str, EmbeddingRow]]:
    """Rows for every view that some picture of the batch lacked. Crops that are equal in two views of a picture (HR,
    aligned and end to end) and go to the same encoder are embedded once."""
    rows: dict[View, dict[str, EmbeddingRow]] = {}
    views = list(dict.fromkeys(view for views in shown for view in views))
    done: dict[tuple[int, bool, bytes], _Encoded] = {}
    for view in views:
        here = [(position, views[view]) for position, views in enumerate(shown) if view in views]
        crops = {position: one.crop for position, one in here if one.crop is not None}
        small = {position: pipeline.upscaler.route(one.probe_px).specialist for position, one in here}
        whole = {
            position: (position, small[position], crop.tobytes())
            for position, crop in crops.items()
            if crop.shape[0] == CROP_PX
        }
        new = {position: crop for position, crop in crops.items() if whole.get(position) not in done}
        encoded: dict[int, _Encoded] = {}
        if new:
            enlarged = pipeline.upscaler.upscale(list(new.values()))
            mirrored = np.array([_mirrors(view, batch[position].sha256, asked) for position in new], dtype=bool)
            by_specialist = np.array([small[position] for position in new], dtype=bool)
            encoded = dict(zip(new, _encode(pipeline, enlarged, mirrored, by_specialist), strict=True))
        for position, key in whole.items():
            if position in encoded:
                done[key] = encoded[position]
            encoded[position] = done[key]
        rows[view] = {_row_key(view, batch[position]): _row(one, encoded.get(position)) for position, one in here}
    return rows


def _encode(
    pipeline: Pipeline, crops: NDArray[np.uint8], mirrored: NDArray[np.bool_], small: NDArray[np.bool_]
) -> list[_Encoded]:
    """Vectors with their norms, and agreement with the mirror image where it is asked for or flip TTA gives it; NaN for
    a peer. `small` go to the specialist."""
    if not hasattr(pipeline.encoder, "encode_with_agreement"):
        return [(vector, _UNMEASURED) for vector in pipeline.encoder.encode(crops)]
    both = mirrored | pipeline.encoder.flip_tta
    encoded: list[_Encoded] = [(np.zeros(0, np.float32), _UNMEASURED)] * len(crops)
    if both.any():
        for position, vector, norm, agreement in zip(
            np.nonzero(both)[0], *pipeline.encoders.encode_with_agreement(crops[both], small[both]), strict=True
        ):
            encoded[position] = (vector, (float(norm), float(agreement)))
    if not both.all():
        for position, vector, norm in zip(
            np.nonzero(~both)[0], *pipeline.encoders.encode_with_norms(crops[~both], small[~both]), strict=True
        ):
            encoded[position] = (vector, (float(norm), float("nan")))
    return encoded


def _row(shown: Shown, encoded: _Encoded | None) -> EmbeddingRow:
    vector, measures = (None, _UNMEASURED) if encoded is None else encoded
    quality = np.append(shown.quality[: -len(BY_ENCODER)], np.array(measures, dtype=np.float32))
    return EmbeddingRow(shown.found, shown.crop is not None, vector, quality)


def _joined(view: View, pictures: Sequence[Picture], rows: Mapping[str, EmbeddingRow]) -> Embedded:
    kept = [rows[_row_key(view, picture)] for picture in pictures]
    dim = next((len(row.vector) for row in kept if row.vector is not None), EMBEDDING_DIM)
    empty = np.zeros(dim, np.float32)
    quality = [row.quality for row in kept]
    return Embedded(
        mode=view.mode,
        size_px=view.size_px,
        vectors=np.stack([empty if row.vector is None else row.vector for row in kept])
        if kept
        else np.zeros((0, dim), np.float32),
        acquired=np.array([row.acquired for row in kept], dtype=bool),
        found=np.array([row.found for row in kept], dtype=bool),
        quality=np.stack(quality) if quality else np.zeros((0, len(QUALITY)), np.float32),
    )
