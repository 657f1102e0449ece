import torch

from affectory.layers.pooling import masked_max


def test_the_maximum_is_of_valid_steps_and_zero_where_there_are_none():
    values = torch.tensor([[[-3.0], [-1.0], [9.0]], [[5.0], [6.0], [7.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_max(values, mask).tolist() == [[-1.0], [0.0]]


def test_a_row_without_valid_steps_sends_no_gradient_and_no_nan():
    values = torch.ones(1, 2, 3, requires_grad=True)
    masked_max(values, torch.zeros(1, 2, dtype=torch.bool)).sum().backward()
    assert values.grad is not None and values.grad.eq(0).all()
