"""The losses of values on a scale: one minus the concordance correlation coefficient, and the mean squared error."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-8  # the coefficient of constant predictions of constant labels is 0, and so are its gradients


def concordance_loss(predicted: Tensor, labels: Tensor) -> Tensor:
    r"""$1 - \mathrm{CCC}$, the mean over the dimensions; $\mathrm{CCC} = 2 s_{yp} / (s_y^2 + s_p^2 + (m_y - m_p)^2)$.

    Population moments over the batch (Lin 1989), so a batch needs some 32 rows to say much. Shapes: `predicted` and
    `labels` [B, V], NaN where a label is unknown; a dimension with fewer than two labels is left out.
    """
    labelled = labels.isfinite()  # [B, V]
    truth, guess = torch.where(labelled, labels, 0.0), torch.where(labelled, predicted, 0.0)
    counts = labelled.sum(0).clamp(min=1)
    truth_mean, guess_mean = truth.sum(0) / counts, guess.sum(0) / counts
    truth_off, guess_off = (truth - truth_mean) * labelled, (guess - guess_mean) * labelled
    covariance = (truth_off * guess_off).sum(0) / counts
    spread = (truth_off.square().sum(0) + guess_off.square().sum(0)) / counts
    ccc = 2 * covariance / (spread + (truth_mean - guess_mean).square() + EPSILON)  # [V]
    learned = labelled.sum(0) > 1
    return ((1 - ccc) * learned).sum() / learned.sum().clamp(min=1)


def squared_error(predicted: Tensor, labels: Tensor) -> Tensor:
    """The mean of (predicted - label)^2 over the known labels; shapes as of concordance_loss."""
    labelled = labels.isfinite()
    error = torch.where(labelled, predicted - torch.where(labelled, labels, 0.0), 0.0)
    return error.square().sum() / labelled.sum().clamp(min=1)
