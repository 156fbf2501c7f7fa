"""The official EdgeFace variants: their timm networks and published files.

George et al., "EdgeFace: Efficient Face Recognition Model for Edge Devices", IEEE T-BIOM 2024 (arXiv 2307.01838).
"""

from __future__ import annotations

from dataclasses import dataclass

OFFICIAL_FOLDER = "https://gitlab.idiap.ch/bob/bob.paper.tbiom2023_edgeface/-/raw/master/checkpoints"
"""The publication's repository."""

AUTHORS_FOLDER = "https://raw.githubusercontent.com/otroshi/edgeface/main/checkpoints"
"""The authors' public repository, with the same files."""

_HUB = "https://huggingface.co/Idiap/{}/resolve/main"

EMBEDDING_DIM = 512

LICENCE = (
    "The publication's repositories carry BSD 3-Clause (Idiap Research Institute); the authors' model cards on the "
    "hub say CC BY-NC-SA 4.0 for the same weights. Check which applies to your use."
)
LICENCE_OF_DERIVED = (
    "derives from EdgeFace: for research use (the authors publish under BSD 3-Clause in the repositories and "
    "CC BY-NC-SA 4.0 on the hub)"
)


@dataclass(frozen=True)
class Variant:
    """A published file. `rank_ratio` is that of the low-rank Linear layers, None where layers are full rank."""

    name: str
    timm_model: str
    rank_ratio: float | None
    int8: bool
    git_blob_id: str
    megabytes: float
    hub: str = ""
    """The authors' repository on the hub, where the file is there too."""
    int8_sha256: str = ""
    """SHA-256 of the published int8 version of the same network, whose embeddings lie in the same space; "" without."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The addresses of the folders that hold the file, in the order in which they are tried."""
        return (OFFICIAL_FOLDER, AUTHORS_FOLDER, *([_HUB.format(self.hub)] if self.hub else []))

    @property
    def file_name(self) -> str:
        return f"{self.name}.pt"

    @property
    def url(self) -> str:
        return f"{OFFICIAL_FOLDER}/{self.file_name}"

    @property
    def architecture(self) -> tuple[str, float | None]:
        """The network after int8 layers are dequantised: variants of one architecture share keys and shapes."""
        return (self.timm_model, self.rank_ratio)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            "edgeface_xxs",
            "edgenext_xx_small",
            None,
            False,
            "9cd55d480a4e60c3ccb8d0e33730b89c6932c6f0",
            5.1,
            "EdgeFace-XXS",
            "46be7cc7e8d6e23501c0627fe5fbef101922ee9b85ccbef476987ab1a320b053",
        ),
        Variant("edgeface_xxs_q", "edgenext_xx_small", None, True, "665779fdd6717f4f6e43b9c9cc9cdf791d1336e1", 1.7),
        Variant("edgeface_xs_q", "edgenext_x_small", None, True, "6177cb0d59a94830e64d8da358b6a7f7529403ab", 3.0),
        Variant(
            "edgeface_xs_gamma_06",
            "edgenext_x_small",
            0.6,
            False,
            "af5f8c5cf75e8b90d82d08f7a07ee10677327bfd",
            7.2,
            "EdgeFace-XS-GAMMA",
        ),
        Variant(
            "edgeface_s_gamma_05",
            "edgenext_small",
            0.5,
            False,
            "07346953c3045297a5a9bddfb6a173fd27c4398e",
            14.7,
            "EdgeFace-S-GAMMA",
        ),
        Variant(
            "edgeface_base",
            "edgenext_base",
            None,
            False,
            "913d1d769d57a5251953afbe45b6dc59bf06f21a",
            73.0,
            "EdgeFace-Base",
        ),
    )
}

RECOMMENDED = "edgeface_xxs"


def variant_by_blob_id(git_blob_id: str) -> Variant | None:
    """Return the official variant whose published file has this Git blob id; None for any other file."""
    return next((variant for variant in VARIANTS.values() if variant.git_blob_id == git_blob_id), None)
