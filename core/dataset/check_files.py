"""Checks of the images: readable, of equal size, as the manifest says, and each VLR degraded from its own HR."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.columns import among
from core.dataset.file_stats import Measured, decode, measure_file
from core.dataset.findings import Finding, some
from core.dataset.layout import HR, VLR, group_of
from core.dataset.phash import phash
from core.errors import CoreError
from core.images import RGB, resize, sha256_of
from core.jobs.context import Hooks
from core.system.shards import read_bytes

COMPARED_PX = 16
"""Pairs are compared at this side, which VLR images of all sizes have."""

ALIKE = {"bicubic": 0.97, "camera": 0.5, "": 0.85}
"""Least correlation of a VLR image with its own HR image, by degradation ("" unknown). 1,000 LFW centre crops had at
least 1.0 (bicubic) and 0.86 (camera, 16 px), and at most 0.94 with any other. The limit for "" isn't measured."""

BETTER_BY = 0.02
"""An HR image of another pair whose correlation with a VLR image is higher by this much counts as its true one."""

SAME_DB = 40.0
"""A VLR image of more than 0.6 of the HR image's side that, resized to it, has this PSNR holds its detail.
Enlarged from 32 px, 1,000 LFW centre crops reached 31 dB (median) and 40 dB at most: the side decides, too."""

_CHUNK = 128


@dataclass
class Read:
    """Results of reading the images, by the frame's index: `measured`; `vectors` of unit length to compare;
    `detail_db`, the PSNR of a VLR image against its HR image at the HR image's size."""

    measured: dict[int, Measured] = field(default_factory=dict)
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    detail_db: dict[int, float] = field(default_factory=dict)


def read_all(root: Path, frame: pd.DataFrame, hooks: Hooks) -> Read:
    """Read every image once, pair by pair, in parallel. Raises JobStopped."""
    columns = zip(frame.index, frame["kind"], frame["path"], frame["pair"], strict=True)
    pairs: dict[str, list[tuple[int, str, Path]]] = {}
    for index, kind, path, pair in columns:
        pairs.setdefault(pair, []).append((index, kind, root / path))
    work = [sorted(members, key=lambda member: member[1]) for members in pairs.values()]
    read = Read()
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for start in range(0, len(work), _CHUNK):
            hooks.check_stop()
            for part in pool.map(_read_pair, work[start : start + _CHUNK]):
                read.measured.update(part.measured)
                read.vectors.update(part.vectors)
                read.detail_db.update(part.detail_db)
            hooks.progress("check", min(start + _CHUNK, len(work)), len(work))
    return read


def _read_pair(members: list[tuple[int, str, Path]]) -> Read:
    read = Read()
    hr: RGB | None = None
    for index, kind, path in members:
        rgb, read.measured[index] = _read_one(path)
        if rgb is None:
            continue
        read.vectors[index] = _vector(rgb)
        if kind == HR and hr is None:
            hr = rgb
        elif kind == VLR and hr is not None:
            enlarged = resize(rgb, (hr.shape[1], hr.shape[0])) if rgb.shape != hr.shape else rgb
            error = float(np.mean((enlarged.astype(np.float32) - hr) ** 2))
            read.detail_db[index] = 10 * float(np.log10(255.0**2 / max(error, 1e-9)))
    return read


def _read_one(path: Path) -> tuple[RGB | None, Measured]:
    try:
        content = read_bytes(path)
        rgb = decode(content, path.name)
    except (OSError, CoreError):
        return None, measure_file(path)
    return rgb, Measured(rgb.shape[1], rgb.shape[0], sha256_of(content), phash(rgb))


def check_readable(frame: pd.DataFrame, read: Read) -> list[Finding]:
    """Find unreadable, odd-sized and changed files."""
    said = frame.assign(
        problem=[read.measured[i].problem for i in frame.index],
        width=[read.measured[i].width for i in frame.index],
        height=[read.measured[i].height for i in frame.index],
        sha256_now=[read.measured[i].sha256 for i in frame.index],
    )
    findings: list[Finding] = []
    broken = said[said["problem"] != ""]
    if len(broken):
        text = f"{some(len(broken), 'image')} can't be read: training would stop there. Repair or remove the pair."
        findings.append(Finding("unreadable", "error", text, broken))
    whole = said[said["problem"] == ""]
    folder = pd.Series([group_of(path) for path in whole["path"]], index=whole.index, dtype="str")
    common = whole.groupby(folder)["width"].transform(lambda sizes: sizes.mode().iloc[0])
    odd = whole[(whole["width"] != whole["height"]) | (whole["width"] != common)]
    if len(odd):
        text = (
            f"{some(len(odd), 'image')} of an odd size (others of the folder are "
            f"{', '.join(f'{size} px' for size in sorted(set(common.loc[odd.index].astype(int))))}): "
            "training would stretch faces or stop."
        )
        findings.append(Finding("odd_size", "error", text, odd))
    changed = whole[(whole["sha256"] != "") & (whole["sha256"] != whole["sha256_now"])]
    if len(changed):
        text = (
            f"{some(len(changed), 'image')} changed since the manifest was written: earlier figures aren't of these "
            "images, and cached copies are out of date. Build again."
        )
        findings.append(Finding("changed", "warning", text, changed))
    return findings


