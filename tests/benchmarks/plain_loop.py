"""The training loop that one writes first: float32, files read and super-resolved image by image in the data loader."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from core.bench.material import Material
from core.images import read_image, to_tensor
from tests.benchmarks.embedding import plain_model

BATCH = 32

STAGE_1 = (
    "for sr, hr, labels in DataLoader(files, 32): (in __getitem__: read both PNGs, DSR float32) with torch.no_grad(): "
    "embedding = model(sr); ArcFace loss of the head; backward; step"
)
STAGE_2 = (
    "for sr, hr, labels in DataLoader(files, 32): (in __getitem__: read both PNGs, DSR float32) ArcFace loss + "
    "0.3 x (1 - cos(model(sr), model(hr))); backward; step"
)


class _Files(Dataset[tuple[Tensor, Tensor, int]]):
    """VLR enlarged by the DSR network, HR and label, read and computed image by image."""

    def __init__(self, pairs: list[tuple[Path, Path, int]], dsr: nn.Module) -> None:
        self._pairs, self._dsr = pairs, dsr

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        small, large, label = self._pairs[index]
        with torch.no_grad():
            sr = self._dsr(to_tensor([read_image(small)]).contiguous())[0]
        return sr, to_tensor([read_image(large)])[0].contiguous(), label


class PlainLoop:
    """The product's own DSR network and head in that loop, so that only the way of working differs."""

    def __init__(
        self, material: Material, pairs: list[tuple[Path, Path, int]], people: int, *, trains_encoder: bool
    ) -> None:
        from core.sr.upscale import load_dsr
        from core.training.heads import make_head
        from core.training.recipe import Head

        dsr, _ = load_dsr(material.dsr_file)
        self._model = plain_model(material).train(trains_encoder)
        self._head = make_head(Head("arcface", scale=64.0, margin=0.5, label_smoothing=0.1), people, 512, 0)
        self._trains = trains_encoder
        trained = [*self._head.parameters(), *(self._model.parameters() if trains_encoder else ())]
        self._optimizer = torch.optim.AdamW(trained, lr=1e-5)
        self._loader = DataLoader(
            _Files(pairs, dsr.eval()), batch_size=BATCH, shuffle=True, drop_last=len(pairs) > BATCH
        )

    def steps(self, count: int) -> list[float]:
        """Seconds an image of so many steps; the first step doesn't count where there are more."""
        spent, began = [], time.perf_counter()
        for step, (sr, hr, labels) in enumerate(self._loader):
            with torch.set_grad_enabled(self._trains):
                own = self._model(sr)
                of_hr = self._model(hr) if self._trains else None
            loss = self._head(own, labels)[0].mean()
            if of_hr is not None:
                loss = loss + 0.3 * (1 - nn.functional.cosine_similarity(own, of_hr)).mean()
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            spent.append((time.perf_counter() - began) / len(labels))
            if step >= count:
                break
            began = time.perf_counter()
        return spent[1:] or spent
