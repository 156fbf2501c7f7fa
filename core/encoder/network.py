"""The EdgeFace network: timm's EdgeNeXt with a 512-d classifier, with low-rank Linear layers in some variants."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from core.models.variants import EMBEDDING_DIM, VARIANTS, Variant


class LowRankLinear(nn.Module):
    """A Linear as the product of two: `linear1` down to `rank` without bias, `linear2` back up with it."""

    def __init__(self, in_features: int, out_features: int, rank: int, bias: bool) -> None:
        super().__init__()
        self.linear1 = nn.Linear(in_features, rank, bias=False)
        self.linear2 = nn.Linear(rank, out_features, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear2(self.linear1(x))
        return result


def factorise(module: nn.Module, rank_ratio: float) -> None:
    """Replace every Linear below `module` by a LowRankLinear of rank max(2, int(min(in, out) * rank_ratio)).

    A Linear whose own name contains "head" keeps full rank. timm calls EdgeNeXt's classifier `head.fc`, so it is
    factorised too: only this reading gives the published 1.77 M (xs, 0.6) and 3.65 M (s, 0.5) parameters.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and "head" not in name:
            rank = max(2, int(min(child.in_features, child.out_features) * rank_ratio))
            setattr(
                module,
                name,
                LowRankLinear(child.in_features, child.out_features, rank, child.bias is not None),
            )
        else:
            factorise(child, rank_ratio)


def build_network(variant: Variant) -> nn.Module:
    """Build a variant's network with random weights: (N, 3, 112, 112) in [-1, 1] -> (N, 512), not normalised."""
    import timm

    network = timm.create_model(variant.timm_model, pretrained=False, num_classes=EMBEDDING_DIM)
    if variant.rank_ratio is not None:
        factorise(network, variant.rank_ratio)
    return network


@cache
def expected_shapes(architecture: tuple[str, float | None]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of an architecture's state dict, without allocating the weights."""
    variant = next(v for v in VARIANTS.values() if v.architecture == architecture)
    with torch.device("meta"):
        network = build_network(variant)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
