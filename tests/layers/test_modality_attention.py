import torch
from torch.nn import functional as F

from affectory.data.conditions import condition_masks
from affectory.layers.modality_attention import ModalityAttention
from affectory.vocabulary import MODALITIES, conditions

X = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1))
ALL = torch.ones(4, 3, dtype=torch.bool)


def attention(dropout: float = 0.0) -> ModalityAttention:
    torch.manual_seed(0)
    return ModalityAttention(modalities=3, width=5, dropout=dropout).eval()


def test_it_is_the_equation_written_out():
    layer, available = attention(), torch.tensor([True, False, True])
    for x in X:
        for m in (0, 2):
            cosines = [F.cosine_similarity(x[m] @ layer.queries[m], x[n] @ layer.keys[n], dim=0) for n in (0, 2)]
            to_first, to_last = torch.stack(cosines).softmax(0)
            expected = x[m] + to_first * (x[0] @ layer.values[0]) + to_last * (x[2] @ layer.values[2])
            assert torch.allclose(layer(x[None], available[None])[0, m], expected, atol=1e-5)


def test_a_modality_alone_attends_to_itself():
    layer, available = attention(), torch.tensor([[False, True, False]])
    attended = layer(X[:1], available)
    assert torch.allclose(attended[0, 1], X[0, 1] + X[0, 1] @ layer.values[1], atol=1e-6)


def test_the_slot_of_a_missing_modality_is_zero_and_its_values_cannot_matter():
    layer, available = attention(), ALL.clone()
    available[:, 2] = False
    broken = X.clone()
    broken[:, 2] = 1e6
    assert torch.equal(layer(X, available), layer(broken, available))
    assert not layer(X, available)[:, 2].any()


def test_conditions_in_front_equal_one_after_the_other():
    layer, masks = attention(), condition_masks(conditions(), MODALITIES)[:, None] & ALL  # [7, 4, 3]
    at_once = layer(X, masks)
    for mask, alone in zip(masks, at_once, strict=True):
        assert torch.allclose(layer(X, mask), alone, atol=1e-6)


def test_a_row_does_not_depend_on_its_batch():
    layer = attention()
    assert torch.allclose(layer(X, ALL)[2:3], layer(X[2:3], ALL[2:3]), atol=1e-6)


def test_gradients_are_finite_whatever_is_available_and_where_a_vector_is_zero():
    layer, masks = attention(), condition_masks(conditions(), MODALITIES)[:, None] & ALL
    x = X.clone()
    x[0] = 0.0
    x.requires_grad_()
    none = torch.zeros(1, 4, 3, dtype=torch.bool)
    layer(x, torch.cat([masks, none])).square().sum().backward()
    for value in (x, *layer.parameters()):
        assert value.grad is not None and value.grad.isfinite().all()


def test_dropout_spares_the_skip():
    layer = attention(dropout=1.0).train()
    assert torch.equal(layer(X, ALL), X)
