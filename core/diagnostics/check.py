"""Check weights on a sample of a data set's faces: similarity of small faces to HR, spread of embeddings, recognition.

A sample takes seconds and is enough to tell causes apart; figures to report come from `evaluate`. Broken weights are
measured like others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.dataset.degrade import degrade
from core.diagnostics.spread import Spread, spread_of
from core.encoder.health import HealthReport, check_health
from core.encoder.pair import EncoderPair
from core.errors import SettingsInvalid
from core.evaluation.identification import Templates, identify
from core.evaluation.intervals import Interval, share_interval
from core.evaluation.pictures import Picture, codes_of
from core.evaluation.scores import pair_scores
from core.images import RGB, read_image, resize
from core.jobs.errors import JobStopped
from core.settings import CROP_PX, VLR_SIZES_PX

if TYPE_CHECKING:
    from core.encoder.encode import Encoder
    from core.sr.upscale import Upscaler

SAMPLE = 400
"""Pictures that a check looks at."""
SAME_DB = 100.0
"""The PSNR reported for equal pictures, whose PSNR is infinite."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SizeCheck:
    """Figures of one size: `enlarged_by` (upscaler), `source` "stored" (the data set's VLR files) or "bicubic" (made
    from HR here).

    similarity: cosine of each small face with its own HR, mean, 5th percentile and lowest; strangers: mean cosine with
    the HR of other people; detail_db: PSNR of VLR enlarged by bicubic against HR, the mean; same_files: VLR files
    that are their HR file byte for byte; right, asked: small faces whose person comes first among all HR faces but
    their own photograph; bicubic_right and bicubic_similarity: the same with bicubic in the upscaler's place;
    right_interval, bicubic_right_interval: 95 % intervals of their shares over people.
    """

    size_px: int
    source: str
    enlarged_by: str
    similarity: float
    p5: float
    lowest: float
    strangers: float
    detail_db: float
    same_files: int
    right: int
    asked: int
    right_interval: Interval
    bicubic_right: int
    bicubic_right_interval: Interval
    bicubic_similarity: float
    norm: float
    norm_std: float
    mean_abs_cosine: float
    effective_rank: float


@dataclass(frozen=True, eq=False)
class FaceCheck:
    """All sizes of one check. `health` is the check on the 100 faces that ship with the project, `hr` the spread of the
    data set's HR faces, `norm` and `norm_std` the lengths of their raw embeddings."""

    encoder: str
    weights_sha256: str
    upscaler: str
    pictures: int
    people: int
    synthetic: bool
    health: HealthReport
    hr: Spread
    norm: float
    norm_std: float
    sizes: tuple[SizeCheck, ...]

    def facts(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "encoder": self.encoder,
            "weights_sha256": self.weights_sha256,
            "upscaler": self.upscaler,
            "pictures": self.pictures,
            "people": self.people,
            "synthetic": self.synthetic,
            "health": {**asdict(self.health), "healthy": self.health.healthy, "reason": self.health.reason},
            "hr": {
                "std": float(self.hr.stds.mean()),
                "effective_rank": self.hr.effective_rank,
                "mean_abs_cosine": self.hr.between.mean_abs_cosine,
                "norm": self.norm,
                "norm_std": self.norm_std,
            },
            "sizes": [asdict(one) for one in self.sizes],
        }


def sample_of(pictures: Sequence[Picture], most: int = SAMPLE, seed: int = 0) -> list[Picture]:
    """At most `most` pictures: two each of people drawn at random who have two, then one each of others.

    So people can be recognised in a sample of many people. The same seed gives the same sample.
    """
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.identity, []).append(picture)
    order = [str(name) for name in np.random.default_rng(seed).permutation(sorted(groups))]
    chosen: list[Picture] = []
    for name in sorted(order, key=lambda each: len(groups[each]) < 2):  # stable: drawn order within both
        if len(chosen) >= most:
            break
        chosen += groups[name][:2]
    return sorted(chosen[:most], key=lambda one: (one.identity, one.name))


def sizes_of(pictures: Sequence[Picture]) -> dict[int, str]:
    """The sizes to look at and where their small faces come from: the VLR files that all pictures have, whatever size
    they claim; else 16, 24 and 32 px made from HR."""
    shared = set.intersection(*(set(picture.vlr) for picture in pictures)) if pictures else set()
    return dict.fromkeys(sorted(shared, reverse=True), "stored") or dict.fromkeys(
        sorted(VLR_SIZES_PX, reverse=True), "bicubic"
    )


