"""What holds of every network over dialogues alike, MMGCN, the other fusions and the context models, on tensors."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affectory.models import conversation, mmgcn
from affectory.vocabulary import MODALITIES, Modality
from tests.fixtures.conversations import CLASSES, Logits, accuracy_on_new_dialogues, dialogues

WIDTHS = dict(zip(MODALITIES, (5, 4, 6), strict=True))
MODELS: dict[str, Callable[..., nn.Module]] = {
    f"mmgcn {speaker}{' causal' * causal}": lambda widths=WIDTHS, speaker=speaker, causal=causal: mmgcn.Mmgcn(
        replace(mmgcn.FAMILY.presets["debug"]["mmgcn"], speaker=speaker, causal=causal), widths, CLASSES
    )
    for speaker, causal in (("none", False), ("text_add", False), ("concat_all", False), ("text_add", True))
} | {
    name: lambda widths=WIDTHS, config=config: conversation.Conversation(config, widths, CLASSES)
    for name, config in conversation.FAMILY.presets["debug"].items()
}


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[..., nn.Module]:
    torch.manual_seed(0)
    return MODELS[request.param]


def inputs(*lengths: int, modalities: tuple[Modality, ...] = MODALITIES, seed: int = 0) -> dict[str, Any]:
    """All modalities there; the class of the utterance before is told by the text (or by the first modality)."""
    told, mask, speakers, _ = dialogues(*lengths, seed=seed)
    random = torch.Generator().manual_seed(seed)
    x = {m: torch.randn(*mask.shape, WIDTHS[m], generator=random) * 0.3 for m in modalities}
    teller = Modality.TEXTUAL if Modality.TEXTUAL in modalities else modalities[0]
    x[teller] = told[..., : WIDTHS[teller]]
    present = mask[..., None].expand(*mask.shape, len(modalities)).clone()
    return {"x": x, "mask": mask, "speakers": speakers, "present": present}


def test_it_takes_the_modalities_that_it_is_given(make):
    for keys in ("a", "v", "t", "at", "vt", "avt"):
        modalities = tuple(m for m in MODALITIES if m.key in keys)
        batch = inputs(5, 2, modalities=modalities)
        logits = make({m: WIDTHS[m] for m in modalities})(**batch)
        assert logits.shape == (2, 5, CLASSES) and logits.isfinite().all() and not logits[~batch["mask"]].any()


def test_every_parameter_gets_a_finite_gradient(make):
    model = make()
    model(**inputs(6, 1, 4)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_padding_and_what_is_in_it_change_nothing(make):
    model, batch = make().eval(), inputs(5, 2)
    expected, mask = model(**batch), batch["mask"]
    noise = {m: value + 50.0 * ~mask[..., None] for m, value in batch["x"].items()}
    assert torch.allclose(model(**{**batch, "x": noise}), expected, atol=1e-6)
    alone = {"x": {m: value[1:, :2] for m, value in batch["x"].items()}}
    alone |= {name: batch[name][1:, :2] for name in ("mask", "speakers", "present")}
    assert torch.allclose(model(**alone), expected[1:, :2], atol=1e-5)


def test_permuted_dialogues_permute_the_logits(make):
    model, batch, order = make().eval(), inputs(5, 2, 3), torch.tensor([2, 0, 1])
    turned = {name: value[order] for name, value in batch.items() if isinstance(value, Tensor)}
    turned["x"] = {m: value[order] for m, value in batch["x"].items()}
    assert torch.allclose(model(**turned), model(**batch)[order], atol=1e-5)


def test_the_values_of_a_missing_modality_cannot_matter_not_even_nan(make):
    model, batch = make(), inputs(5, 3)
    batch["present"][0, 2, 2] = batch["present"][1, :, 0] = False
    batch["present"][0, 4] = False  # an utterance with nothing at all
    broken = {m: value.clone() for m, value in batch["x"].items()}
    broken[Modality.TEXTUAL][0, 2] = broken[Modality.ACOUSTIC][1] = torch.nan
    expected, got = model(**batch), model(**{**batch, "x": broken})
    assert torch.equal(got, expected) and got.isfinite().all()
    got.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_speakers_are_who_speaks_not_what_they_are_called(make):
    model, batch = make().eval(), inputs(6, 4)
    renamed = torch.where(batch["speakers"] == 0, 731, -5)
    assert torch.equal(model(**{**batch, "speakers": renamed}), model(**batch))
    many = torch.arange(6).expand(2, 6)
    assert model(**{**batch, "speakers": many}).isfinite().all()


@pytest.mark.parametrize("name", [name for name in MODELS if "causal" in name] + ["cmn", "icon", "utterance"])
def test_what_is_said_later_cannot_matter_to_a_causal_model(name: str):
    torch.manual_seed(0)
    model, batch = MODELS[name](), inputs(6, 6)
    changed = {m: value.clone() for m, value in batch["x"].items()}
    for value in changed.values():
        value[:, 4:] = 9.0
    speakers = batch["speakers"].clone()
    speakers[:, 4:] = 8
    before, after = model(**batch), model(**{**batch, "x": changed, "speakers": speakers})
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)


def accuracy(name: str) -> float:
    torch.manual_seed(0)
    model = MODELS[name]()

    def on(seed: int) -> Logits:
        batch, labels = inputs(*[5] * 40, seed=seed), dialogues(*[5] * 40, seed=seed)[3]
        return lambda: (model(**batch), labels)

    return accuracy_on_new_dialogues([*model.parameters()], on(0), on(1))


LEARNING = [name for name in MODELS if name not in ("utterance", "mult")]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "mmgcn text_add" else pytest.mark.slow) for name in LEARNING]
)
def test_context_learns_the_class_of_the_utterance_before(name: str):
    assert accuracy(name) > 0.6


def test_an_utterance_alone_does_not():
    assert accuracy("utterance") < 0.5


def test_the_presets_differ_as_paper_and_code_do():
    paper, code, meld = (
        mmgcn.FAMILY.presets[name]["mmgcn"] for name in ("paper", "official_code", "official_code_meld")
    )
    assert (paper.graph_layers, paper.speaker, paper.loss) == (4, "concat_all", "cross_entropy")
    assert (code.graph_layers, code.speaker, code.loss) == (64, "text_add", "class_weighted")
    assert (meld.loss, meld.schedule.epochs, meld.schedule.weight_decay) == ("focal_quirk", 60, 0.0)
    with pytest.raises(ValueError, match="expected one of default"):
        conversation.FAMILY.experiments("unknown")


def test_a_dialogue_without_utterances_is_no_obstacle(make):
    model, batch = make().eval(), inputs(4, 3)
    expected = model(**batch)
    emptied = batch["mask"].clone()
    emptied[1] = False
    got = model(**{**batch, "mask": emptied})
    assert torch.allclose(got[0], expected[0], atol=1e-5) and not got[1].any()
