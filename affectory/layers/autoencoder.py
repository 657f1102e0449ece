"""The imagination of MMIN-AE: one deep autoencoder in the place of the cascade (Zhao et al., ACL 2021, ablation)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class ImaginationAutoencoder(nn.Module):
    r"""$z = \mathrm{enc}(h)$, $h' = \mathrm{ReLU}(\mathrm{dec}(z))$, LeakyReLU after every other layer.

    Shapes: h [..., in_features] -> h' [..., in_features], z [..., widths[-1]].
    """

    def __init__(self, *, in_features: int, widths: Sequence[int]) -> None:
        super().__init__()
        through = (in_features, *widths)
        self.encoder = nn.Sequential(*_steps(through))
        self.decoder = nn.Sequential(*_steps(tuple(reversed(through)))[:-1], nn.ReLU())
        self.out_latents = widths[-1]

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.encoder(h)
        return self.decoder(latents), latents


def _steps(widths: Sequence[int]) -> list[nn.Module]:
    steps: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        steps += [nn.Linear(narrow, wide), nn.LeakyReLU()]
    return steps
