"""Published figures on the same benchmarks, each with its source, as fractions.

Only figures that could be read in a source are here. They come from larger networks, other training data and the
authors' own alignment: neighbours, not rivals under equal conditions. SCface names a paper without figures: its tables
couldn't be read when this was written.
"""

from __future__ import annotations

import pandas as pd

_ADAFACE = "Kim et al., AdaFace, CVPR 2022 (arXiv 2204.00964), results of the authors' repository"
_OCTUPLET = "Knoche et al., Octuplet Loss, FG 2023 (arXiv 2207.06726), abstract"
_ROWS: dict[str, tuple[tuple[str, str, float | None, str], ...]] = {
    "tinyface": (
        ("AdaFace, ResNet-100, MS1MV2", "rank-1", 0.6821, _ADAFACE),
        ("AdaFace, ResNet-100, MS1MV2", "rank-5", 0.7154, _ADAFACE),
        ("AdaFace, ResNet-100, WebFace4M", "rank-1", 0.7202, _ADAFACE),
        ("AdaFace, ResNet-100, WebFace4M", "rank-5", 0.7452, _ADAFACE),
    ),
    "xqlfw": (("FaceTransformer with octuplet loss", "accuracy", 0.9512, _OCTUPLET),),
    "lfw": (
        ("FaceTransformer with octuplet loss", "accuracy", 0.9973, _OCTUPLET),
        (
            "EdgeFace-XS (1.77 M parameters)",
            "accuracy",
            0.9973,
            "George et al., EdgeFace, IEEE T-BIOM 2024 (arXiv 2307.01838), abstract",
        ),
    ),
    "scface": (
        (
            "Deep coupled ResNet",
            "rank-1",
            None,
            "Lu et al., IEEE Signal Processing Letters 2018: fine-tuned on 50 people, tested on 80",
        ),
    ),
    "survface": (
        (
            "CentreFace, best of five networks",
            "TPIR20 at FPIR 10 %",
            0.132,
            "Cheng et al., Surveillance Face Recognition Challenge (arXiv 1804.09691), abstract",
        ),
    ),
}


def published(name: str) -> pd.DataFrame:
    """Columns by, measure, value (None: see the source), source."""
    return pd.DataFrame(_ROWS.get(name, ()), columns=["by", "measure", "value", "source"])
