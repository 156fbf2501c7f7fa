"""Networks and data so small that a whole training takes seconds. The worker of a test imports this module too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import timm
import torch
from safetensors.torch import save_file
from timm.models.edgenext import EdgeNeXt

import core.encoder.encode
import core.training.timing
from core.dataset.manifest import Dataset, DatasetInfo, write_dataset
from core.encoder.network import build_network
from core.images import encode_image, resize
from core.models.variants import VARIANTS, Variant
from core.training.config import TrainingConfig, make_config

HERE = Path(__file__).parent
CODE = (
    f"import sys; sys.path.insert(0, {str(HERE)!r}); import tiny_training; tiny_training.take(); "
    "from core.jobs.worker import main; "
    "sys.exit(main())"
)
WORKER = (sys.executable, "-c", CODE)
NAME = "edgeface_tiny"
QUICK = {"batch_size": 4}
NOTES = {"stage1_epochs": 2, "stage2_epochs": 2, "backbone_lr": 1e-3}
"""Changes to the preset of that name."""


@timm.models.register_model
def edgenext_tiny(pretrained: bool = False, **given: Any) -> EdgeNeXt:
    """EdgeNeXt as EdgeFace's are, of 90,000 parameters."""
    given = {key: value for key, value in given.items() if key in ("num_classes", "in_chans")}
    return EdgeNeXt(
        depths=(1, 1, 1, 1),
        dims=(8, 8, 16, 16),
        heads=(2, 2, 2, 2),
        kernel_sizes=(3, 3, 3, 3),
        d2_scales=(2, 2, 3, 4),
        global_block_counts=(0, 1, 1, 1),
        **given,
    )


TINY = Variant(NAME, "edgenext_tiny", None, False, "0" * 40, 0.4)


def never_ill(*_: object) -> None:
    """In the place of `require_healthy`: random weights recognise nobody, they only have to be trained."""


def take() -> None:
    """Know the tiny variant, take its random weights and estimate speeds from one step, for the rest of a process of
    the tests' own."""
    VARIANTS[NAME] = TINY
    core.encoder.encode.require_healthy = never_ill
    core.training.timing._STEPS = 1


def tiny_weights(folder: Path, seed: int = 0) -> Path:
    """A weights file of the tiny variant, with layer scales large enough that every block matters."""
    torch.manual_seed(seed)
    network = build_network(TINY)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma") or name.endswith("gamma_xca"):
            parameter.data.fill_(0.5)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, {"variant": NAME})
    return path


def picture(person: int, image: int) -> np.ndarray:
    """(112, 112, 3): smooth blobs of the person's own, a little different each time."""
    own, other = np.random.RandomState(person), np.random.RandomState(1000 * person + image + 7)
    coarse = own.uniform(0, 255, (6, 6, 3)) + other.normal(0, 18, (6, 6, 3))
    fine = cv2.resize(coarse.astype(np.float32), (112, 112), interpolation=cv2.INTER_CUBIC)
    noise = cv2.GaussianBlur(other.normal(0, 25, (112, 112, 3)).astype(np.float32), (0, 0), 1.5)
    return np.clip(fine + noise, 0, 255).astype(np.uint8)


def tiny_dataset(
    root: Path,
    *,
    people: int = 4,
    train: int = 4,
    val: int = 2,
    sizes: tuple[int, ...] = (16, 32),
    disjoint: bool = False,
    vlr_is_hr: bool = False,
) -> Dataset:
    """A data set of random pictures: `train` + `val` images a person; with `disjoint` others validate."""
    rows: list[dict[str, object]] = []
    splits = [("train", range(train), range(people)), ("val", range(train, train + val), range(people))]
    if disjoint:
        splits[1] = ("val", range(val), range(people, 2 * people))
    for split, images, persons in splits:
        for person in persons:
            for image in images:
                hr = picture(person, image)
                pair = f"p{person:02d}_{image}"
                found = {"hr_images": ("hr", 112, hr)}
                for size in sizes:
                    small = hr if vlr_is_hr else resize(hr, size)
                    found[f"vlr_images_{size}"] = ("vlr", small.shape[0], small)
                for folder, (kind, size, pixels) in found.items():
                    path = f"{split}/{folder}/{pair}.png"
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_bytes(encode_image(pixels, "png"))
                    rows.append(
                        {
                            "path": path,
                            "identity": f"p{person:02d}",
                            "split": split,
                            "kind": kind,
                            "size_px": size,
                            "pair": pair,
                        }
                    )
    mode = "identity-disjoint" if disjoint else "closed-set"
    return write_dataset(root, rows, DatasetInfo(name=root.name, mode=mode, vlr_px=32, made_by="test"))  # type: ignore[arg-type]


def tiny_config(kind: str, preset: str | None, dataset: Path, weights: Path, changes=None, **given) -> TrainingConfig:
    """A quick configuration on the CPU in float32."""
    given = {"device": "cpu", "precision": "float32", "force": True, **given}
    if kind == "starter":
        given["variant"] = NAME
    return make_config(
        kind,
        preset,
        {**QUICK, **(changes or {})},
        dataset=str(dataset),
        edgeface=str(weights),
        dsr_channels=4,
        dsr_blocks=1,
        **given,
    )
