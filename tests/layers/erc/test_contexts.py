"""What holds of every context model, and that each learns what no utterance tells by itself."""

import pytest
import torch
from torch import nn

from affectory.layers.erc.bc_lstm import BcLSTM
from affectory.layers.erc.cmn import CMN
from affectory.layers.erc.dialogue_gcn import DialogueGCN
from affectory.layers.erc.dialogue_rnn import DialogueRNN
from affectory.layers.erc.icon import ICON
from tests.fixtures.conversations import CLASSES, Logits, accuracy_on_new_dialogues, dialogues

CONTEXTS = {
    "bc_lstm": lambda: BcLSTM(in_features=6, width=12, dropout=0.0),
    "cmn": lambda: CMN(in_features=6, width=12, slots=4, dropout=0.0),
    "icon": lambda: ICON(in_features=6, width=12, slots=4, dropout=0.0),
    "dialogue_rnn": lambda: DialogueRNN(in_features=6, width=12, emotion_width=12, dropout=0.0),
    "dialogue_gcn": lambda: DialogueGCN(in_features=6, width=12, past=3, future=2, dropout=0.0),
}
CAUSAL = {
    "bc_lstm": lambda: BcLSTM(in_features=6, width=12, dropout=0.0, causal=True),
    "cmn": CONTEXTS["cmn"],
    "icon": CONTEXTS["icon"],
    "dialogue_rnn": lambda: DialogueRNN(in_features=6, width=12, emotion_width=12, dropout=0.0, causal=True),
}


@pytest.fixture(params=CONTEXTS)
def context(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return CONTEXTS[request.param]()


@pytest.mark.slow
def test_the_class_of_the_utterance_before_is_learned(context: nn.Module):
    head = nn.Linear(12, CLASSES)
    parameters = [*context.parameters(), *head.parameters()]

    def on(seed: int) -> Logits:
        x, mask, speakers, labels = dialogues(*[5] * 40, seed=seed)
        return lambda: (head(context(x, mask, speakers)), labels)

    assert accuracy_on_new_dialogues(parameters, on(0), on(1)) > 0.7


def test_without_context_it_is_not_learned():
    alone = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, CLASSES))

    def on(seed: int) -> Logits:
        x, _, _, labels = dialogues(*[5] * 40, seed=seed)
        return lambda: (alone(x), labels)

    assert accuracy_on_new_dialogues([*alone.parameters()], on(0), on(1)) < 0.55


def test_longer_padding_and_what_is_in_it_change_nothing(context: nn.Module):
    x, mask, speakers, _ = dialogues(5, 1, 3)
    longer = [torch.cat([part, part.new_zeros(3, 4, *part.shape[2:])], 1) for part in (x, mask, speakers)]
    expected = context(x, mask, speakers)
    assert torch.allclose(context(*longer)[:, :5], expected, atol=1e-6)
    noise = x + 100.0 * ~mask[..., None]
    assert torch.allclose(context(noise, mask, speakers), expected, atol=1e-6) and not expected[~mask].any()


def test_permuted_dialogues_permute_the_result(context: nn.Module):
    x, mask, speakers, _ = dialogues(5, 2, 4)
    order = torch.tensor([2, 0, 1])
    got = context(x[order], mask[order], speakers[order])
    assert torch.allclose(got, context(x, mask, speakers)[order], atol=1e-6)


def test_every_parameter_gets_a_finite_gradient(context: nn.Module):
    x, mask, speakers, _ = dialogues(6, 1, 4)
    context(x, mask, speakers).square().sum().backward()
    for name, parameter in context.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


@pytest.mark.parametrize("name", CAUSAL)
def test_what_is_said_later_cannot_matter_to_a_causal_model(name: str):
    torch.manual_seed(0)
    context = CAUSAL[name]()
    x, mask, speakers, _ = dialogues(6, 6)
    changed = x.clone()
    changed[:, 4:] = 9.0
    got, after = context(x, mask, speakers), context(changed, mask, speakers)
    assert torch.allclose(got[:, :4], after[:, :4], atol=1e-6) and not torch.allclose(got[:, 4:], after[:, 4:])


@pytest.mark.parametrize("name", ["cmn", "icon", "dialogue_rnn", "dialogue_gcn"])
def test_who_speaks_matters_to_models_of_speakers(name: str):
    torch.manual_seed(0)
    context = CONTEXTS[name]()
    x, mask, speakers, _ = dialogues(6, 6)
    assert not torch.allclose(context(x, mask, speakers), context(x, mask, speakers * 0))


def test_any_number_of_speakers_is_served(context: nn.Module):
    x, mask, _, _ = dialogues(6, 6)
    assert context(x, mask, torch.arange(6).expand(2, 6)).isfinite().all()