def check_pairs(frame: pd.DataFrame, read: Read) -> list[Finding]:
    """Find VLR images that aren't degraded from their HR image: another pair's, or the HR image itself."""
    hr = frame[frame["kind"] == HR].drop_duplicates("pair")
    hr_of = dict(zip(hr["pair"], hr.index, strict=True))
    vlr = frame[(frame["kind"] == VLR) & among(frame["pair"], set(hr_of))]
    vlr = vlr[
        [i in read.vectors and hr_of[pair] in read.vectors for i, pair in zip(vlr.index, vlr["pair"], strict=True)]
    ]
    if vlr.empty:
        return []
    mates = [hr_of[pair] for pair in vlr["pair"]]
    sizes = [(read.measured[i].width, read.measured[h].width) for i, h in zip(vlr.index, mates, strict=True)]
    same = [
        read.detail_db.get(i, -np.inf) >= SAME_DB and small > 0.6 * large
        for i, (small, large) in zip(vlr.index, sizes, strict=True)
    ]
    findings = _given_as_vlr(vlr[same].assign(psnr_db=[round(read.detail_db[i], 1) for i in vlr.index[same]]))
    return [*findings, *_wrong_pairs(frame, vlr[~np.array(same)], hr_of, read)]


def _given_as_vlr(rows: pd.DataFrame) -> list[Finding]:
    if rows.empty:
        return []
    text = (
        f"{some(len(rows), 'VLR image')} {'is' if len(rows) == 1 else 'are'} the HR image itself: similarity to HR "
        "will read 0.9999 whatever is trained, because there is nothing to restore. Degrade the HR images again."
    )
    return [Finding("hr_as_vlr", "error", text, rows)]


def _wrong_pairs(frame: pd.DataFrame, vlr: pd.DataFrame, hr_of: dict[str, int], read: Read) -> list[Finding]:
    if vlr.empty:
        return []
    small = np.stack([read.vectors[i] for i in vlr.index])
    own = np.einsum("nd,nd->n", small, np.stack([read.vectors[hr_of[pair]] for pair in vlr["pair"]]))
    limits = np.array([ALIKE[_method(text)] for text in vlr["degradation"]])
    unsure = np.flatnonzero(own < 1 - BETTER_BY)
    large_at = [i for i in hr_of.values() if i in read.vectors]
    large = np.stack([read.vectors[i] for i in large_at])
    better = np.full(len(vlr), -1)
    best = np.full(len(vlr), -1.0)
    for start in range(0, len(unsure), 1024):
        rows = unsure[start : start + 1024]
        scores = small[rows] @ large.T
        better[rows], best[rows] = scores.argmax(axis=1), scores.max(axis=1)
    wrong = (own < limits) | (best > own + BETTER_BY)
    if not wrong.any():
        return []
    at = [large_at[i] if i >= 0 and s > o + BETTER_BY else -1 for i, s, o in zip(better, best, own, strict=True)]
    fits = [str(frame.at[i, "path"]) if i >= 0 else "" for i in at]
    rows = vlr.assign(alike=own.round(3), fits_better=fits)[wrong]
    are, their = ("is", "its") if len(rows) == 1 else ("are", "their")
    text = (
        f"{some(len(rows), 'VLR image')} {are} not {their} HR image degraded: super-resolution would learn to draw "
        "another face. Pair them again."
    )
    return [Finding("wrong_pair", "error", text, rows)]


def _method(degradation: str) -> str:
    try:
        said = json.loads(degradation or "{}")
    except (ValueError, RecursionError):
        return ""
    method = said.get("method", "") if isinstance(said, dict) else ""
    return method if method in ALIKE else ""


def _vector(rgb: RGB) -> NDArray[np.float32]:
    """The picture at COMPARED_PX minus each channel's mean, of unit length: (768,)."""
    small = resize(rgb, COMPARED_PX).astype(np.float32)
    small -= small.mean(axis=(0, 1))
    return (small / max(float(np.linalg.norm(small)), 1e-6)).ravel()
