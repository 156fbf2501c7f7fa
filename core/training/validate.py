"""Validation: similarity of SR to HR, verification, identification, and for an upscaler in training its pixel error.

Similarity alone is highest for a network with one embedding for everybody, so verification (EER over all pairs of
different people) and rank-1 are measured too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.dataset.degrade import PUBLISHED, CameraRanges, Method, seed_for
from core.encoder.health import measure_health
from core.evaluation.scores import pair_scores, side, sorted_scores
from core.evaluation.verification import equal_error_rate, roc_of_sorted
from core.images import RGB
from core.training.accelerator import Runner
from core.training.alarms import Signals
from core.training.array_cache import chunks, network_hash
from core.training.data import Split, TrainingData
from core.training.degrade import camera_batch, enlarge, resize_batch, to_network, to_pixels
from core.training.heads import MarginHead
from core.training.networks import Networks, upscaled
from core.training.recipe import Losses

Vectors = NDArray[np.float32]
BySize = dict[str, dict[str, float | None]]
"""Figures by size in px."""
ProgressCallback = Callable[[str, int, int], None]

PICTURES = 200
"""Number of evenly spread val images for PSNR and SSIM."""
_CHUNK = 128
_HEALTH_FACES = 200
_COMPARED = 100


@dataclass
class ValidationFigures:
    """Figures of one validation, None where undefined: fractions, means over sizes; `eer` is VLR against HR.

    `camera` (by size), `eer_camera` and `eer_camera_vlr_vlr` are of faces made small by the camera chain, the others of
    the data set's VLR files or bicubic.
    """

    similarity: float | None = None
    eer: float | None = None
    eer_vlr_vlr: float | None = None
    rank1: float | None = None
    accuracy: float | None = None
    loss: float | None = None
    psnr_db: float | None = None
    ssim: float | None = None
    mean_abs_cosine: float | None = None
    people: int = 0
    bicubic_db: float | None = None
    """PSNR of VLR, enlarged by bicubic, against HR: infinite where they are the same image."""
    by_size: BySize = field(default_factory=dict)
    eer_camera: float | None = None
    eer_camera_vlr_vlr: float | None = None
    camera: BySize = field(default_factory=dict)

    def event(self, *, pixels: bool) -> dict[str, Any]:
        names = ["loss", "accuracy", "similarity", "eer", "eer_vlr_vlr", "rank1"]
        names += ["psnr_db", "ssim"] if pixels else []
        names += ["eer_camera", "eer_camera_vlr_vlr", "camera"] if self.camera else []
        return {**{name: getattr(self, name) for name in names}, "by_size": self.by_size or None}

    def signals(self, cosine_at_start: float | None, classifies: bool) -> Signals:
        """The facts that alarms are judged by, beside the figures of `event`."""
        return Signals(self.mean_abs_cosine, cosine_at_start, self.bicubic_db, classifies, self.people)


@dataclass(frozen=True)
class ValidationLoss:
    """Terms of the validation loss: the stage's weights, and the teacher's embeddings of val's HR images."""

    weights: Losses
    targets: Vectors | None


