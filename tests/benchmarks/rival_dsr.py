"""A super-resolution network of the usual kind and size, for comparison only: residual convolutions, then transformer
blocks over the enlarged grid's patches; 5.61 M parameters, as such pipelines have them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

_WIDTH, _BLOCKS, _TRANSFORMERS, _DIM = 64, 15, 5, 256


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.PReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


class RivalDSR(nn.Module):
    """(N, 3, 32, 32) -> (N, 3, 112, 112). Weights are random: only its cost counts."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, _WIDTH, 9, padding=4)
        self.body = nn.Sequential(*(_Residual(_WIDTH) for _ in range(_BLOCKS)))
        self.patches = nn.Conv2d(_WIDTH, _DIM, 4, stride=4)
        layer = nn.TransformerEncoderLayer(_DIM, 8, 4 * _DIM, batch_first=True, norm_first=True)
        self.mixer = nn.TransformerEncoder(layer, _TRANSFORMERS, enable_nested_tensor=False)
        self.back = nn.ConvTranspose2d(_DIM, _WIDTH, 4, stride=4)
        self.tail = nn.Conv2d(_WIDTH, 3, 9, padding=4)

    def forward(self, small: Tensor) -> Tensor:
        skip = functional.interpolate(small, size=(112, 112), mode="bicubic", align_corners=False)
        features = self.body(self.head(skip))
        tokens = self.patches(features)
        n, dim, height, width = tokens.shape
        mixed = self.mixer(tokens.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(n, dim, height, width)
        result: Tensor = skip + self.tail(features + self.back(mixed))
        return result
