"""The imagination of MMIN: a cascade of residual autoencoders (Tran et al., CVPR 2017; Zhao et al., ACL 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class CascadeResidualAutoencoder(nn.Module):
    r"""$\Delta z_1 = \phi_1(h)$, $\Delta z_k = \phi_k(h + \sum_{j<k} \Delta z_j)$, $h' = h + \sum_k \Delta z_k$.

    Each $\phi_k$ is an autoencoder through `widths` (LeakyReLU on the way down, ReLU on the way up, both ends linear).
    `transition` passes h' through two more layers, as the authors' code does and the paper does not.
    Shapes: h [B, in_features] -> h' [B, in_features], latents of all blocks [B, blocks * widths[-1]].
    """

    def __init__(self, *, in_features: int, widths: Sequence[int], blocks: int, transition: bool) -> None:
        super().__init__()
        down, up = (in_features, *widths), (*reversed(widths), in_features)
        self.encoders = nn.ModuleList(_chain(down, nn.LeakyReLU) for _ in range(blocks))
        self.decoders = nn.ModuleList(_chain(up, nn.ReLU) for _ in range(blocks))
        self.transition = _chain((in_features,) * 3, nn.ReLU) if transition else nn.Identity()
        self.out_latents = blocks * widths[-1]

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        imagined, latents = h, []
        for encoder, decoder in zip(self.encoders, self.decoders, strict=True):
            latents.append(encoder(imagined))
            imagined = imagined + decoder(latents[-1])  # h + sum of dz so far
        return self.transition(imagined), torch.cat(latents, dim=-1)


def _chain(widths: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers through `widths`, the activation between them and none at the end."""
    steps: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        steps += [nn.Linear(narrow, wide), activation()]
    return nn.Sequential(*steps[:-1])
