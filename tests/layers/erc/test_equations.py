"""Single context models against their equations, written out plainly."""

from itertools import product

import torch
from torch import nn
from torch.nn import functional as F

from affectory.layers.erc.cmn import CMN
from affectory.layers.erc.dialogue_gcn import DialogueGCN
from affectory.layers.gru_step import gru_step
from affectory.layers.masked_gru import MaskedGRU
from affectory.layers.utterance_windows import preceding, windows
from tests.fixtures.conversations import dialogues


def test_a_masked_gru_steps_over_what_is_masked():
    torch.manual_seed(0)
    gru, x = MaskedGRU(in_features=3, width=4), torch.randn(1, 5, 3)
    mask = torch.tensor([[True, False, True, True, False]])
    kept = gru(x[:, [0, 2, 3]], torch.ones(1, 3, dtype=torch.bool))
    states = gru(x, mask)
    assert torch.allclose(states[:, [0, 2, 3]], kept, atol=1e-6) and not states[:, [1, 4]].any()


def test_windows_hold_what_is_around_and_histories_what_was_before():
    x = torch.arange(1.0, 5.0).view(1, 4, 1)
    assert windows(x, past=1, future=2)[0, :, :, 0].tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 0], [3, 4, 0, 0]]
    assert preceding(x, 2)[0, :, :, 0].tolist() == [[0, 0], [0, 1], [1, 2], [2, 3]]


def test_cmn_is_its_equations_for_one_utterance():
    torch.manual_seed(0)
    layer = CMN(in_features=6, width=5, slots=3, hops=2, dropout=0.0)
    x, mask, speakers, _ = dialogues(5)
    i, past = 4, [1, 2, 3]
    q = layer.query(x[0, i]).tanh()
    memories = []
    for party, who in enumerate([[j for j in past if j % 2 == 0], [j for j in past if j % 2 == 1]]):
        valid = torch.ones(1, len(who), dtype=torch.bool)
        heard = (layer.own, layer.others)[party](x[:, who], valid)
        memories.append(layer.memories[party](heard.tanh(), valid)[0])
    for _ in range(2):
        q = (q + sum((memory @ q).tanh().softmax(0) @ memory for memory in memories)).tanh()
    assert torch.allclose(layer(x, mask, speakers)[0, i], q, atol=1e-6)


def test_dialogue_gcn_sums_over_relations_and_neighbours():
    torch.manual_seed(0)
    layer = DialogueGCN(in_features=6, width=5, past=2, future=1, bases=30, dropout=0.0)
    x, mask, speakers, _ = dialogues(5)
    g = layer.context(x[0], [5])
    matrices = torch.einsum("rb,obd->rod", layer.mixtures, layer.bases.weight.view(5, -1, 10))
    around = [[j for j in range(i - 2, i + 2) if 0 <= j < 5] for i in range(5)]
    h = []
    for i, neighbours in enumerate(around):
        alpha = torch.stack([g[j] @ layer.edges(g[i]) for j in neighbours]).softmax(0)
        relations = [2 * (2 * int(speakers[0, j]) + int(speakers[0, i])) + (j < i) for j in neighbours]
        received = sum(a * matrices[r] @ g[j] for a, r, j in zip(alpha, relations, neighbours, strict=True))
        h.append(received + layer.root(g[i]))
    second = [layer.own(h[i]) + sum(layer.neighbours(h[j]) for j in around[i]) for i in range(5)]
    joint = torch.cat([g, torch.stack(second)], -1)[None]
    assert torch.allclose(layer(x, mask, speakers), layer.out(layer.attention(joint, mask)), atol=1e-5)


def test_a_masked_gru_is_torchs_cell_where_it_is_not_masked_and_carries_its_state_elsewhere():
    torch.manual_seed(0)
    layer, x, mask = MaskedGRU(in_features=4, width=3), torch.randn(2, 5, 7, 4), torch.rand(2, 5, 7) < 0.5
    got = layer(x, mask)
    for g, n in product(range(2), range(5)):
        state = torch.zeros(1, 3)
        for t in range(7):
            state = layer.cell(x[g, n, t][None], state) if mask[g, n, t] else state
            torch.testing.assert_close(got[g, n, t], state[0] * mask[g, n, t])


def test_a_masked_gru_reads_the_utterances_before_each_as_if_they_were_laid_out():
    layer, x = MaskedGRU(in_features=4, width=3), torch.randn(2, 6, 4)
    there = (preceding(torch.ones(2, 6, 1), 4)[..., 0] > 0) & (torch.rand(2, 6, 4) < 0.6)
    torch.testing.assert_close(layer.over_history(x, there), layer(preceding(x, 4), there))
    nothing = torch.zeros(2, 6, 4, dtype=torch.bool)
    assert layer.over_history(x, nothing).abs().sum() == 0


def test_a_gru_step_is_torchs_cell():
    cell, x, state = nn.GRUCell(4, 3), torch.randn(5, 4), torch.randn(5, 3)
    projected = F.linear(x, cell.weight_ih, cell.bias_ih)
    torch.testing.assert_close(gru_step(projected, state, cell), cell(x, state))
