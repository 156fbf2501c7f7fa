"""Verification on a pairs file, told whole: protocol, encoder, number of pairs, intervals, failures to acquire."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.bootstrap import Figures, measure
from core.evaluation.pairs import Pair, Photo, photos_of, read_pairs, require_photos
from core.evaluation.protocol import Embedded, Mode, Progress, Size, cross_pairs, embed_photographs
from core.evaluation.verification import FARS
from core.pipeline import Pipeline
from core.settings import write_atomically

Pairing = Literal["HR-HR", "VLR-VLR", "VLR-HR"]

ALL_PAIRS_RESAMPLES = 50
"""Resamples for the intervals of all-pairs figures: millions of pairs cost a second for every few."""


@dataclass(frozen=True)
class Row:
    """The figures of one table row. `eer_with_failures` counts every pair with a failure to acquire as rejected:
    an error where it is genuine."""

    pairs: str
    mode: Mode
    size_px: Size
    pairing: Pairing
    failure_to_acquire: float
    figures: Figures
    eer_with_failures: float


@dataclass(frozen=True)
class PairsReport:
    """All rows, and what a reader needs to make them again."""

    protocol: dict[str, Any]
    rows: tuple[Row, ...]

    def frame(self) -> pd.DataFrame:
        """One row a line, rates in percent, intervals in brackets."""
        return pd.DataFrame([_cells(row) for row in self.rows])

    def table(self) -> str:
        """The protocol in a line, and the table as text."""
        p = self.protocol
        head = (
            f"{p['encoder']} ({p['weights_sha256'][:12]}), {p['upscaler']}, flip TTA {'on' if p['flip_tta'] else 'off'}; "
            f"{p['pairs_file']}, folds {', '.join(map(str, p['folds']))}; {p['photographs']:,} photographs of "
            f"{p['people']:,} people; 95 % intervals over resampled people"
        )
        return f"{head}\n\n{self.frame().to_string(index=False)}"

    def to_json(self) -> str:
        return json.dumps({"protocol": self.protocol, "rows": [asdict(row) for row in self.rows]}, indent=2)

    def write(self, folder: Path) -> None:
        """report.json and report.csv into `folder`. Raises StorageFailed."""
        write_atomically(folder / "report.json", self.to_json().encode())
        write_atomically(folder / "report.csv", self.frame().to_csv(index=False).encode())


def evaluate_pairs(
    images_root: Path,
    pairs_file: Path,
    *,
    pipeline: Pipeline,
    folds: Collection[int] | None = None,
    sizes: Sequence[Size] = (None, 32, 24, 16),
    modes: Sequence[Mode] = ("aligned", "end to end"),
    all_pairs: bool = True,
    bootstrap: int = 1000,
    seed: int = 0,
    on_event: Callable[[int, int, str], None] | None = None,
) -> PairsReport:
    """Verification on a pairs file, at every size (None: HR), VLR-VLR and VLR-HR, and on all pairs of its photographs.

    VLR-HR takes each pair twice, either side small. `on_event(done, total, what)` tells of progress. Build the
    pipeline with faces="centre", aligned=False. Raises PairsInvalid and what `embed_photographs` raises.
    """

    def tell(what: str) -> Progress:
        return lambda done, total: on_event(done, total, what) if on_event is not None else None

    pairs = read_pairs(pairs_file, folds)
    photos = photos_of(pairs)
    require_photos(photos, images_root)
    paths = [photo.path(images_root) for photo in photos]
    embedded = embed_photographs(pipeline, paths, sizes=sizes, modes=modes, on_progress=tell("embedding photographs"))
    people = _people(photos)
    jobs = [(mode, size, pairing) for mode in modes for size in sizes for pairing in _pairings(size, mode == modes[0])]
    rows = []
    for done, (mode, size, pairing) in enumerate(jobs, start=1):
        probe = embedded[mode, size]
        hr = embedded[mode, None] if pairing == "VLR-HR" else probe
        rows.append(_pairs_row(pairs, photos, people, probe, hr, pairing, bootstrap, seed))
        if all_pairs:
            rows.append(_all_pairs_row(people, probe, hr, pairing, min(bootstrap, ALL_PAIRS_RESAMPLES), seed))
        tell("measuring")(done, len(jobs))
    rows.sort(key=lambda row: row.pairs != "pairs file")
    return PairsReport(_protocol(pipeline, images_root, pairs_file, pairs, photos, bootstrap, seed), tuple(rows))


def _pairings(size: Size, first_mode: bool) -> list[Pairing]:
    if size is None:
        return ["HR-HR"] if first_mode else []
    return ["VLR-VLR", "VLR-HR"]


def _people(photos: Sequence[Photo]) -> NDArray[np.int64]:
    """Each photograph's person as an integer from 0."""
    _, codes = np.unique([photo.name for photo in photos], return_inverse=True)
    return codes.astype(np.int64)


