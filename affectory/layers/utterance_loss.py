"""What a model of conversations minimises, over the labelled utterances of dialogues side by side."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Literal["cross_entropy", "class_weighted", "focal_quirk"]
UNLABELLED = -100


def utterance_loss(
    logits: Tensor, labels: Tensor, loss: Loss, *, class_weights: Tensor | None = None, focal_gamma: float = 2.5
) -> Tensor:
    r"""The loss, a scalar, of logits [G, N, C] for labels int64 [G, N].

    Labels are UNLABELLED in padding and where no label is known; such utterances do not count. ValueError for
    class_weighted without `class_weights`.

    cross_entropy   the mean over utterances, as the paper of MMGCN has it
    class_weighted  the mean weighted by `class_weights` [C], as its code has it for IEMOCAP
    focal_quirk     as its code has it for MELD: with one-hot y and log-probabilities q, the mean over utterances and
                    classes of $-(1 - y q)^\gamma q$. So each wrong class costs its -q: strong smoothing, no focal loss
    """
    labelled = labels != UNLABELLED
    logits, labels = logits[labelled], labels[labelled]
    if loss == "focal_quirk":
        log_probabilities = logits.log_softmax(1)
        one_hot = F.one_hot(labels, logits.shape[1])
        return -((1 - one_hot * log_probabilities) ** focal_gamma * log_probabilities).mean()
    if loss == "class_weighted" and class_weights is None:
        raise ValueError("loss class_weighted: expected class_weights [C], got none; see inverse_shares")
    return F.cross_entropy(logits, labels, weight=class_weights if loss == "class_weighted" else None)


def inverse_shares(labels: Tensor, n_classes: int) -> Tensor:
    """[C]: one over each class's share of the labelled utterances; 0 of a class without one."""
    counts = torch.bincount(labels[labels != UNLABELLED], minlength=n_classes)
    return torch.where(counts > 0, counts.sum() / counts.clamp(min=1), 0.0)
