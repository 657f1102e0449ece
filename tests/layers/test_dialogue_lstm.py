import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from affectory.layers.bilstm import DialogueLSTM

LENGTHS = [3, 7, 1, 5, 7]
X = torch.randn(sum(LENGTHS), 6, generator=torch.Generator().manual_seed(0))


def lstm(causal: bool = False) -> DialogueLSTM:
    torch.manual_seed(0)
    return DialogueLSTM(in_features=6, width=8, causal=causal)


def torchs(ours: DialogueLSTM) -> nn.LSTM:
    """torch's own with the same weights; its gates are in the order i, f, g, o and ours g, i, f, o."""
    theirs = nn.LSTM(6, 8 // ours.directions, 2, bidirectional=ours.directions == 2)
    for index, layer in enumerate(ours.layers):
        for direction in range(ours.directions):
            own = [layer.weight.chunk(ours.directions)[direction], layer.recurrent[direction].T]  # pyright: ignore
            bias = layer.bias.chunk(ours.directions)[direction]  # pyright: ignore
            for kind, value in zip(("weight_ih", "weight_hh", "bias_ih"), (*own, bias), strict=True):
                new, i, forget, o = value.detach().chunk(4)
                name = f"{kind}_l{index}{'_reverse' * direction}"
                getattr(theirs, name).data = torch.cat([i, forget, new, o])
            getattr(theirs, f"bias_hh_l{index}{'_reverse' * direction}").data.zero_()
    return theirs


@pytest.mark.parametrize("causal", [False, True])
def test_it_equals_torchs_packed_lstm_in_values_and_gradients(causal: bool):
    layer, x, y = lstm(causal), X.clone().requires_grad_(), X.clone().requires_grad_()
    theirs = torchs(layer)
    got = layer(x, LENGTHS)
    expected = torch.cat(unpack_sequence(theirs(pack_sequence(list(y.split(LENGTHS)), enforce_sorted=False))[0]))
    assert torch.allclose(got, expected, atol=1e-6)
    got.square().sum().backward()
    expected.square().sum().backward()
    assert x.grad is not None and y.grad is not None and torch.allclose(x.grad, y.grad, atol=1e-6)
    first = layer.layers[0].recurrent.grad[0].T.chunk(4)  # pyright: ignore
    assert torch.allclose(torch.cat([*first[1:3], first[0], first[3]]), theirs.weight_hh_l0.grad, atol=1e-6)  # pyright: ignore


def test_a_dialogue_alone_equals_itself_among_others():
    layer = lstm()
    assert torch.allclose(layer(X[3:10], [7]), layer(X, LENGTHS)[3:10], atol=1e-6)


def test_a_causal_lstm_never_hears_what_is_said_later():
    layer, changed = lstm(causal=True), X.clone()
    changed[9] = 5.0
    assert torch.equal(layer(X, LENGTHS)[:9], layer(changed, LENGTHS)[:9])


def test_an_odd_width_of_two_directions_is_refused():
    with pytest.raises(ValueError, match="width 7 of two directions"):
        DialogueLSTM(in_features=6, width=7)