def _pairs_row(
    pairs: Sequence[Pair],
    photos: Sequence[Photo],
    people: NDArray[np.int64],
    probe: Embedded,
    other: Embedded,
    pairing: Pairing,
    resamples: int,
    seed: int,
) -> Row:
    place = {photo: position for position, photo in enumerate(photos)}
    a = np.array([place[pair.a] for pair in pairs])
    b = np.array([place[pair.b] for pair in pairs])
    fold = np.array([pair.fold for pair in pairs])
    if pairing == "VLR-HR":
        a, b, fold = np.r_[a, b], np.r_[b, a], np.r_[fold, fold]
    scores = np.einsum("nd,nd->n", probe.vectors[a], other.vectors[b])
    there = probe.acquired[a] & other.acquired[b]
    return _row("pairs file", probe, pairing, scores, (people[a], people[b]), there, fold, resamples, seed)


def _all_pairs_row(
    people: NDArray[np.int64], probe: Embedded, other: Embedded, pairing: Pairing, resamples: int, seed: int
) -> Row:
    blocks = list(cross_pairs(probe.vectors, other.vectors, people, ordered=pairing == "VLR-HR"))
    there_blocks = cross_pairs(
        probe.acquired[:, None].astype(np.float32), other.acquired[:, None].astype(np.float32), people,
        ordered=pairing == "VLR-HR",
    )  # fmt: skip
    there = np.concatenate([block[0] for block in there_blocks]) > 0
    scores, first, second = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return _row("all pairs", probe, pairing, scores, (first, second), there, None, resamples, seed)


def _row(
    name: str,
    probe: Embedded,
    pairing: Pairing,
    scores: NDArray[np.float32],
    people: tuple[NDArray[np.int64], NDArray[np.int64]],
    there: NDArray[np.bool_],
    folds: NDArray[np.int64] | None,
    resamples: int,
    seed: int,
) -> Row:
    same = people[0] == people[1]
    figures = measure(
        scores[there],
        same[there],
        (people[0][there], people[1][there]),
        folds=None if folds is None else folds[there],
        resamples=resamples,
        seed=seed,
    )
    failed = figures.eer
    if not there.all():
        failed = measure(np.where(there, scores, -1.0), same, people, resamples=0).eer
    return Row(name, probe.mode, probe.size_px, pairing, probe.failure_to_acquire, figures, failed)


def _protocol(
    pipeline: Pipeline,
    images_root: Path,
    pairs_file: Path,
    pairs: Sequence[Pair],
    photos: Sequence[Photo],
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": images_root.name,
        "pairs_file": pairs_file.name,
        "folds": sorted({pair.fold for pair in pairs}),
        "pairs": len(pairs),
        "photographs": len(photos),
        "people": len({photo.name for photo in photos}),
        "encoder": pipeline.encoder.name,
        "weights_sha256": pipeline.encoder.weights_sha256,
        "precision": pipeline.encoder.info.precision,
        "upscaler": pipeline.upscaler.name,
        "upscaler_id": pipeline.upscaler.id,
        "flip_tta": pipeline.encoder.flip_tta,
        "bootstrap": bootstrap,
        "seed": seed,
        "versions": {name: version(name) for name in ("edgeface-studio", "torch", "timm", "numpy")},
    }


def _cells(row: Row) -> dict[str, str]:
    f = row.figures
    cells = {
        "pairs": row.pairs,
        "mode": row.mode if row.size_px else "full size",
        "probe": f"{row.size_px} px" if row.size_px else "HR",
        "pairing": row.pairing,
        "genuine": f"{f.genuine:,}",
        "impostor": f"{f.impostor:,}",
        "EER %": _percent(f.eer, f.eer_interval),
        "AUC": f"{f.auc:.4f}",
        "accuracy %": "-" if f.accuracy is None else f"{f.accuracy * 100:.2f} ± {(f.accuracy_std or 0) * 100:.2f}",
    }
    for far in FARS:
        value, interval = f.tar[far]
        cells[f"TAR at FAR {far * 100:g} %"] = "-" if value is None else _percent(value, interval)
    cells["not acquired %"] = f"{row.failure_to_acquire * 100:.2f}"
    cells["EER % incl. those"] = f"{row.eer_with_failures * 100:.2f}"
    return cells


def _percent(value: float, interval: tuple[float, float] | None) -> str:
    text = f"{value * 100:.2f}"
    return text if interval is None else f"{text} [{interval[0] * 100:.2f}, {interval[1] * 100:.2f}]"
