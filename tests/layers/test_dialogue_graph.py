import math

import pytest
import torch

from affectory.layers.dialogue_graph import DialogueGraph, angular_weights, dialogue_graph

LENGTHS = [3, 1, 5]
U = sum(LENGTHS)
X = torch.randn(3, U, 4, generator=torch.Generator().manual_seed(0))
ALL = torch.ones(3, U, dtype=torch.bool)


def plain(x: torch.Tensor, lengths: list[int], present: torch.Tensor, gamma: float, causal: bool) -> torch.Tensor:
    """[M * U, M * U], edge by edge as the paper tells it."""
    modalities, total = x.shape[:2]
    dialogue = [g for g, n in enumerate(lengths) for _ in range(n)]
    nodes = [(m, u) for m in range(modalities) for u in range(total)]
    weights = torch.zeros(len(nodes), len(nodes))
    for i, (m, u) in enumerate(nodes):
        for j, (n, w) in enumerate(nodes):
            within, across = m == n and dialogue[u] == dialogue[w], m != n and u == w
            if not (within or across) or not (present[m, u] and present[n, w]) or (causal and w > u):
                continue
            cosine = torch.nn.functional.cosine_similarity(x[m, u], x[n, w], dim=0)
            weights[i, j] = (1 - math.acos(0.99999 * cosine) / math.pi) * (gamma if across else 1)
    degree = weights.sum(1)
    scale = torch.where(degree > 0, degree, 1.0) ** -0.5
    return scale[:, None] * weights * scale


def whole(graph: DialogueGraph) -> torch.Tensor:
    """The blocks of all dialogues as one matrix."""
    sizes = [block.shape[-1] for block in graph.intra]
    matrix, start, total = torch.zeros(3 * sum(sizes), 3 * sum(sizes)), 0, sum(sizes)
    for dialogue, n in enumerate(sizes):
        rows = torch.cat([torch.arange(start, start + n) + m * total for m in range(3)])
        matrix[rows[:, None], rows] = graph.adjacency(dialogue)
        start += n
    return matrix


@pytest.mark.parametrize("gamma", [1.0, 0.3])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_the_blocks_are_the_papers_edges(gamma: float, causal: bool, missing: bool):
    present = ALL.clone()
    if missing:
        present[0, 1] = present[2, 4:] = False
        present[:, 3] = False  # an utterance without any modality
    expected = plain(X, LENGTHS, present, gamma, causal)
    assert torch.allclose(whole(dialogue_graph(X, LENGTHS, present, gamma=gamma, causal=causal)), expected, atol=1e-6)


def test_angular_weights_of_known_angles():
    assert torch.allclose(angular_weights(torch.tensor([1.0, 0.0, -1.0])), torch.tensor([1.0, 0.5, 0.0]), atol=2e-3)


def test_zero_vectors_and_equal_vectors_give_finite_weights_and_gradients():
    x = X.clone()
    x[:, 4] = 0
    x[1, 5] = x[1, 6]
    x[0, 7] = -x[0, 6]
    x.requires_grad_()
    graph = dialogue_graph(x, LENGTHS, ALL)
    assert all(block.isfinite().all() for block in (*graph.intra, graph.cross))
    (sum(block.square().sum() for block in graph.intra) + graph.cross.square().sum()).backward()
    assert x.grad is not None and x.grad.isfinite().all() and not x.grad[:, 4].any()


def test_the_values_of_a_missing_modality_cannot_matter():
    present, broken = ALL.clone(), X.clone()
    present[1, 2:5] = False
    broken[1, 2:5] = 1e6
    assert torch.equal(whole(dialogue_graph(X, LENGTHS, present)), whole(dialogue_graph(broken, LENGTHS, present)))


def test_what_is_said_later_changes_no_causal_weight_of_what_was_said_before():
    changed = X.clone()
    changed[:, U - 1] = 7.0
    before, after = (dialogue_graph(x, LENGTHS, ALL, causal=True) for x in (X, changed))
    assert torch.equal(before.intra[2][:, :4], after.intra[2][:, :4])
    assert torch.equal(before.cross[..., : U - 1], after.cross[..., : U - 1])


def test_no_dialogues_are_no_blocks():
    graph = dialogue_graph(X[:, :0], [], ALL[:, :0])
    assert graph.intra == () and graph.cross.shape == (3, 3, 0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_the_gradient_by_hand_is_the_slope_of_the_weights(causal: bool, missing: bool):
    x, present = X.double().requires_grad_(), ALL.clone()
    if missing:
        present[0, 1] = present[2, 4:] = False

    def weights(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        graph = dialogue_graph(x, LENGTHS, present, gamma=0.7, causal=causal)
        return graph.cross, *graph.intra

    # The guard makes a node's weight to itself steep, though it never changes: a small step, a loose tolerance.
    assert torch.autograd.gradcheck(weights, (x,), eps=1e-6, atol=1e-4)
