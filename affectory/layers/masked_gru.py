"""A GRU that steps over what is masked, as the memories of CMN and ICON need it.

Shapes: R rows of T steps, P of all their steps that are not masked, H = width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.gru_step import gru_step


class MaskedGRU(nn.Module):
    """A GRU whose state passes masked steps unchanged; its output there is zero. Masked steps cost nothing.

    Shapes: x [..., T, in_features], mask bool [..., T] -> [..., T, width].
    """

    def __init__(self, *, in_features: int, width: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(in_features, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        places, sizes = _by_step(mask.flatten(0, -2))
        return self._states(self._projected(x.flatten(0, -2)[places]), places, sizes, mask)

    def over_history(self, x: Tensor, mask: Tensor) -> Tensor:
        """The states over the `slots` utterances before each one.

        x [G, N, in_features], mask bool [G, N, slots] -> [G, N, slots, width].

        As forward(utterance_windows.preceding(x, slots), mask), but an utterance is projected once, and not for every
        history that it is in. What is not masked lies within the dialogue.
        """
        places, sizes = _by_step(mask.flatten(0, -2))
        slots = mask.shape[-1]
        utterances = places // slots + places % slots - slots  # slot s of an utterance is the one slots - s before
        return self._states(self._projected(x.flatten(0, 1))[utterances], places, sizes, mask)

    def _projected(self, x: Tensor) -> Tensor:
        return F.linear(x, self.cell.weight_ih, self.cell.bias_ih)  # [..., 3 H]

    def _states(self, projected: Tensor, places: Tensor, sizes: list[int], mask: Tensor) -> Tensor:
        """Of inputs [P, 3 H] as _by_step orders them."""
        state = projected.new_zeros(sizes[0] if sizes else 0, self.cell.hidden_size)
        states = [state[:0]]
        for x in projected.split(sizes) if sizes else ():
            state = gru_step(x, state[: len(x)], self.cell)
            states.append(state)
        padded = projected.new_zeros(mask.numel(), self.cell.hidden_size)
        return padded.index_copy(0, places, torch.cat(states)).view(*mask.shape, -1)


def _by_step(mask: Tensor) -> tuple[Tensor, list[int]]:
    """Where the steps of mask bool [R, T] are in it, int64 [P]: the first of every row, the second of those with two ..

    Rows with more come first, so that each group continues the first rows of the one before; and the groups' sizes.
    """
    order = mask.sum(1).argsort(descending=True, stable=True)
    rows, steps = mask[order].nonzero(as_tuple=True)
    step_number = (mask[order].cumsum(1) - 1)[rows, steps]  # which step of its row it is
    by_step_number = step_number.argsort(stable=True)
    places = (order[rows] * mask.shape[1] + steps)[by_step_number]
    return places, step_number.bincount().tolist() if len(step_number) else []
