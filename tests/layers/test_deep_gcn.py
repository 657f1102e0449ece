from math import log

import pytest
import torch

from affectory.layers.deep_gcn import DeepGCN
from affectory.layers.dialogue_graph import dialogue_graph

LENGTHS = [3, 1, 6]
U = sum(LENGTHS)
ALL = torch.ones(3, U, dtype=torch.bool)


def layer(layers: int = 5, dropout: float = 0.0) -> DeepGCN:
    torch.manual_seed(0)
    return DeepGCN(in_features=7, width=4, layers=layers, dropout=dropout)


def x() -> torch.Tensor:
    return torch.randn(3, U, 7, generator=torch.Generator().manual_seed(1)).requires_grad_()


def plain(gcn: DeepGCN, x: torch.Tensor, *, alpha: float = 0.1, lambda_: float = 0.5) -> torch.Tensor:
    """The equations of the docstring over one dense matrix, by autograd."""
    nodes, total = x.flatten(0, 1), x.shape[1]
    dialogue = torch.arange(len(LENGTHS)).repeat_interleave(torch.tensor(LENGTHS)).repeat(3)
    modality, utterance = torch.arange(3).repeat_interleave(total), torch.arange(total).repeat(3)
    edges = (modality[:, None] == modality) & (dialogue[:, None] == dialogue) | (utterance[:, None] == utterance)
    unit = nodes / nodes.norm(dim=1, keepdim=True)
    weights = (1 - torch.arccos(0.99999 * unit @ unit.T) / torch.pi) * edges
    diagonal = torch.diag(weights.sum(1) ** -0.5)
    normalised = diagonal @ weights @ diagonal
    first = state = gcn.into(nodes).relu()
    for depth, weight in enumerate(gcn.weights, 1):
        theta, message = log(lambda_ / depth + 1), normalised @ state
        mixed = (1 - alpha) * message + alpha * first
        state = (theta * torch.cat([message, first], 1) @ weight + (1 - theta) * mixed).relu()
    return state.view(3, total, -1)


@pytest.mark.parametrize("layers", [1, 5, 64])
def test_values_and_gradients_equal_the_dense_equations(layers: int):
    gcn, ours, theirs = layer(layers), x(), x()
    got, expected = gcn(ours, dialogue_graph(ours, LENGTHS, ALL), ALL), plain(gcn, theirs)
    assert torch.allclose(got, expected, atol=1e-5)
    direction = torch.randn(got.shape, generator=torch.Generator().manual_seed(2))
    ours_grads = torch.autograd.grad((got * direction).sum(), [ours, *gcn.parameters()])
    theirs_grads = torch.autograd.grad((expected * direction).sum(), [theirs, *gcn.parameters()])
    for a, b in zip(ours_grads, theirs_grads, strict=True):
        assert (a - b).abs().max() <= 1e-5 * max(b.abs().max(), 1)


def test_without_gradients_it_gives_the_same():
    gcn, features = layer(), x()
    graph = dialogue_graph(features, LENGTHS, ALL)
    with torch.no_grad():
        assert torch.equal(gcn(features, graph, ALL), gcn(features, graph, ALL).detach())
        alone = gcn(features, graph, ALL)
    assert torch.equal(alone, gcn(features, graph, ALL))


def test_the_gradient_under_dropout_is_that_of_the_same_dropped_entries():
    gcn, features = layer(3, dropout=0.4).double(), x().detach().double().requires_grad_()
    step = 1e-6

    def total(value: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return gcn(value, dialogue_graph(value, LENGTHS, ALL), ALL).square().sum()

    (gradient,) = torch.autograd.grad(total(features), features)
    direction = torch.randn(features.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    slope = (total(features + step * direction) - total(features - step * direction)) / (2 * step)
    assert torch.allclose((gradient * direction).sum(), slope, rtol=1e-4)


def test_a_missing_modality_has_no_state_and_sends_none():
    present, broken, features = ALL.clone(), x().detach(), x().detach()
    present[1, 2:6] = False
    broken[1, 2:6] = 50.0
    gcn = layer()
    got = gcn(features, dialogue_graph(features, LENGTHS, present), present)
    assert not got[1, 2:6].any()
    assert torch.equal(got, gcn(broken, dialogue_graph(broken, LENGTHS, present), present))
