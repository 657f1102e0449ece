"""Dialogues side by side: packed rows without padding, padded ones, and who speaks, counted within a dialogue.

G dialogues of at most N utterances, U utterances in all. `mask` bool [G, N] is True where there is an utterance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def lengths_of(mask: Tensor) -> list[int]:
    """The number of utterances of each dialogue."""
    return mask.sum(1).tolist()


def pad(packed: Tensor, lengths: list[int]) -> Tensor:
    """[U, ...] -> [G, max(lengths), ...], zeros where a dialogue has ended."""
    return pad_sequence(list(packed.split(lengths)), batch_first=True)


def unpack(packed: Tensor, mask: Tensor) -> Tensor:
    """The inverse of `x[mask]`: [U, ...] -> [G, N, ...], zeros where `mask` is False; a mask of any shape will do."""
    if packed.shape[0] == mask.numel():
        return packed.view(*mask.shape, *packed.shape[1:])
    return packed.new_zeros(*mask.shape, *packed.shape[1:]).index_put((mask,), packed)


def valid_steps(lengths: list[int], device: torch.device) -> Tensor:
    """bool [G, max(lengths)]: True where dialogue g has an utterance; the mask of the rows that `pad` gives."""
    return torch.arange(max(lengths, default=0), device=device) < torch.tensor(lengths, device=device)[:, None]


def order_of_appearance(speakers: Tensor, mask: Tensor) -> Tensor:
    """int64 [G, N] from any numbers [G, N]: 0 for the first to speak in the dialogue, 1 for the next new one, ...

    It depends on nothing that is said later. 0 where the mask is False.
    """
    same = (speakers[:, :, None] == speakers[:, None, :]) & mask[:, None, :]  # [G, N, N]
    first = same.int().argmax(2)  # the first utterance of the same speaker
    is_first = (first == torch.arange(mask.shape[1], device=mask.device)) & mask
    return (is_first.cumsum(1) - 1).clamp(min=0).gather(1, first) * mask
