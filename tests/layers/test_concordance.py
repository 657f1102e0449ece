import pytest
import torch

from affectory.layers.concordance import concordance_loss, squared_error
from affectory.results.metrics import ccc

UNKNOWN = float("nan")
LABELS = torch.tensor([[0.1, 0.9], [0.4, UNKNOWN], [-0.6, 0.2], [0.8, 0.5]])
PREDICTED = torch.tensor([[0.3, 0.6], [0.1, 0.5], [-0.2, 0.4], [0.5, 0.1]])


def test_it_is_one_minus_the_metric_meaned_over_the_dimensions():
    first = ccc(LABELS[:, 0].numpy(), PREDICTED[:, 0].numpy())
    second = ccc(LABELS[[0, 2, 3], 1].numpy(), PREDICTED[[0, 2, 3], 1].numpy())
    assert float(concordance_loss(PREDICTED, LABELS)) == pytest.approx(1 - (first + second) / 2, abs=1e-6)


def test_perfect_predictions_cost_nothing_and_reversed_ones_two():
    labels = torch.tensor([[-0.5], [0.0], [0.5]])
    assert float(concordance_loss(labels, labels)) == pytest.approx(0.0, abs=1e-6)
    assert float(concordance_loss(-labels, labels)) == pytest.approx(2.0, abs=1e-6)


def test_what_a_prediction_of_an_unknown_label_says_cannot_matter():
    other = PREDICTED.clone()
    other[1, 1] = 100.0
    assert torch.equal(concordance_loss(other, LABELS), concordance_loss(PREDICTED, LABELS))
    assert torch.equal(squared_error(other, LABELS), squared_error(PREDICTED, LABELS))


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_cost_nothing_and_have_finite_gradients(rows: int):
    predicted = PREDICTED[:rows].clone().requires_grad_()
    loss = concordance_loss(predicted, LABELS[:rows])
    loss.backward()
    assert loss.item() == 0 and predicted.grad is not None and predicted.grad.isfinite().all()


def test_constant_predictions_of_constant_labels_have_finite_gradients():
    predicted = torch.full((4, 1), 0.3, requires_grad=True)
    concordance_loss(predicted, torch.full((4, 1), 0.3)).backward()
    assert predicted.grad is not None and predicted.grad.isfinite().all()


def test_the_squared_error_is_meaned_over_known_labels():
    expected = (0.04 + 0.09 + 0.09 + 0.16 + 0.04 + 0.09 + 0.16) / 7
    assert float(squared_error(PREDICTED, LABELS)) == pytest.approx(expected, abs=1e-6)
