"""Validation: similarity of SR to HR, verification, identification, and for an upscaler in training its pixel error.

Similarity alone is highest for a network with one embedding for everybody, so verification (EER over all pairs, people
alike: those with many images don't outweigh the others) and rank-1 are measured too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.dataset.degrade import PUBLISHED, CameraRanges, Method, seed_for
from core.encoder.health import measure_health
from core.evaluation.scores import pair_scores
from core.training.accelerator import Runner
from core.training.array_cache import chunks, network_hash
from core.training.data import Split, TrainingData
from core.training.degrade import camera_batch, enlarge, resize_batch, to_network, to_pixels
from core.training.heads import MarginHead
from core.training.networks import Networks, upscaled
from core.training.validation_figures import (
    BySize,
    ValidationFigures,
    ValidationLoss,
    Vectors,
    eer,
    loss_of,
    mean_over_sizes,
    picture_quality,
    rank1,
    unit,
)

ProgressCallback = Callable[[str, int, int], None]

PICTURES = 200
"""Number of evenly spread val images for PSNR and SSIM."""
_CHUNK = 128
_HEALTH_FACES = 200
_COMPARED = 100


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
        self.alike = True
        """Whether EERs are with people alike; a run that began over plain pairs goes on by them."""
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
            figures["loss"] = loss_of(figures, sr, loss)
            per_size[str(size)] = figures
            if "camera" in self.methods:
                found.camera[str(size)] = self._once(
                    (*names, ("camera", size)), partial(self._of_camera, encoder, upscaler, size, hr)
                )
        for name in ("similarity", "eer", "eer_vlr_vlr", "rank1", "accuracy", "loss", "psnr_db", "ssim"):
            setattr(found, name, mean_over_sizes(per_size, name))
        found.eer_camera = mean_over_sizes(found.camera, "eer")
        found.eer_camera_vlr_vlr = mean_over_sizes(found.camera, "eer_vlr_vlr")
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
        sr, hr = unit(sr_raw), unit(hr_raw)
        return {
            "similarity": float(pair_scores(sr, hr).mean()),
            "eer": eer(sr, hr, self._val.people, alike=self.alike),
            "eer_vlr_vlr": eer(sr, None, self._val.people, alike=self.alike),
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
        return max(measure_health(unit(vectors[chosen])).mean_abs_cosine for vectors in (hr, sr))


def _pictures(tensor: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(tensor.permute(0, 2, 3, 1).numpy())
