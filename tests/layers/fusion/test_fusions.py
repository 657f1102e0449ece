"""What holds of every fusion around the deep graph convolution."""

import pytest
import torch
from torch import nn

from affectory.layers.fusion.early import EarlyFusion
from affectory.layers.fusion.gated import GatedFusion
from affectory.layers.fusion.late import LateFusion
from affectory.layers.fusion.mfn import MFN
from affectory.layers.fusion.mult import MulT
from tests.fixtures.conversations import CLASSES, Logits, accuracy_on_new_dialogues, dialogues

LENGTHS = [4, 1, 6]
U = sum(LENGTHS)
SMALL = {"graph_width": 5, "layers": 2, "dropout": 0.0}
FUSIONS = {
    "late": lambda **options: LateFusion(in_features=6, **SMALL, **options),
    "gated": lambda **options: GatedFusion(in_features=6, **SMALL, **options),
    "mfn": lambda **options: MFN(in_features=6, width=4, memory=7, **SMALL, **options),
    "mult": lambda **options: MulT(in_features=6, width=10, depth=2, **SMALL, **options),
}


def nodes(modalities: int = 3) -> torch.Tensor:
    return torch.randn(modalities, U, 6, generator=torch.Generator().manual_seed(1))


def there(modalities: int = 3) -> torch.Tensor:
    present = torch.ones(modalities, U, dtype=torch.bool)
    present[0, 2] = present[-1, 5:8] = False
    return present


@pytest.fixture(params=FUSIONS)
def make(request: pytest.FixtureRequest):
    torch.manual_seed(0)
    return FUSIONS[request.param]


@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_it_gives_a_row_an_utterance_of_any_number_of_modalities(make, modalities: int):
    fusion, present = make(modalities=modalities), there(modalities)
    fused = fusion(nodes(modalities) * present[..., None], LENGTHS, present)
    assert fused.shape == (U, fusion.out_features) and fused.isfinite().all()


def test_every_parameter_gets_a_finite_gradient(make):
    fusion, present = make(modalities=3), there()
    parameters = dict(fusion.named_parameters())
    logits = nn.Linear(fusion.out_features, 4)(fusion(nodes() * present[..., None], LENGTHS, present))
    logits.square().sum().backward()
    for name, parameter in parameters.items():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_permuted_dialogues_permute_the_result(make):
    fusion, x, present = make(modalities=3).eval(), nodes(), there()
    x = x * present[..., None]
    order = torch.cat([torch.arange(5, 11), torch.arange(0, 4), torch.arange(4, 5)])
    got = fusion(x[:, order], [6, 4, 1], present[:, order])
    assert torch.allclose(got, fusion(x, LENGTHS, present)[order], atol=1e-5)


def test_what_is_said_later_cannot_matter_to_a_causal_fusion(make):
    fusion, x, present = make(modalities=3, causal=True), nodes(), torch.ones(3, U, dtype=torch.bool)
    changed = x.clone()
    changed[:, 9:] = 3.0
    got, after = fusion(x, LENGTHS, present), fusion(changed, LENGTHS, present)
    assert torch.allclose(got[:9], after[:9], atol=1e-6) and not torch.allclose(got[9:], after[9:])


def test_early_fusion_reads_the_features_side_by_side_and_may_be_causal():
    torch.manual_seed(0)
    fusion = EarlyFusion(in_features=9, projected=8, width=6, causal=True, **SMALL)
    x, changed = (torch.randn(U, 9, generator=torch.Generator().manual_seed(2)) for _ in range(2))
    changed[10] = 4.0
    present = torch.ones(U, dtype=torch.bool)
    got, after = fusion(x, LENGTHS, present), fusion(changed, LENGTHS, present)
    assert got.shape == (U, 11) and torch.allclose(got[:10], after[:10], atol=1e-6)


def test_two_modalities_that_agree_pass_the_gate_as_either():
    torch.manual_seed(0)
    fusion = FUSIONS["gated"](modalities=2)
    fusion.graphs[1].load_state_dict(fusion.graphs[0].state_dict())
    fusion.transforms[1].load_state_dict(fusion.transforms[0].state_dict())
    x, present = nodes(1).expand(2, -1, -1), torch.ones(2, U, dtype=torch.bool)
    either = fusion.transforms[0](fusion.graphs[0](x[0], LENGTHS, present[0])).tanh().relu()
    assert torch.allclose(fusion(x, LENGTHS, present), either, atol=1e-6)


@pytest.mark.slow
def test_mult_learns_the_class_of_the_utterance_before():
    torch.manual_seed(0)
    fusion = MulT(modalities=1, in_features=6, width=10, depth=1, graph_width=8, layers=1, dropout=0.0)
    head = nn.Linear(fusion.out_features, CLASSES)

    def on(seed: int) -> Logits:
        x, mask, _, labels = dialogues(*[5] * 100, seed=seed)
        return lambda: (head(fusion(x[mask][None], [5] * 100, mask[mask][None])), labels[mask])

    parameters = [*fusion.parameters(), *head.parameters()]
    assert accuracy_on_new_dialogues(parameters, on(0), on(1)) > 0.6