def check_on_faces(
    encoder: Encoder,
    upscaler: Upscaler,
    pictures: Sequence[Picture],
    *,
    synthetic: bool = False,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FaceCheck:
    """Measure aligned `pictures` (HR crops with their VLR files). Raises SettingsInvalid for fewer than two,
    SpecialistRefused for a specialist of other weights, what `read_image` raises, and JobStopped."""
    if len(pictures) < 2 or not all(picture.aligned for picture in pictures):
        raise SettingsInvalid(
            f"A check needs at least two aligned faces of a data set, here are {len(pictures)}.",
            "Choose a data set with more images.",
        )
    encoders = EncoderPair(encoder, upscaler.specialist)
    sizes = sizes_of(pictures)
    people, _ = codes_of(pictures)
    steps = iter(range(len(sizes) + 3))

    def begin(step: str) -> None:
        if should_stop is not None and should_stop():
            raise JobStopped
        if on_progress is not None:
            on_progress(step, next(steps), len(sizes) + 2)

    begin("read")
    hr = _read([picture.path for picture in pictures], CROP_PX)
    begin("HR")
    hr_vectors = encoder.encode(hr)
    norms = encoder.norms(hr)
    sample = _Sample(pictures, people, hr, hr_vectors)
    measured = []
    for size, source in sizes.items():
        begin(f"{size} px")
        small = _small(pictures, hr, size, source)
        measured.append(_one_size(encoders, upscaler, sample, small, size, source))
    begin("")
    return FaceCheck(
        encoder=encoder.info.path.stem,
        weights_sha256=encoder.weights_sha256,
        upscaler=upscaler.name,
        pictures=len(pictures),
        people=int(people.max()) + 1,
        synthetic=synthetic,
        health=check_health(encoder.encode),
        hr=spread_of(hr_vectors, people),
        norm=float(norms.mean()),
        norm_std=float(norms.std()),
        sizes=tuple(measured),
    )


@dataclass(frozen=True, eq=False)
class _Sample:
    """The pictures with their people (N,), HR crops (N, 112, 112, 3) and HR embeddings (N, D)."""

    pictures: Sequence[Picture]
    people: NDArray[np.int64]
    hr: NDArray[np.uint8]
    vectors: NDArray[np.float32]


def _one_size(
    encoders: EncoderPair, upscaler: Upscaler, sample: _Sample, small: list[RGB], size: int, source: str
) -> SizeCheck:
    people, hr, hr_vectors = sample.people, sample.hr, sample.vectors
    plain = np.stack([resize(crop, CROP_PX) for crop in small])
    enlarged = upscaler.upscale(small)
    route = upscaler.route(size)
    by_specialist = [route.specialist] * len(small)
    vectors = encoders.encode(enlarged, by_specialist)
    same = not route.specialist and np.array_equal(plain, enlarged)
    bicubic = vectors if same else encoders.encoder.encode(plain)
    own = pair_scores(vectors, hr_vectors)
    norms = encoders.norms(enlarged, by_specialist)
    spread = spread_of(vectors, people)
    right, asked, interval = _recognised(vectors, hr_vectors, people)
    bicubic_right, _, bicubic_interval = _recognised(bicubic, hr_vectors, people)
    return SizeCheck(
        size_px=size,
        source=source,
        enlarged_by=route.name if size < CROP_PX else "none: full size",
        similarity=float(own.mean()),
        p5=float(np.percentile(own, 5)),
        lowest=float(own.min()),
        strangers=_strangers(vectors, hr_vectors, people),
        detail_db=_detail_db(plain, hr),
        same_files=sum(one.vlr[size].sha256 == one.sha256 for one in sample.pictures if size in one.vlr and one.sha256),
        right=right,
        asked=asked,
        right_interval=interval,
        bicubic_right=bicubic_right,
        bicubic_right_interval=bicubic_interval,
        bicubic_similarity=float(pair_scores(bicubic, hr_vectors).mean()),
        norm=float(norms.mean()),
        norm_std=float(norms.std()),
        mean_abs_cosine=spread.between.mean_abs_cosine,
        effective_rank=spread.effective_rank,
    )


def _recognised(
    probes: NDArray[np.float32], hr: NDArray[np.float32], people: NDArray[np.int64]
) -> tuple[int, int, Interval]:
    """(first right, asked, the share's 95 % interval): each small face among all HR faces but its own photograph."""
    if not (np.isfinite(probes).all() and np.isfinite(hr).all()):
        return 0, 0, (0.0, 1.0)
    photos = np.arange(len(people))
    found = identify(Templates(probes, people, photos), [Templates(hr, people, photos)])
    mated = found.only(found.mated)
    hits = mated.rank == 1
    return int(hits.sum()), len(hits), share_interval(hits, mated.person) or (0.0, 1.0)


def _strangers(small: NDArray[np.float32], hr: NDArray[np.float32], people: NDArray[np.int64]) -> float:
    others = people[:, None] != people[None]
    return float((small @ hr.T)[others].mean()) if others.any() else float("nan")


def _detail_db(small: NDArray[np.uint8], hr: NDArray[np.uint8]) -> float:
    """PSNR over all pictures together, as the training's validation takes it; SAME_DB where they don't differ."""
    error = float(((small.astype(np.float32) - hr) ** 2).mean())
    return min(SAME_DB, 10 * float(np.log10(255.0**2 / max(error, 1e-9))))


def _small(pictures: Sequence[Picture], hr: NDArray[np.uint8], size: int, source: str) -> list[RGB]:
    if source == "stored":
        return list(_read([picture.vlr[size].path for picture in pictures], size))
    return [degrade(one, size, "bicubic", seed=0)[0] for one in hr]


def _read(paths: Sequence[Any], side_px: int) -> NDArray[np.uint8]:
    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(lambda path: resize(read_image(path), side_px), paths)))
