import math

import pytest
import torch

from affectory.layers.utterance_loss import UNLABELLED, inverse_shares, utterance_loss

LOGITS = torch.tensor([[[0.0, math.log(3.0)], [5.0, -5.0]]])  # probabilities 1/4, 3/4 of the first
LABELS = torch.tensor([[1, UNLABELLED]])


def test_cross_entropy_is_the_mean_over_labelled_utterances():
    assert math.isclose(utterance_loss(LOGITS, LABELS, "cross_entropy"), -math.log(0.75), rel_tol=1e-5)


def test_class_weights_are_inverse_shares_and_weigh_the_mean():
    labels = torch.tensor([[0, 1, 1, 1, UNLABELLED]])
    weights = inverse_shares(labels, 3)
    assert weights.tolist() == pytest.approx([4.0, 4 / 3, 0.0])
    logits = torch.zeros(1, 5, 3)
    logits[0, 0, 0] = 2.0
    costs = -logits.log_softmax(-1)[0]
    expected = (4 * costs[0, 0] + 4 / 3 * costs[1:4, 1].sum()) / 8
    assert torch.isclose(utterance_loss(logits, labels, "class_weighted", class_weights=weights), expected)


def test_the_focal_quirk_costs_every_wrong_class_its_log_probability():
    q_wrong, q_true = math.log(0.25), math.log(0.75)
    expected = (-((1 - q_true) ** 2.5) * q_true - q_wrong) / 2
    assert math.isclose(utterance_loss(LOGITS, LABELS, "focal_quirk"), expected, rel_tol=1e-5)


def test_weights_that_are_not_given_are_asked_for():
    with pytest.raises(ValueError, match="expected class_weights"):
        utterance_loss(LOGITS, LABELS, "class_weighted")