class Validator:
    """Measures networks on val. Embeddings of unchanged networks are cached."""

    def __init__(
        self,
        data: TrainingData,
        networks: Networks,
        sizes_px: tuple[int, ...],
        runner: Runner,
        report: ProgressCallback,
        *,
        camera: CameraRanges | None = None,
        gallery: nn.Module | None = None,
    ) -> None:
        """`camera`: small faces made by the camera chain in these ranges are measured too. `gallery` embeds HR in place
        of the measured encoder, as beside a specialist."""
        self._data, self._networks, self._runner, self._report = data, networks, runner, report
        self.sizes, self._gallery, self._camera = sizes_px, gallery, camera or PUBLISHED
        assert data.val is not None
        self._val: Split = data.val
        self.methods: tuple[Method, ...] = ("bicubic", "camera") if camera else ("bicubic",)
        self._small = {(size, method): self._small_images(size, method) for size in sizes_px for method in self.methods}
        self._kept: dict[tuple[str, str, object], Any] = {}

    def measure(
        self,
        encoder: nn.Module,
        upscaler: nn.Module | None,
        head: MarginHead | None = None,
        loss: ValidationLoss | None = None,
        *,
        pixels: bool = False,
    ) -> ValidationFigures:
        """Return the figures of these networks. `pixels`: PSNR and SSIM too."""
        for network in (encoder, upscaler, head):
            if network is not None:
                network.eval()
        large = self._gallery or encoder
        names = (network_hash(encoder), network_hash(upscaler))
        of_large = network_hash(large)
        self._kept = {
            key: value
            for key, value in self._kept.items()
            if key[0] in (names[0], of_large, "") and key[1] in (names[1], "")
        }
        hr = self._once((of_large, "", "hr"), lambda: self._embed(large, None, None))
        found = ValidationFigures()
        per_size: BySize = {}
        for size in self.sizes:
            sr = self._once((*names, size), partial(self._embed, encoder, upscaler, (size, "bicubic")))
            figures = dict(self._once((*names, ("verified", size)), partial(self._verified, sr, hr)))
            figures |= self._classified(sr, head)
            if pixels:
                figures |= self._once(("", names[1], ("pixels", size)), partial(self._pixels, upscaler, size))
            figures["loss"] = _loss(figures, sr, loss)
            per_size[str(size)] = figures
            if "camera" in self.methods:
                found.camera[str(size)] = self._once(
                    (*names, ("camera", size)), partial(self._of_camera, encoder, upscaler, size, hr)
                )
        for name in ("similarity", "eer", "eer_vlr_vlr", "rank1", "accuracy", "loss", "psnr_db", "ssim"):
            setattr(found, name, _mean(per_size, name))
        found.eer_camera = _mean(found.camera, "eer")
        found.eer_camera_vlr_vlr = _mean(found.camera, "eer_vlr_vlr")
        found.by_size = {s: {k: v for k, v in f.items() if not k.startswith("_")} for s, f in per_size.items()}
        found.mean_abs_cosine = self._health(hr, sr)
        found.people = int(self._val.people.max()) + 1
        found.bicubic_db = self._once(("", "", "bicubic"), self._bicubic_db)
        return found

    def _once(self, key: tuple[str, str, object], make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _small_images(self, size: int, method: Method) -> Tensor:
        """uint8 (N, 3, size, size): val's VLR files, or its HR images reduced; "camera": its HR images by the camera
        chain, the same in every validation."""
        places = self._val.vlr.get(size)
        parts = []
        with ThreadPoolExecutor(2, thread_name_prefix="camera") as pool:
            for rows in chunks(len(self._val), 1024):
                if method == "camera":
                    seeds = [seed_for(0, "val", size, row) for row in range(rows.start, rows.stop)]
                    parts.append(camera_batch(self._data.hr_batch(self._val, rows), size, self._camera, seeds, pool))
                elif places is not None and (places >= 0).all():
                    parts.append(self._data.vlr_batch(self._val, size, rows))
                else:
                    parts.append(resize_batch(self._data.hr_batch(self._val, rows), size))
        return torch.cat(parts)

    def _seen(self, upscaler: nn.Module | None, small: tuple[int, Method] | None, rows: slice) -> Tensor:
        """The encoder's input in [-1, 1], in whole levels, of faces of that size and method; None: HR."""
        if small is None:
            return to_network(self._data.hr_batch(self._val, rows).to(self._runner.device))
        pixels = self._small[small][rows].to(self._runner.device)
        if upscaler is None or not self._networks.takes(small[0]):
            return to_network(enlarge(pixels))
        return to_network(to_pixels(upscaled(self._networks, pixels)))

    @torch.no_grad()
    def _embed(self, encoder: nn.Module, upscaler: nn.Module | None, small: tuple[int, Method] | None) -> Vectors:
        parts = []
        for rows in chunks(len(self._val), _CHUNK):
            with self._runner.autocast():
                raw = encoder(self._seen(upscaler, small, rows)).float()
            parts.append(raw.cpu().numpy())
            self._report("validate", rows.stop, len(self._val))
        return np.concatenate(parts)

    def _of_camera(
        self, encoder: nn.Module, upscaler: nn.Module | None, size: int, hr: Vectors
    ) -> dict[str, float | None]:
        return self._verified(self._embed(encoder, upscaler, (size, "camera")), hr)

    def _verified(self, sr_raw: Vectors, hr_raw: Vectors) -> dict[str, float | None]:
        sr, hr = _unit(sr_raw), _unit(hr_raw)
        return {
            "similarity": float(pair_scores(sr, hr).mean()),
            "eer": eer(sr, hr, self._val.people),
            "eer_vlr_vlr": eer(sr, None, self._val.people),
            "rank1": rank1(sr, hr, self._val.people),
        }

    def _classified(self, sr: Vectors, head: MarginHead | None) -> dict[str, float | None]:
        """Accuracy and loss of a head over val images of train identities; None without any."""
        known = self._val.labels >= 0
        if head is None or not known.any():
            return {"accuracy": None, "_classification": None}
        embeddings = torch.from_numpy(sr[known]).to(self._runner.device)
        labels = torch.from_numpy(self._val.labels[known]).to(self._runner.device)
        with torch.no_grad():
            loss, cosines = head(embeddings, labels)
        right = (cosines.argmax(1) == labels).float().mean()
        return {"accuracy": float(right), "_classification": float(loss.mean())}

    @torch.no_grad()
    def _pixels(self, upscaler: nn.Module | None, size: int) -> dict[str, float | None]:
        """PSNR, SSIM and L1 against HR of evenly spread val images."""
        rows = np.unique(np.linspace(0, len(self._val) - 1, min(PICTURES, len(self._val))).astype(np.int64))
        hr = self._data.hr_batch(self._val, rows)
        parts = []
        for part in chunks(len(rows), _CHUNK):
            small = self._small[size, "bicubic"][torch.from_numpy(rows[part])].to(self._runner.device)
            with self._runner.autocast():
                sr = upscaled(self._networks, small) if upscaler is not None else to_network(enlarge(small))
            parts.append(to_pixels(sr).cpu())
        made = torch.cat(parts)
        error = (made.float() - hr.float()).abs().mean() / 127.5
        return {**picture_quality(_pictures(made), _pictures(hr)), "_pixel": float(error)}

    def _bicubic_db(self) -> float:
        """PSNR of enlarged VLR against HR over evenly spread images: the largest size counts."""
        size = max(self.sizes)
        rows = np.unique(np.linspace(0, len(self._val) - 1, min(_COMPARED, len(self._val))).astype(np.int64))
        made = enlarge(self._small[size, "bicubic"][torch.from_numpy(rows)]).float()
        error = float(((made - self._data.hr_batch(self._val, rows).float()) ** 2).mean())
        return 10 * float(np.log10(255.0**2 / max(error, 1e-9)))

    def _health(self, hr: Vectors, sr: Vectors) -> float | None:
        """Mean absolute cosine between different people, an image each: the worse of HR and the last size's SR."""
        _, first = np.unique(self._val.people, return_index=True)
        if len(first) < 2:
            return None
        chosen = first[:_HEALTH_FACES]
        return max(measure_health(_unit(vectors[chosen])).mean_abs_cosine for vectors in (hr, sr))


def _mean(per_size: BySize, name: str) -> float | None:
    """Mean of a figure over sizes; None unless every size has it."""
    known = [value for figures in per_size.values() if (value := figures.get(name)) is not None]
    return float(np.mean(known)) if known and len(known) == len(per_size) else None


def eer(probe: Vectors, gallery: Vectors | None, people: NDArray[np.int64]) -> float | None:
    """EER over all pairs of different photographs; `gallery` None: among the probes. None without genuine or impostor
    pairs."""
    if not np.isfinite(probe).all():
        return None
    first = side(probe, people)
    other = first if gallery is None else side(gallery, people)
    genuine, impostor = sorted_scores(first, other, ordered=gallery is not None)
    if not len(genuine) or not len(impostor):
        return None
    return equal_error_rate(roc_of_sorted(genuine, impostor))


def rank1(probe: Vectors, gallery: Vectors, people: NDArray[np.int64]) -> float | None:
    """Share of probes whose nearest gallery photograph, except their own, shows the same person. Only people with
    another photograph are probes; None without any."""
    counts = np.bincount(people)
    asked = np.flatnonzero(counts[people] > 1)
    if not len(asked) or len(np.unique(people)) < 2 or not np.isfinite(probe).all():
        return None
    right = 0
    for rows in chunks(len(asked), 512):
        chosen = asked[rows]
        scores = probe[chosen] @ gallery.T
        scores[np.arange(len(chosen)), chosen] = -np.inf
        right += int((people[scores.argmax(1)] == people[chosen]).sum())
    return right / len(asked)


def picture_quality(made: NDArray[np.uint8], hr: NDArray[np.uint8]) -> dict[str, float | None]:
    """Mean PSNR in dB and SSIM of (N, 112, 112, 3) against HR, as in evaluations."""
    from core.evaluation.fidelity import mean_psnr_db, psnr_db, ssim

    pairs: list[tuple[RGB, RGB]] = list(zip(made, hr, strict=True))
    return {
        "psnr_db": mean_psnr_db(psnr_db(*pair) for pair in pairs),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
    }


def _loss(figures: dict[str, float | None], sr: Vectors, loss: ValidationLoss | None) -> float | None:
    """The stage's loss on val; None where a term is undefined."""
    if loss is None:
        return None
    values: dict[str, float | None] = {
        "classification": figures.get("_classification"),
        "alignment": 1 - (figures["similarity"] or 0.0),
        "teacher": None if loss.targets is None else float(1 - pair_scores(_unit(sr), loss.targets).mean()),
        "pixel": figures.get("_pixel"),
        "identity": 1 - (figures["similarity"] or 0.0),
    }
    total = 0.0
    for name, value in values.items():
        weight = getattr(loss.weights, name)
        if weight > 0:
            if value is None:
                return None
            total += weight * value
    return total


def _unit(raw: Vectors) -> Vectors:
    return functional.normalize(torch.from_numpy(np.asarray(raw)), dim=1).numpy()


def _pictures(tensor: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(tensor.permute(0, 2, 3, 1).numpy())
