"""Each modality encoded once for all conditions gives what the plain form gives, condition by condition."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, Sequences
from affectory.data.inputs import ModalityInput, fit_inputs
from affectory.learning.evaluation import logits_under
from affectory.models import FAMILIES, mmin
from affectory.vocabulary import Condition, Modality, conditions
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
CASES = [
    ("mmin", "full_baseline"),
    ("mmin", "mmin"),
    ("mmin", "mmin_ae"),
    ("mmin", "best"),
    ("attention_fusion", "attention_fusion_augmented"),
    ("mctn", "mctn_a"),
    ("mctn", "mctn_vt"),
]
DATASET = small_dataset(32, missing={2: [V], 9: [A, T]})
ROWS = np.arange(32)
# Of logits up to 12, a float32 holds 1e-6; the two forms sum the same terms in batches of other shapes.
REORDERED = {"rtol": 1e-5, "atol": 1e-5}
Inputs = Mapping[Modality, ModalityInput]


def built(family: str, name: str):
    module = FAMILIES[family]
    config = module.study_experiments("debug")[name]
    inputs = fit_inputs(DATASET, DATASET.rows("train"), config.preparation)
    return module.build(config, inputs, DATASET.classes, seed=0), inputs


def with_only(condition: Condition, instead: Inputs | None = None) -> Dataset:
    """The frames of the other modalities taken away; `instead`: the mean frame, which is normalised to zeros."""
    sequences = {}
    for modality, own in DATASET.sequences.items():
        frame = None if instead is None else instead[modality].mean[None]
        rows = [own.row(row) if modality in condition and own.lengths[row] else frame for row in ROWS]
        sequences[modality] = Sequences.from_rows(own.feature_set, rows, own.width, own.version)
    return replace(DATASET, sequences=sequences)


@pytest.mark.parametrize(("family", "name"), CASES)
def test_all_conditions_at_once_equal_the_model_on_rows_whose_other_frames_are_gone(family: str, name: str):
    model, inputs = built(family, name)
    at_once = logits_under(model, PackedFeatures.from_dataset(DATASET, inputs), ROWS, conditions())
    for condition, logits in zip(conditions(), at_once, strict=True):
        data = PackedFeatures.from_dataset(with_only(condition), inputs)
        there = data.present.any(1).numpy()  # a row without any of the condition's modalities is scored as it is
        assert there.sum() >= 30
        with torch.inference_mode():
            plain = model.eval()(data.batch(ROWS[there])).numpy()
        np.testing.assert_allclose(logits[there], plain, **REORDERED)


@pytest.mark.parametrize("name", ["full_baseline", "augmented_baseline", "mmin", "mmin_ae"])
def test_all_conditions_at_once_equal_the_papers_zeros_in_the_place_of_what_is_missing(name: str):
    model, inputs = built("mmin", name)
    assert isinstance(model, mmin.FullModality | mmin.Mmin)
    at_once = logits_under(model, PackedFeatures.from_dataset(DATASET, inputs), ROWS, conditions())
    for condition, logits in zip(conditions(), at_once, strict=True):
        there = DATASET.present[:, [modality in condition for modality in Modality]].any(1)
        data = PackedFeatures.from_dataset(with_only(condition, inputs), inputs)
        with torch.inference_mode():
            plain = model.eval()(data.batch(ROWS[there])).numpy()
        np.testing.assert_allclose(logits[there], plain, **REORDERED)
