import pytest
import torch

from affectory.layers.dropout import Dropout, DropoutReLU, dropout_noise


def test_it_keeps_the_share_that_it_was_told_and_the_mean():
    torch.manual_seed(0)
    noise = dropout_noise((400, 501), 0.4, torch.ones(1))
    assert abs((noise > 0).float().mean() - 0.6) < 0.005 and abs(noise.mean() - 1) < 0.01
    assert len(noise.unique()) == 2


def test_it_follows_the_seed_and_differs_from_call_to_call():
    torch.manual_seed(0)
    first, second = (dropout_noise((50,), 0.5, torch.ones(1)) for _ in range(2))
    torch.manual_seed(0)
    assert torch.equal(first, dropout_noise((50,), 0.5, torch.ones(1))) and not torch.equal(first, second)


def test_evaluation_changes_nothing():
    x = torch.randn(3, 5)
    assert torch.equal(Dropout(0.9).eval()(x), x) and torch.equal(DropoutReLU(0.9).eval()(x), x.relu())


def test_relu_and_dropout_in_one_pass_the_gradient_where_the_result_is_positive():
    torch.manual_seed(0)
    x = torch.randn(40, 50, requires_grad=True)
    y = DropoutReLU(0.4)(x)
    y.sum().backward()
    kept = y > 0
    assert x.grad is not None and not (kept & (x <= 0)).any()
    assert torch.allclose(x.grad, torch.where(kept, y / x, 0.0), atol=1e-5)


@pytest.mark.parametrize("p", [1.0, -0.1])
def test_a_probability_out_of_range_is_refused(p: float):
    with pytest.raises(ValueError, match="expected a probability"):
        Dropout(p)
