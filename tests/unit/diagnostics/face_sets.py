"""A small data set of real faces: 100 ship inside scikit-image; a person is one of them, in two lights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.dataset.manifest import Dataset, DatasetInfo, make_frame, write_dataset
from core.encoder.health import health_faces
from core.images import encode_image, resize, sha256_of


def faces_dataset(root: Path, people: int = 12, *, vlr_px: int = 16, vlr_is_hr: bool = False) -> Dataset:
    """`people` with two HR images each and their VLR; with `vlr_is_hr` the VLR files are the HR files."""
    rows = []
    for number, face in enumerate(health_faces()[:people]):
        for light, picture in enumerate((face, np.clip(face * 0.8 + 10, 0, 255).astype(np.uint8))):
            pair = f"p{number:02d}__{light}"
            small = picture if vlr_is_hr else resize(picture, vlr_px)
            for kind, rgb in (("hr", picture), ("vlr", small)):
                path, content = f"test/{kind}_images/{pair}.png", encode_image(np.ascontiguousarray(rgb), "png")
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
                rows.append(
                    {
                        "path": path,
                        "identity": f"p{number:02d}",
                        "split": "test",
                        "kind": kind,
                        "pair": pair,
                        "size_px": rgb.shape[0],
                        "sha256": sha256_of(content),
                    }
                )
    return write_dataset(root, make_frame(rows), DatasetInfo(root.name, "identity-disjoint", made_by="test"))
