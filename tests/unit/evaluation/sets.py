"""A small data set of photographs of one face made unlike: what evaluations are run on in tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage import data

from core.dataset.manifest import Dataset, DatasetInfo, make_frame, write_dataset
from core.evaluation.embedding import Embedded, embed
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.pictures import Picture
from core.evaluation.systems import PipelineLoader, System, system_of
from core.evaluation.views import Mode, Size, View
from core.faces.align import align
from core.faces.detect import Detector
from core.images import encode_image, sha256_of
from core.pipeline import Pipeline, build_pipeline

SYSTEM = System(
    name="some",
    encoder_sha256="0" * 64,
    upscaler_name="bicubic",
    upscaler_id="bicubic",
    flip_tta=False,
    key={},
    loader=PipelineLoader(build_pipeline),
)


def crops(people: int, each: int) -> dict[str, list[np.ndarray]]:
    """Aligned crops: a person is one way of warping and tinting the same real face, so that an encoder tells most of
    them apart; their pictures differ by light and noise."""
    rgb = np.ascontiguousarray(data.astronaut())
    face = align(rgb, Detector().detect(rgb)[0].landmarks).astype(np.float32)
    made: dict[str, list[np.ndarray]] = {}
    for person in range(people):
        rng = np.random.default_rng(person)
        own = np.roll(face, tuple(rng.integers(-14, 15, 2)), (0, 1)) if person else face
        own = own[:, ::-1] if person % 2 else own
        own = own * rng.uniform(0.5, 1.3, 3) + 40 * rng.normal(size=(7, 7, 3)).repeat(16, 0).repeat(16, 1)
        made[f"Person {person}"] = [
            np.clip(own * rng.uniform(0.8, 1.1) + 6 * rng.normal(size=own.shape), 0, 255).astype(np.uint8)
            for _ in range(each)
        ]
    return made


def small_dataset(root: Path, people: int = 6, each: int = 3, single: int = 1) -> Dataset:
    """`people` with `each` HR crops, and `single` people more with one."""
    made = crops(people + single, each)
    rows = []
    for number, (identity, pictures) in enumerate(made.items()):
        for position, rgb in enumerate(pictures if number < people else pictures[:1]):
            path = f"test/hr_images/{identity}__{position}.png"
            content = encode_image(np.ascontiguousarray(rgb), "png")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
            rows.append(
                {
                    "path": path,
                    "identity": identity,
                    "split": "test",
                    "kind": "hr",
                    "size_px": 112,
                    "pair": f"{identity}__{position}",
                    "sha256": sha256_of(content),
                }
            )
    return write_dataset(root, make_frame(rows), DatasetInfo(root.name, "identity-disjoint", made_by="test"))


def embed_photographs(
    pipeline: Pipeline,
    paths: Sequence[Path],
    *,
    sizes: Sequence[Size],
    modes: Sequence[Mode] = ("aligned", "end to end"),
    hooks: RunHooks = NO_HOOKS,
) -> dict[tuple[Mode, Size], Embedded]:
    """Every photograph in every mode and size."""
    pictures = [Picture(path, "", path.name, False, f"{position:064x}") for position, path in enumerate(paths)]
    views = [View(mode, size) for mode in modes for size in sizes]
    embedded = embed(system_of(pipeline), pictures, views, hooks)
    return {(view.mode, view.size_px): one for view, one in embedded.items()}
