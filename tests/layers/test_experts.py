import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.experts import ModalityExperts, StackedLinear


def experts(**changes: float) -> ModalityExperts:
    torch.manual_seed(0)
    options = {"input_dropout": 0.0, "dropout": 0.0, **changes}
    return ModalityExperts(in_features=[5, 2], width=8, n_classes=3, members=4, **options)


@pytest.fixture
def x() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(6, 5, generator=generator), torch.randn(6, 2, generator=generator)]


def test_stacked_layers_equal_separate_ones():
    stacked, x = StackedLinear(members=3, in_features=4, out_features=2), torch.randn(3, 5, 4)
    for member in range(3):
        separate = nn.Linear(4, 2)
        separate.load_state_dict({"weight": stacked.weight[member].T, "bias": stacked.bias[member, 0]})
        assert torch.allclose(stacked(x)[member], separate(x[member]), atol=1e-6)


def test_stacked_layers_start_as_torchs_own_do_and_each_from_weights_of_its_own():
    torch.manual_seed(0)
    stacked, separate = StackedLinear(members=50, in_features=16, out_features=20), nn.Linear(16, 20 * 50)
    for mine, theirs in ((stacked.weight, separate.weight), (stacked.bias, separate.bias)):
        assert mine.abs().max() <= 0.25 and mine.std().item() == pytest.approx(theirs.std().item(), rel=0.05)
    assert not torch.equal(stacked.weight[0], stacked.weight[1])


def test_a_members_loss_sends_no_gradient_to_another(x: list[Tensor]):
    layer = experts()
    layer(x)[2].square().sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None
        moved = parameter.grad.flatten(1).abs().sum(1) > 0
        assert moved.tolist() == [False, False, True, False]


def test_gradients_of_all_members_together_are_those_of_each_alone(x: list[Tensor]):
    layer = experts()
    together = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    for member in range(4):
        alone = torch.autograd.grad(layer(x)[member].square().sum(), list(layer.parameters()))
        for both, one in zip(together, alone, strict=True):
            assert torch.allclose(both[member], one[member], atol=1e-6)


def test_votes_are_the_equation_written_out(x: list[Tensor]):
    layer, votes = experts(), experts()(x)
    assert votes.shape == (4, 2, 6, 3)
    for member in range(4):
        for place, features in enumerate(x):
            first, second = layer.first[place], layer.second[place]
            assert isinstance(first, StackedLinear) and isinstance(second, StackedLinear)
            hidden = F.relu(features @ first.weight[member] + first.bias[member])
            expected = hidden @ second.weight[member] + second.bias[member]
            assert torch.allclose(votes[member, place], expected, atol=1e-6)


def test_a_modality_has_no_say_in_the_vote_of_another(x: list[Tensor]):
    layer = experts()
    assert torch.equal(layer(x)[:, 0], layer([x[0], x[1] + 1e6])[:, 0])


def test_members_drop_different_inputs_while_training_and_none_in_evaluation(x: list[Tensor]):
    layer, plain = experts(input_dropout=0.5), experts()
    seen: list[Tensor] = []
    layer.first[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    layer.train()(x)
    assert not torch.equal(seen[0][0] == 0, seen[0][1] == 0)
    assert torch.equal(layer.eval()(x), plain(x))
